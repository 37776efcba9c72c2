// The response's half of produce.h. More topics, partitions or endpoints than a request of ours can ask for are
// refused: what is kept of them takes far more than their bytes.

#include "kafka_worker/protocol/produce.h"

namespace dory::kafka::protocol {
namespace {

// The fewest bytes that an element takes in any version: what a count is checked against.
constexpr size_t kLeastTopicBytes = 1 + 1;
constexpr size_t kLeastPartitionBytes = 4 + 2 + 8;
constexpr size_t kLeastRecordErrorBytes = 4 + 1;
constexpr size_t kLeastEndpointBytes = 4 + 1 + 4 + 1;

constexpr uint64_t kCurrentLeaderTag = 0;  // of a partition
constexpr uint64_t kNodeEndpointsTag = 0;  // of the response

// The smallest place that is named; -1: none is.
int32_t DecodeRecordErrors(Reader* reader) {
  int32_t first = -1;
  const size_t count = reader->ReadArrayCount(kLeastRecordErrorBytes);
  for (size_t i = 0; i < count && reader->ok(); ++i) {
    const auto batch_index = reader->Read<int32_t>();
    if (batch_index >= 0 && (first < 0 || batch_index < first)) first = batch_index;
    reader->ReadNullableString();  // what is wrong with it
    reader->SkipTags();
  }
  return first;
}

ProducePartitionResult DecodePartition(Reader* reader, int16_t version) {
  ProducePartitionResult result;
  result.partition = reader->Read<int32_t>();
  result.error_code = reader->Read<int16_t>();
  result.base_offset = reader->Read<int64_t>();
  if (version >= 2) result.log_append_time_ms = reader->Read<int64_t>();
  if (version >= 5) result.log_start_offset = reader->Read<int64_t>();
  if (version >= 8) {
    result.first_refused = DecodeRecordErrors(reader);
    result.error_message = reader->ReadNullableString().value_or("");
  }
  reader->ReadTags([&result](uint64_t tag, Reader& field) {
    if (tag != kCurrentLeaderTag) return;
    result.leader_id = field.Read<int32_t>();
    result.leader_epoch = field.Read<int32_t>();
  });
  return result;
}

// `room`: for partitions, in the answer.
ProduceTopicResult DecodeTopic(Reader* reader, int16_t version, size_t* room) {
  ProduceTopicResult topic;
  if (version < kFirstProduceById) {
    topic.name = reader->ReadString();
  } else {
    topic.id = ReadTopicId(reader);
  }
  const size_t count = reader->ReadArrayCount(kLeastPartitionBytes);
  if (count > *room) reader->Fail();
  if (!reader->ok()) return topic;
  *room -= count;
  topic.partitions.reserve(count);
  for (size_t i = 0; i < count && reader->ok(); ++i) {
    topic.partitions.push_back(DecodePartition(reader, version));
  }
  reader->SkipTags();
  return topic;
}

void DecodeNodeEndpoints(Reader* reader, std::vector<NodeEndpoint>* endpoints) {
  const size_t count = reader->ReadArrayCount(kLeastEndpointBytes);
  if (count > kMostPartitions - endpoints->size()) return reader->Fail();
  endpoints->reserve(endpoints->size() + count);
  for (size_t i = 0; i < count && reader->ok(); ++i) {
    NodeEndpoint endpoint;
    endpoint.id = reader->Read<int32_t>();
    endpoint.host = reader->ReadHost();
    endpoint.port = reader->Read<int32_t>();
    reader->ReadNullableString();  // rack
    reader->SkipTags();
    endpoints->push_back(endpoint);
  }
}

}  // namespace

Result<ProduceResponse> DecodeProduceResponse(int16_t version, ByteSpan body) {
  Reader reader(body, IsFlexible(Api::kProduce, version));
  ProduceResponse response;
  const size_t count = reader.ReadArrayCount(kLeastTopicBytes);
  if (count > kMostPartitions) reader.Fail();
  size_t room = kMostPartitions;
  for (size_t i = 0; i < count && reader.ok(); ++i) {
    response.topics.push_back(DecodeTopic(&reader, version, &room));
  }
  if (version >= 1) response.throttle_time_ms = reader.Read<int32_t>();
  reader.ReadTags([&response](uint64_t tag, Reader& field) {
    if (tag == kNodeEndpointsTag) DecodeNodeEndpoints(&field, &response.node_endpoints);
  });
  const Status status = reader.Finish("Produce response", version);
  if (!status.ok()) return status;
  return response;
}

}  // namespace dory::kafka::protocol
