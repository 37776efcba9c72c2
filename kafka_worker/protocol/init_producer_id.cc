#include "kafka_worker/protocol/init_producer_id.h"

#include <limits>

namespace dory::kafka::protocol {
namespace {

constexpr Api kApi = Api::kInitProducerId;

// No transaction is ever opened, so that no broker looks at it.
constexpr int32_t kTransactionTimeoutMs = std::numeric_limits<int32_t>::max();

}  // namespace

Bytes EncodeInitProducerIdRequest(const RequestHeader& header, const InitProducerIdRequest& request) {
  Bytes out;
  Writer writer(&out, IsFlexible(kApi, header.version));
  EncodeRequestHeader(kApi, header, &writer);
  writer.PutNullableString(std::nullopt);  // transactional id
  writer.Put<int32_t>(kTransactionTimeoutMs);
  if (header.version >= 3) {
    writer.Put<int64_t>(request.producer_id);
    writer.Put<int16_t>(request.producer_epoch);
  }
  writer.PutNoTags();
  FinishRequest(0, 0, &writer);
  return out;
}

Result<InitProducerIdResponse> DecodeInitProducerIdResponse(int16_t version, ByteSpan body) {
  Reader reader(body, IsFlexible(kApi, version));
  InitProducerIdResponse response;
  response.throttle_time_ms = reader.Read<int32_t>();
  response.error_code = reader.Read<int16_t>();
  response.producer_id = reader.Read<int64_t>();
  response.producer_epoch = reader.Read<int16_t>();
  reader.SkipTags();
  const Status status = reader.Finish("InitProducerId response", version);
  if (!status.ok()) return status;
  return response;
}

}  // namespace dory::kafka::protocol
