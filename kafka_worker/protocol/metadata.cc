#include "kafka_worker/protocol/metadata.h"

#include <algorithm>

namespace dory::kafka::protocol {
namespace {

constexpr Api kApi = Api::kMetadata;

// The fewest bytes that an element takes in any version: what a count is checked against.
constexpr size_t kLeastBrokerBytes = 4 + 1 + 4 + 1;
constexpr size_t kLeastTopicBytes = 2 + 1 + 1 + 1;
constexpr size_t kLeastPartitionBytes = 2 + 4 + 4 + 4 + 4;

// More of them no cluster has. What is kept of one takes up to ten times its bytes: a broken or hostile broker
// can't fill an answer with them. Of a partition less is kept here than it had, but more where it is in use.
constexpr size_t kMostBrokers = 5'000;
constexpr size_t kMostTopics = 65'536;
constexpr size_t kMostListedPartitions = 2 * kMostPartitions;  // of all topics

// An array of `Element`s, each read by decode(reader, version).
template <typename Element, typename Decode>
std::vector<Element> DecodeArray(Reader* reader, int16_t version, size_t least_bytes, Decode decode,
                                 size_t most = SIZE_MAX) {
  const size_t count = reader->ReadArrayCount(least_bytes);
  std::vector<Element> elements;
  if (count > most) reader->Fail();
  if (!reader->ok()) return elements;
  elements.reserve(count);
  for (size_t i = 0; i < count && reader->ok(); ++i) elements.push_back(decode(reader, version));
  return elements;
}

MetadataBroker DecodeBroker(Reader* reader, int16_t version) {
  MetadataBroker broker;
  broker.id = reader->Read<int32_t>();
  broker.host = reader->ReadHost();
  broker.port = reader->Read<int32_t>();
  if (version >= 1) reader->ReadNullableString();  // rack
  reader->SkipTags();
  return broker;
}

MetadataPartition DecodePartition(Reader* reader, int16_t version) {
  MetadataPartition partition;
  partition.error_code = reader->Read<int16_t>();
  partition.partition = reader->Read<int32_t>();
  if (partition.partition >= static_cast<int32_t>(kMostPartitions)) reader->Fail();
  partition.leader = reader->Read<int32_t>();
  partition.leader_epoch = version >= 7 ? reader->Read<int32_t>() : -1;
  reader->SkipArray(sizeof(int32_t));                    // replicas
  reader->SkipArray(sizeof(int32_t));                    // in-sync replicas
  if (version >= 5) reader->SkipArray(sizeof(int32_t));  // offline replicas
  reader->SkipTags();
  return partition;
}

// `room`: for partitions, in the answer.
MetadataTopic DecodeTopic(Reader* reader, int16_t version, size_t* room) {
  MetadataTopic topic;
  topic.error_code = reader->Read<int16_t>();
  // Null only where a topic was asked for by id.
  topic.name = version >= 12 ? reader->ReadNullableString().value_or("") : reader->ReadString();
  if (version >= 10) topic.id = ReadTopicId(reader);
  if (version >= 1) topic.is_internal = reader->ReadBool();
  topic.partitions = DecodeArray<MetadataPartition>(reader, version, kLeastPartitionBytes, DecodePartition,
                                                    std::min(*room, kMostPartitions));
  *room -= topic.partitions.size();
  if (version >= 8) reader->Read<int32_t>();  // authorized operations
  reader->SkipTags();
  return topic;
}

void EncodeTopic(std::string_view name, int16_t version, Writer* writer) {
  if (version >= 10) writer->PutRaw(kNoTopicId);
  writer->PutString(name);
  writer->PutNoTags();
}

}  // namespace

Bytes EncodeMetadataRequest(const RequestHeader& header, const MetadataRequest& request) {
  Bytes out;
  Writer writer(&out, IsFlexible(kApi, header.version));
  EncodeRequestHeader(kApi, header, &writer);
  writer.PutArrayCount(request.topics.size());
  for (std::string_view topic : request.topics) EncodeTopic(topic, header.version, &writer);
  if (header.version >= kFirstMetadataWithCreation) writer.PutBool(request.allow_auto_topic_creation);
  if (header.version >= 8 && header.version <= 10) writer.PutBool(false);  // cluster's operations
  if (header.version >= 8) writer.PutBool(false);                          // topics' operations
  writer.PutNoTags();
  FinishRequest(0, 0, &writer);
  return out;
}

Result<MetadataResponse> DecodeMetadataResponse(int16_t version, ByteSpan body) {
  Reader reader(body, IsFlexible(kApi, version));
  MetadataResponse response;
  if (version >= 3) response.throttle_time_ms = reader.Read<int32_t>();
  response.brokers = DecodeArray<MetadataBroker>(&reader, version, kLeastBrokerBytes, DecodeBroker, kMostBrokers);
  if (version >= 2) response.cluster_id = reader.ReadNullableString().value_or("");
  if (version >= 1) response.controller_id = reader.Read<int32_t>();
  size_t room = kMostListedPartitions;
  const auto decode_topic = [&room](Reader* from, int16_t as) { return DecodeTopic(from, as, &room); };
  response.topics = DecodeArray<MetadataTopic>(&reader, version, kLeastTopicBytes, decode_topic, kMostTopics);
  if (version >= 8 && version <= 10) reader.Read<int32_t>();  // authorized operations
  if (version >= 13) response.error_code = reader.Read<int16_t>();
  reader.SkipTags();
  const Status status = reader.Finish("Metadata response", version);
  if (!status.ok()) return status;
  return response;
}

}  // namespace dory::kafka::protocol
