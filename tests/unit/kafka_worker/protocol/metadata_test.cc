#include "kafka_worker/protocol/metadata.h"

#include "tests/unit/kafka_worker/protocol/responses.h"

namespace dory::kafka::protocol {
namespace {

constexpr VersionRange kSpoken = FindApi(Api::kMetadata).spoken;
constexpr int32_t kLeaderEpoch = 40;

void PutNodes(int32_t count, Writer* writer) {
  writer->PutArrayCount(static_cast<size_t>(count));
  for (int32_t node = 0; node < count; ++node) writer->Put<int32_t>(node);
}

void PutPartition(int32_t partition, int16_t version, Writer* writer) {
  writer->Put<int16_t>(partition == 1 ? 5 : 0);
  writer->Put<int32_t>(partition);
  writer->Put<int32_t>(partition == 1 ? -1 : partition + 10);
  if (version >= 7) writer->Put<int32_t>(kLeaderEpoch + partition);
  PutNodes(3, writer);
  PutNodes(2, writer);
  if (version >= 5) PutNodes(1, writer);
  PutUnknownTag(writer);
}

void PutTopic(std::string_view name, int32_t partitions, int16_t version, Writer* writer) {
  writer->Put<int16_t>(partitions == 0 ? 3 : 0);
  writer->PutString(name);
  if (version >= 10) writer->PutRaw(Bytes(16, std::byte{0x5a}));
  if (version >= 1) writer->PutBool(name == "__internal");
  writer->PutArrayCount(static_cast<size_t>(partitions));
  for (int32_t partition = 0; partition < partitions; ++partition) {
    PutPartition(partition, version, writer);
  }
  if (version >= 8) writer->Put<int32_t>(0);
  PutUnknownTag(writer);
}

void PutBroker(int32_t id, std::string_view host, int16_t version, Writer* writer) {
  writer->Put<int32_t>(id);
  writer->PutString(host);
  writer->Put<int32_t>(9092 + id);
  if (version >= 1) writer->PutNullableString(id == 0 ? std::optional<std::string_view>("rack") : std::nullopt);
  PutUnknownTag(writer);
}

Bytes MakeResponse(int16_t version, int32_t partitions) {
  Bytes out;
  Writer writer(&out, IsFlexible(Api::kMetadata, version));
  if (version >= 3) writer.Put<int32_t>(55);
  writer.PutArrayCount(2);
  PutBroker(0, "host.example", version, &writer);
  PutBroker(1, "::1", version, &writer);
  if (version >= 2) writer.PutNullableString("cluster");
  if (version >= 1) writer.Put<int32_t>(1);
  writer.PutArrayCount(3);
  PutTopic("some.topic", partitions, version, &writer);
  PutTopic("missing", 0, version, &writer);
  PutTopic("__internal", 1, version, &writer);
  if (version >= 8 && version <= 10) writer.Put<int32_t>(0);
  if (version >= 13) writer.Put<int16_t>(129);
  PutUnknownTag(&writer);
  return out;
}

void CheckTopics(const std::vector<MetadataTopic>& topics, int16_t version) {
  ASSERT_EQ(topics.size(), 3u);
  EXPECT_EQ(topics[0].name, "some.topic");
  EXPECT_EQ(topics[0].id[15], version >= 10 ? std::byte{0x5a} : std::byte{0});
  ASSERT_EQ(topics[0].partitions.size(), 3u);
  EXPECT_EQ(topics[0].partitions[1].leader, -1);
  EXPECT_EQ(topics[0].partitions[1].error_code, 5);
  EXPECT_EQ(topics[0].partitions[2].partition, 2);
  EXPECT_EQ(topics[0].partitions[2].leader, 12);
  EXPECT_EQ(topics[0].partitions[2].leader_epoch, version >= 7 ? kLeaderEpoch + 2 : -1);
  EXPECT_EQ(topics[1].error_code, 3);
  EXPECT_FALSE(topics[1].is_internal);
  EXPECT_EQ(topics[2].is_internal, version >= 1);
}

TEST(MetadataTest, DecodesAllVersions) {
  for (int16_t version = kSpoken.lowest; version <= kSpoken.highest; ++version) {
    const Bytes body = MakeResponse(version, 3);
    const auto response = DecodeMetadataResponse(version, body);
    ASSERT_TRUE(response.ok()) << response.status().message();
    EXPECT_EQ(response.value().throttle_time_ms, version >= 3 ? 55 : 0);
    ASSERT_EQ(response.value().brokers.size(), 2u);
    EXPECT_EQ(response.value().brokers[1].host, "::1");
    EXPECT_EQ(response.value().brokers[1].port, 9093);
    EXPECT_EQ(response.value().cluster_id, version >= 2 ? "cluster" : "");
    EXPECT_EQ(response.value().controller_id, version >= 1 ? 1 : -1);
    EXPECT_EQ(response.value().error_code, version >= 13 ? 129 : 0);
    CheckTopics(response.value().topics, version);
    ExpectOnlyTheWholeDecodes(DecodeMetadataResponse, version, body);
    SurviveAnyChangedByte(DecodeMetadataResponse, version, body);
  }
}

TEST(MetadataTest, DecodesFiftyThousandPartitions) {
  const Bytes body = MakeResponse(12, 50000);
  const auto response = DecodeMetadataResponse(12, body);
  ASSERT_TRUE(response.ok()) << response.status().message();
  ASSERT_EQ(response.value().topics[0].partitions.size(), 50000u);
  EXPECT_EQ(response.value().topics[0].partitions.back().leader, 50009);
}

// What is kept of such takes far more than its bytes.
TEST(MetadataTest, MoreBrokersOrTopicsThanAnyClusterHasAreRefused) {
  for (const size_t too_many : {size_t{5'001}, size_t{65'537}}) {
    const bool are_topics = too_many > 60'000;
    Bytes body;
    Writer writer(&body, false);
    writer.PutArrayCount(are_topics ? 0 : too_many);
    for (size_t i = 0; i < too_many && !are_topics; ++i) PutBroker(static_cast<int32_t>(i), "h", 0, &writer);
    writer.PutArrayCount(are_topics ? too_many : 0);
    for (size_t i = 0; i < too_many && are_topics; ++i) PutTopic("t", 0, 0, &writer);
    EXPECT_FALSE(DecodeMetadataResponse(0, body).ok());
  }
}

Bytes MakeAnswer(std::string_view host, int32_t first_partition, size_t partitions) {
  Bytes body;
  Writer writer(&body, false);
  writer.PutArrayCount(1);
  PutBroker(0, host, 0, &writer);
  writer.PutArrayCount(1);
  writer.Put<int16_t>(0);
  writer.PutString("t");
  writer.PutArrayCount(partitions);
  for (size_t p = 0; p < partitions; ++p) PutPartition(first_partition + static_cast<int32_t>(p), 0, &writer);
  return body;
}

// Each number below the highest would be a partition to us, whether it is listed or not.
TEST(MetadataTest, MorePartitionsThanWeCanKnowAreRefused) {
  const auto most = static_cast<int32_t>(kMostPartitions);
  EXPECT_TRUE(DecodeMetadataResponse(0, MakeAnswer("h", 0, kMostPartitions)).ok());
  EXPECT_FALSE(DecodeMetadataResponse(0, MakeAnswer("h", -1, kMostPartitions + 1)).ok());
  EXPECT_TRUE(DecodeMetadataResponse(0, MakeAnswer("h", most - 1, 1)).ok());
  for (const int32_t number : {most, INT32_MAX}) EXPECT_FALSE(DecodeMetadataResponse(0, MakeAnswer("h", number, 1)).ok());
}

// Topics by their numbers of partitions. Half of what an answer may list is enough for all that we can know.
TEST(MetadataTest, MorePartitionsOfAllTopicsThanAnyClusterHasAreRefused) {
  for (const size_t more : {0, 1}) {
    Bytes body;
    Writer writer(&body, false);
    writer.PutArrayCount(0);
    writer.PutArrayCount(3);
    for (const size_t partitions : {kMostPartitions, more, kMostPartitions}) {
      PutTopic("t", static_cast<int32_t>(partitions), 0, &writer);
    }
    EXPECT_EQ(DecodeMetadataResponse(0, body).ok(), more == 0);
  }
}

TEST(MetadataTest, AHostThatHasNoSuchNameIsRefused) {
  for (const size_t size : {kMostHostBytes, kMostHostBytes + 1}) {
    EXPECT_EQ(DecodeMetadataResponse(0, MakeAnswer(std::string(size, 'h'), 0, 1)).ok(), size == kMostHostBytes);
  }
}

// The status names it.
TEST(MetadataTest, AHostThatIsNoTextIsRefused) {
  EXPECT_TRUE(DecodeMetadataResponse(0, MakeAnswer("h\xC3\xA9", 0, 1)).ok());
  for (const char* host : {"h\xff", "h\n"}) EXPECT_FALSE(DecodeMetadataResponse(0, MakeAnswer(host, 0, 1)).ok());
}

TEST(MetadataTest, ATopicNameMayBeNullFromVersion12On) {
  for (int16_t version : std::initializer_list<int16_t>{11, 12}) {
    Bytes body;
    Writer writer(&body, true);
    writer.Put<int32_t>(0);
    writer.PutArrayCount(0);
    writer.PutNullableString(std::nullopt);
    writer.Put<int32_t>(-1);
    writer.PutArrayCount(1);
    writer.Put<int16_t>(100);
    writer.PutNullableString(std::nullopt);
    writer.PutRaw(Bytes(16));
    writer.PutBool(false);
    writer.PutArrayCount(0);
    writer.Put<int32_t>(0);
    writer.PutNoTags();
    writer.PutNoTags();
    EXPECT_EQ(DecodeMetadataResponse(version, body).ok(), version == 12);
  }
}

// What stands behind the header of a request for `topics`.
void CheckRequest(int16_t version, const std::vector<std::string_view>& topics) {
  const bool flexible = IsFlexible(Api::kMetadata, version);
  const Bytes out = EncodeMetadataRequest({version, 1, "c"}, {topics, true});
  Reader reader(ByteSpan(out).subspan(flexible ? 16 : 15), flexible);
  ASSERT_EQ(reader.ReadArrayCount(1), topics.size());
  for (std::string_view topic : topics) {
    if (version >= 10) reader.ReadRaw(16);
    EXPECT_EQ(reader.ReadString(), topic);
    reader.SkipTags();
  }
  if (version >= 4) {
    EXPECT_TRUE(reader.ReadBool());
  }
  if (version >= 8 && version <= 10) {
    EXPECT_FALSE(reader.ReadBool());
  }
  if (version >= 8) {
    EXPECT_FALSE(reader.ReadBool());
  }
  reader.SkipTags();
  EXPECT_TRUE(reader.Finish("request", version).ok()) << version;
}

TEST(MetadataTest, EncodesAllVersions) {
  for (int16_t version = kSpoken.lowest; version <= kSpoken.highest; ++version) {
    CheckRequest(version, {"a", "some.topic"});
    CheckRequest(version, {});
  }
}

// Null would ask for every topic of the cluster.
TEST(MetadataTest, NoTopicIsAnEmptyListNotNull) {
  EXPECT_EQ(LoadBigEndian<int32_t>(EncodeMetadataRequest({1, 1, "c"}, {}).data() + 15), 0);
  EXPECT_EQ(EncodeMetadataRequest({12, 1, "c"}, {})[16], std::byte{1});
}

}  // namespace
}  // namespace dory::kafka::protocol
