#include "kafka_worker/protocol/request_header.h"

#include <limits>

namespace dory::kafka::protocol {

void EncodeRequestHeader(Api api, const RequestHeader& header, Writer* writer) {
  assert(writer->flexible() == IsFlexible(api, header.version));
  writer->Put<int32_t>(0);
  writer->Put<int16_t>(static_cast<int16_t>(api));
  writer->Put<int16_t>(header.version);
  writer->Put<int32_t>(header.correlation_id);
  writer->PutPlainNullableString(header.client_id);  // never compact: KIP-482
  writer->PutNoTags();
}

size_t FinishRequest(size_t start, size_t spliced_bytes, Writer* writer) {
  const size_t whole = writer->size() - start + spliced_bytes;
  const size_t size = whole - kFrameSizeBytes;
  assert(size <= static_cast<size_t>(std::numeric_limits<int32_t>::max()));
  writer->PatchInt32(start, static_cast<int32_t>(size));
  return whole;
}

Result<int32_t> ReadCorrelationId(ByteSpan frame) {
  ByteReader reader(frame);
  const auto correlation_id = reader.Read<int32_t>();
  if (!reader.ok()) return Status::Error("response of " + std::to_string(frame.size()) + " bytes");
  return correlation_id;
}

Result<ByteSpan> FindResponseBody(Api api, int16_t version, ByteSpan frame) {
  Reader reader(frame, ChooseResponseHeaderVersion(api, version) == 1);
  reader.Read<int32_t>();
  reader.SkipTags();
  if (!reader.ok()) {
    return Status::Error(std::string(FindApi(api).name) + " response header makes no sense");
  }
  return frame.subspan(reader.offset());
}

}  // namespace dory::kafka::protocol
