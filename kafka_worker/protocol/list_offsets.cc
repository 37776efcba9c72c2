#include "kafka_worker/protocol/list_offsets.h"

namespace dory::kafka::protocol {
namespace {

constexpr int32_t kNoReplica = -1;  // a client asks

}  // namespace

Bytes EncodeEmptyListOffsetsRequest(const RequestHeader& header) {
  Bytes out;
  Writer writer(&out, IsFlexible(Api::kListOffsets, header.version));
  EncodeRequestHeader(Api::kListOffsets, header, &writer);
  writer.Put<int32_t>(kNoReplica);
  writer.PutArrayCount(0);
  FinishRequest(0, 0, &writer);
  return out;
}

Status CheckEmptyListOffsetsResponse(ByteSpan body) {
  Reader reader(body, false);
  if (reader.Read<int32_t>() != 0) reader.Fail();
  return reader.Finish("ListOffsets response", 0);
}

}  // namespace dory::kafka::protocol
