#include "kafka_worker/protocol/list_offsets.h"

#include <algorithm>

namespace dory::kafka::protocol {
namespace {

constexpr Api kApi = Api::kListOffsets;
constexpr int32_t kNoReplica = -1;  // a client asks
constexpr int8_t kReadUncommitted = 0;
constexpr int32_t kAnyLeaderEpoch = -1;
constexpr int32_t kOneOffset = 1;  // at most
constexpr size_t kLeastPartitionBytes = 4 + 2 + 4;

PartitionOffset DecodePartition(Reader* reader, int16_t version) {
  PartitionOffset partition;
  partition.partition = reader->Read<int32_t>();
  partition.error_code = reader->Read<int16_t>();
  if (version == 0) {
    const size_t count = reader->ReadArrayCount(sizeof(int64_t));
    for (size_t i = 0; i < count; ++i) partition.offset = std::max(partition.offset, reader->Read<int64_t>());
    return partition;
  }
  partition.timestamp = reader->Read<int64_t>();
  partition.offset = reader->Read<int64_t>();
  if (version >= 4) reader->Read<int32_t>();  // leader epoch
  reader->SkipTags();
  return partition;
}

}  // namespace

Bytes EncodeListOffsetsRequest(const RequestHeader& header, const ListOffsetsRequest& request) {
  Bytes out;
  Writer writer(&out, IsFlexible(kApi, header.version));
  EncodeRequestHeader(kApi, header, &writer);
  writer.Put<int32_t>(kNoReplica);
  if (header.version >= 2) writer.Put<int8_t>(kReadUncommitted);
  PutTopics(request.topics, &writer, [version = header.version](const OffsetQuery& query, Writer* to) {
    to->Put<int32_t>(query.partition);
    if (version >= 4) to->Put<int32_t>(kAnyLeaderEpoch);
    to->Put<int64_t>(query.timestamp);
    if (version == 0) to->Put<int32_t>(kOneOffset);
    to->PutNoTags();
  });
  writer.PutNoTags();
  FinishRequest(0, 0, &writer);
  return out;
}

Result<ListOffsetsResponse> DecodeListOffsetsResponse(int16_t version, ByteSpan body) {
  Reader reader(body, IsFlexible(kApi, version));
  ListOffsetsResponse response;
  if (version >= 2) response.throttle_time_ms = reader.Read<int32_t>();
  response.partitions = ReadTopics<PartitionOffset>(&reader, kLeastPartitionBytes,
                                                    [version](Reader* from) { return DecodePartition(from, version); });
  reader.SkipTags();
  const Status status = reader.Finish("ListOffsets response", version);
  if (!status.ok()) return status;
  return response;
}

}  // namespace dory::kafka::protocol
