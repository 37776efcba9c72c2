#include "kafka_worker/protocol/fetch.h"

#include <algorithm>

namespace dory::kafka::protocol {
namespace {

constexpr Api kApi = Api::kFetch;
constexpr int32_t kNoReplica = -1;  // a client asks
constexpr int8_t kReadUncommitted = 0;
constexpr int32_t kNoSession = 0;
constexpr int32_t kNoSessionEpoch = -1;
constexpr int32_t kAnyLeaderEpoch = -1;
constexpr int64_t kNoLogStart = -1;  // followers have one
constexpr size_t kLeastPartitionBytes = 4 + 2 + 8 + 8 + 8 + 1 + 1;
constexpr size_t kAbortedBytes = 8 + 8;

void EncodePlace(const FetchPlace& place, int16_t version, Writer* writer) {
  writer->Put<int32_t>(place.partition);
  if (version >= 9) writer->Put<int32_t>(kAnyLeaderEpoch);
  writer->Put<int64_t>(place.offset);
  if (version >= 12) writer->Put<int32_t>(kAnyLeaderEpoch);  // of the last record that was fetched
  writer->Put<int64_t>(kNoLogStart);
  writer->Put<int32_t>(place.max_bytes);
  writer->PutNoTags();
}

// BYTES, or their compact form; null is as none.
ByteSpan ReadRecords(Reader* reader) {
  if (!reader->flexible()) {
    const auto size = reader->Read<int32_t>();
    if (size < -1) reader->Fail();
    return reader->ReadRaw(static_cast<size_t>(std::max(size, 0)));
  }
  const uint64_t size = reader->ReadUnsignedVarint();
  return reader->ReadRaw(size == 0 ? 0 : size - 1);
}

void SkipAborted(Reader* reader) {
  const size_t count = reader->ReadArrayCount(kAbortedBytes);
  for (size_t i = 0; i < count && reader->ok(); ++i) {
    reader->ReadRaw(kAbortedBytes);
    reader->SkipTags();
  }
}

FetchedPartition DecodePartition(Reader* reader, int16_t version) {
  FetchedPartition partition;
  partition.partition = reader->Read<int32_t>();
  partition.error_code = reader->Read<int16_t>();
  partition.high_watermark = reader->Read<int64_t>();
  reader->Read<int64_t>();  // last stable offset
  partition.log_start_offset = reader->Read<int64_t>();
  SkipAborted(reader);
  if (version >= 11) reader->Read<int32_t>();  // a follower that would be nearer
  partition.records = ReadRecords(reader);
  reader->SkipTags();
  return partition;
}

}  // namespace

Bytes EncodeFetchRequest(const RequestHeader& header, const FetchRequest& request) {
  Bytes out;
  Writer writer(&out, IsFlexible(kApi, header.version));
  EncodeRequestHeader(kApi, header, &writer);
  writer.Put<int32_t>(kNoReplica);
  writer.Put<int32_t>(request.max_wait_ms);
  writer.Put<int32_t>(request.min_bytes);
  writer.Put<int32_t>(request.max_bytes);
  writer.Put<int8_t>(kReadUncommitted);
  if (header.version >= 7) {
    writer.Put<int32_t>(kNoSession);
    writer.Put<int32_t>(kNoSessionEpoch);
  }
  PutTopics(request.topics, &writer, [version = header.version](const FetchPlace& place, Writer* to) {
    EncodePlace(place, version, to);
  });
  if (header.version >= 7) writer.PutArrayCount(0);   // topics that a session forgets
  if (header.version >= 11) writer.PutString("");  // rack
  writer.PutNoTags();
  FinishRequest(0, 0, &writer);
  return out;
}

Result<FetchResponse> DecodeFetchResponse(int16_t version, ByteSpan body) {
  Reader reader(body, IsFlexible(kApi, version));
  FetchResponse response;
  response.throttle_time_ms = reader.Read<int32_t>();
  if (version >= 7) {
    response.error_code = reader.Read<int16_t>();
    reader.Read<int32_t>();  // session
  }
  response.partitions = ReadTopics<FetchedPartition>(&reader, kLeastPartitionBytes,
                                                     [version](Reader* from) { return DecodePartition(from, version); });
  reader.SkipTags();
  const Status status = reader.Finish("Fetch response", version);
  if (!status.ok()) return status;
  return response;
}

}  // namespace dory::kafka::protocol
