#include "kafka_worker/protocol/produce.h"
#include "tests/unit/kafka_worker/protocol/responses.h"

namespace dory::kafka::protocol {
namespace {

constexpr VersionRange kSpoken = FindApi(Api::kProduce).spoken;

void PutRecordErrors(Writer* writer) {
  writer->PutArrayCount(2);
  writer->Put<int32_t>(6);
  writer->PutNullableString(std::nullopt);
  PutUnknownTag(writer);
  writer->Put<int32_t>(4);
  writer->PutNullableString("bad timestamp");
  PutUnknownTag(writer);
}

// A tag of its own and one of eight bytes: leader 3, epoch 9.
void PutLeaderTag(Writer* writer) {
  writer->PutUnsignedVarint(2);
  writer->PutUnsignedVarint(0);
  writer->PutUnsignedVarint(9);
  writer->Put<int32_t>(3);
  writer->Put<int32_t>(9);
  writer->PutNoTags();
  writer->PutUnsignedVarint(44);
  writer->PutUnsignedVarint(0);
}

void PutEndpointsTag(Writer* writer) {
  Bytes field;
  Writer endpoints(&field, true);
  endpoints.PutArrayCount(1);
  endpoints.Put<int32_t>(3);
  endpoints.PutString("leader.example");
  endpoints.Put<int32_t>(9095);
  endpoints.PutNullableString(std::nullopt);
  endpoints.PutNoTags();
  writer->PutUnsignedVarint(1);
  writer->PutUnsignedVarint(0);
  writer->PutUnsignedVarint(field.size());
  writer->PutRaw(field);
}

void PutPartition(int32_t partition, int16_t error_code, int16_t version, Writer* writer) {
  writer->Put<int32_t>(partition);
  writer->Put<int16_t>(error_code);
  writer->Put<int64_t>(error_code == 0 ? 1000 + partition : -1);
  if (version >= 2) writer->Put<int64_t>(77);
  if (version >= 5) writer->Put<int64_t>(500);
  if (version >= 8 && error_code == 87) {
    PutRecordErrors(writer);
    writer->PutNullableString("refused");
  } else if (version >= 8) {
    writer->PutArrayCount(0);
    writer->PutNullableString(std::nullopt);
  }
  if (version >= 10 && error_code == 6) {
    PutLeaderTag(writer);
  } else {
    PutUnknownTag(writer);
  }
}

// By name, or by an id of its first letter.
void PutTopicName(std::string_view name, int16_t version, Writer* writer) {
  if (version < 13) return writer->PutString(name);
  TopicId id{};
  id.fill(static_cast<std::byte>(name[0]));
  writer->PutRaw(id);
}

Bytes MakeResponse(int16_t version) {
  Bytes out;
  Writer writer(&out, IsFlexible(Api::kProduce, version));
  writer.PutArrayCount(2);
  PutTopicName("first", version, &writer);
  writer.PutArrayCount(2);
  PutPartition(0, 0, version, &writer);
  PutPartition(1, 87, version, &writer);
  PutUnknownTag(&writer);
  PutTopicName("second", version, &writer);
  writer.PutArrayCount(1);
  PutPartition(8, 6, version, &writer);
  PutUnknownTag(&writer);
  if (version >= 1) writer.Put<int32_t>(250);
  if (version >= 10) {
    PutEndpointsTag(&writer);
  } else {
    PutUnknownTag(&writer);
  }
  return out;
}

void CheckRefused(const ProducePartitionResult& refused, int16_t version) {
  EXPECT_EQ(refused.error_code, 87);
  EXPECT_EQ(refused.base_offset, -1);
  EXPECT_EQ(refused.first_refused, version >= 8 ? 4 : -1);
  EXPECT_EQ(refused.error_message, version >= 8 ? "refused" : "");
}

void CheckHints(const ProduceResponse& response, int16_t version) {
  const ProducePartitionResult& moved = response.topics[1].partitions[0];
  EXPECT_EQ(moved.leader_id, version >= 10 ? 3 : -1);
  EXPECT_EQ(moved.leader_epoch, version >= 10 ? 9 : -1);
  ASSERT_EQ(response.node_endpoints.size(), version >= 10 ? 1u : 0u);
  if (version < 10) return;
  EXPECT_EQ(response.node_endpoints[0].id, 3);
  EXPECT_EQ(response.node_endpoints[0].host, "leader.example");
  EXPECT_EQ(response.node_endpoints[0].port, 9095);
}

TEST(ProduceResponseTest, DecodesAllVersions) {
  for (int16_t version = kSpoken.lowest; version <= kSpoken.highest; ++version) {
    const Bytes body = MakeResponse(version);
    const auto result = DecodeProduceResponse(version, body);
    ASSERT_TRUE(result.ok()) << result.status().message();
    const ProduceResponse& response = result.value();
    EXPECT_EQ(response.throttle_time_ms, version >= 1 ? 250 : 0);
    ASSERT_EQ(response.topics.size(), 2u);
    EXPECT_EQ(response.topics[0].name, version < 13 ? "first" : "");
    EXPECT_EQ(response.topics[0].id[15], version < 13 ? std::byte{0} : std::byte{'f'});
    ASSERT_EQ(response.topics[0].partitions.size(), 2u);
    EXPECT_EQ(response.topics[0].partitions[0].base_offset, 1000);
    EXPECT_EQ(response.topics[0].partitions[0].log_append_time_ms, version >= 2 ? 77 : -1);
    EXPECT_EQ(response.topics[0].partitions[0].log_start_offset, version >= 5 ? 500 : -1);
    CheckRefused(response.topics[0].partitions[1], version);
    CheckHints(response, version);
  }
}

// As many as fit into an answer of 16 MiB: nothing is kept of those behind the first.
TEST(ProduceResponseTest, OfMillionsOfRecordsTheFirstIsKept) {
  constexpr int32_t kRecords = 2'500'000;
  Bytes body;
  Writer writer(&body, false);
  writer.PutArrayCount(1);
  writer.PutString("t");
  writer.PutArrayCount(1);
  writer.Put<int32_t>(0);
  writer.Put<int16_t>(87);
  for (int i = 0; i < 3; ++i) writer.Put<int64_t>(-1);
  writer.PutArrayCount(kRecords);
  for (int32_t i = 0; i < kRecords; ++i) {
    writer.Put<int32_t>(kRecords - i);
    writer.PutNullableString(std::nullopt);
  }
  writer.PutNullableString(std::nullopt);
  writer.Put<int32_t>(0);
  const auto result = DecodeProduceResponse(8, body);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result.value().topics[0].partitions[0].first_refused, 1);
}

// By topics of no partition, of one each, or of all of them.
TEST(ProduceResponseTest, MoreThanWeCanAskForIsRefused) {
  for (const size_t topics : {kMostPartitions + 1, kMostPartitions / 2 + 1, size_t{1}}) {
    for (const size_t more : {0, 1}) {
      const size_t each = topics > kMostPartitions ? 0 : kMostPartitions / topics + more;
      Bytes body;
      Writer writer(&body, false);
      writer.PutArrayCount(topics);
      for (size_t t = 0; t < topics; ++t) {
        writer.PutString("");
        writer.PutArrayCount(each);
        for (size_t p = 0; p < each; ++p) writer.PutRaw(Bytes(4 + 2 + 8));
      }
      EXPECT_EQ(DecodeProduceResponse(0, body).ok(), each > 0 && more == 0) << topics << " of " << each;
    }
  }
}

TEST(ProduceResponseTest, AnythingButTheWholeIsRefused) {
  for (int16_t version = kSpoken.lowest; version <= kSpoken.highest; ++version) {
    ExpectOnlyTheWholeDecodes(DecodeProduceResponse, version, MakeResponse(version));
    SurviveAnyChangedByte(DecodeProduceResponse, version, MakeResponse(version));
  }
}

}  // namespace
}  // namespace dory::kafka::protocol
