// Our decoders read from what Kafka's own classes wrote the values that were set there
// (tests/golden/kafka/*Responses.java), with what a version does not have at its default.

#include "kafka_worker/protocol/api_versions.h"
#include "kafka_worker/protocol/batch.h"
#include "kafka_worker/protocol/describe_producers.h"
#include "kafka_worker/protocol/fetch.h"
#include "kafka_worker/protocol/init_producer_id.h"
#include "kafka_worker/protocol/list_offsets.h"
#include "kafka_worker/protocol/metadata.h"
#include "kafka_worker/protocol/produce.h"
#include "kafka_worker/protocol/sasl.h"
#include "tests/unit/kafka_worker/protocol/golden.h"

namespace dory::kafka::protocol {
namespace {

constexpr int64_t kTimestamp = 1'700'000'000'000;

// ---- Produce -----------------------------------------------------------------------------------

void CheckRefused(const ProducePartitionResult& refused, int16_t version) {
  EXPECT_EQ(refused.partition, 7);
  EXPECT_EQ(refused.error_code, 6);
  EXPECT_EQ(refused.base_offset, -1);
  EXPECT_EQ(refused.log_append_time_ms, -1);
  EXPECT_EQ(refused.log_start_offset, -1);
  EXPECT_EQ(refused.error_message, version >= 8 ? "not the leader" : "");
  EXPECT_EQ(refused.leader_id, version >= 10 ? 3 : -1);
  EXPECT_EQ(refused.leader_epoch, version >= 10 ? 9 : -1);
  EXPECT_EQ(refused.first_refused, version >= 8 ? 4 : -1);
}

void CheckAccepted(const ProducePartitionResult& accepted, int16_t version) {
  EXPECT_EQ(accepted.partition, 0);
  EXPECT_EQ(accepted.error_code, 0);
  EXPECT_EQ(accepted.base_offset, kManyBytes);
  EXPECT_EQ(accepted.log_append_time_ms, version >= 2 ? kTimestamp : -1);
  EXPECT_EQ(accepted.log_start_offset, version >= 5 ? 42 : -1);
  EXPECT_EQ(accepted.first_refused, -1);
  EXPECT_EQ(accepted.leader_id, -1);
}

void CheckEndpoints(const std::vector<NodeEndpoint>& endpoints, int16_t version) {
  ASSERT_EQ(endpoints.size(), version >= 10 ? 2u : 0u);
  if (version < 10) return;
  EXPECT_EQ(endpoints[0].id, 3);
  EXPECT_EQ(endpoints[0].host, "leader.example");
  EXPECT_EQ(endpoints[0].port, 9095);
  EXPECT_EQ(endpoints[1].host, "::1");
}

TEST(GoldenResponsesTest, Produce) {
  ForEachVersion(Api::kProduce, [](int16_t version) {
    const Bytes body = ReadGoldenBody(Api::kProduce, version);
    const auto response = DecodeProduceResponse(version, body);
    ASSERT_TRUE(response.ok()) << response.status().message();
    EXPECT_EQ(response.value().throttle_time_ms, version >= 1 ? kThrottleMs : 0);
    const auto& topics = response.value().topics;
    ASSERT_EQ(topics.size(), 2u);
    for (size_t i = 0; i < topics.size(); ++i) {
      const std::string_view name = i == 0 ? kFirstTopic : kLongTopic;
      EXPECT_EQ(topics[i].name, version < 13 ? name : "");
      EXPECT_EQ(topics[i].id, version < 13 ? kNoTopicId : GoldenTopicId(name));
    }
    ASSERT_EQ(topics[0].partitions.size(), 2u);
    EXPECT_TRUE(topics[1].partitions.empty());
    CheckRefused(topics[0].partitions[0], version);
    CheckAccepted(topics[0].partitions[1], version);
    CheckEndpoints(response.value().node_endpoints, version);
  });
}

// ---- Metadata ----------------------------------------------------------------------------------

void CheckTopic(const MetadataTopic& topic, std::string_view name, int16_t error_code, int16_t version) {
  EXPECT_EQ(topic.name, name);
  EXPECT_EQ(topic.error_code, error_code);
  EXPECT_EQ(topic.is_internal, version >= 1 && name == "__internal");
  EXPECT_EQ(topic.id, version >= 10 ? GoldenTopicId(error_code == 0 ? kFirstTopic : kLongTopic) : kNoTopicId);
}

void CheckPartition(const MetadataPartition& partition, int32_t index, int32_t leader, int16_t version) {
  EXPECT_EQ(partition.partition, index);
  EXPECT_EQ(partition.leader, leader);
  EXPECT_EQ(partition.error_code, leader < 0 ? 5 : 0);
  EXPECT_EQ(partition.leader_epoch, version >= 7 ? 40 + index : -1);
}

void CheckTopics(const std::vector<MetadataTopic>& topics, int16_t version) {
  ASSERT_EQ(topics.size(), version >= 12 ? 4u : 3u);
  CheckTopic(topics[0], kFirstTopic, 0, version);
  CheckTopic(topics[1], kLongTopic, 3, version);
  CheckTopic(topics[2], "__internal", 0, version);
  if (version >= 12) CheckTopic(topics[3], "", 100, version);
  ASSERT_EQ(topics[0].partitions.size(), 3u);
  CheckPartition(topics[0].partitions[0], 2, 1, version);
  CheckPartition(topics[0].partitions[1], 0, -1, version);
  CheckPartition(topics[0].partitions[2], 1, 0, version);
  EXPECT_TRUE(topics[1].partitions.empty());
  ASSERT_EQ(topics[2].partitions.size(), 1u);
}

TEST(GoldenResponsesTest, Metadata) {
  ForEachVersion(Api::kMetadata, [](int16_t version) {
    const Bytes body = ReadGoldenBody(Api::kMetadata, version);
    const auto response = DecodeMetadataResponse(version, body);
    ASSERT_TRUE(response.ok()) << response.status().message();
    EXPECT_EQ(response.value().throttle_time_ms, version >= 3 ? kThrottleMs : 0);
    EXPECT_EQ(response.value().cluster_id, version >= 2 ? "golden-cluster" : "");
    EXPECT_EQ(response.value().controller_id, version >= 1 ? 1 : -1);
    EXPECT_EQ(response.value().error_code, version >= 13 ? 129 : 0);
    const auto& brokers = response.value().brokers;
    ASSERT_EQ(brokers.size(), 2u);
    EXPECT_EQ(brokers[0].id, 0);
    EXPECT_EQ(brokers[0].host, "host.example");
    EXPECT_EQ(brokers[0].port, 9092);
    EXPECT_EQ(brokers[1].host, "::1");
    CheckTopics(response.value().topics, version);
  });
}

// ---- ApiVersions -------------------------------------------------------------------------------

TEST(GoldenResponsesTest, ApiVersions) {
  ForEachVersion(Api::kApiVersions, [](int16_t version) {
    const auto response = DecodeApiVersionsResponse(version, ReadGoldenBody(Api::kApiVersions, version));
    ASSERT_TRUE(response.ok()) << response.status().message();
    EXPECT_EQ(response.value().error_code, 0);
    EXPECT_EQ(response.value().throttle_time_ms, version >= 1 ? kThrottleMs : 0);
    const int16_t kRows[][3] = {{0, 3, 13}, {3, 0, 13}, {18, 0, 4}, {22, 0, 5}, {32767, 1, 32767}};
    ASSERT_EQ(response.value().apis.size(), std::size(kRows));
    for (size_t i = 0; i < std::size(kRows); ++i) {
      EXPECT_EQ(response.value().apis[i].api, kRows[i][0]);
      EXPECT_EQ(response.value().apis[i].range.lowest, kRows[i][1]);
      EXPECT_EQ(response.value().apis[i].range.highest, kRows[i][2]);
    }
  });
}

// In the shape of version 0, whatever was asked.
TEST(GoldenResponsesTest, ApiVersionsThatTheBrokerDoesNotKnow) {
  ForEachVersion(Api::kApiVersions, [](int16_t version) {
    if (version == 0) return;
    const Bytes body = ReadGoldenBody(Api::kApiVersions, version, "refused.response");
    const auto response = DecodeApiVersionsResponse(version, body);
    ASSERT_TRUE(response.ok()) << response.status().message();
    EXPECT_EQ(response.value().error_code, 35);
    ASSERT_EQ(response.value().apis.size(), 1u);
    EXPECT_EQ(response.value().apis[0].range.highest, 2);
    for (size_t size = 0; size < body.size(); ++size) {  // the code alone counts: with it, it is an answer
      const Bytes prefix(body.begin(), body.begin() + static_cast<ptrdiff_t>(size));
      const auto cut = DecodeApiVersionsResponse(version, prefix);
      EXPECT_EQ(cut.ok() && cut.value().error_code == 35, size >= sizeof(int16_t)) << size;
    }
  });
}

// ---- who we are --------------------------------------------------------------------------------

TEST(GoldenResponsesTest, InitProducerId) {
  ForEachVersion(Api::kInitProducerId, [](int16_t version) {
    const auto response = DecodeInitProducerIdResponse(version, ReadGoldenBody(Api::kInitProducerId, version));
    ASSERT_TRUE(response.ok()) << response.status().message();
    EXPECT_EQ(response.value().throttle_time_ms, kThrottleMs);
    EXPECT_EQ(response.value().error_code, 14);
    EXPECT_EQ(response.value().producer_id, kManyBytes);
    EXPECT_EQ(response.value().producer_epoch, 0x1234);
  });
}

TEST(GoldenResponsesTest, SaslHandshake) {
  ForEachVersion(Api::kSaslHandshake, [](int16_t version) {
    const auto response = DecodeSaslHandshakeResponse(version, ReadGoldenBody(Api::kSaslHandshake, version));
    ASSERT_TRUE(response.ok()) << response.status().message();
    EXPECT_EQ(response.value().error_code, 33);
    EXPECT_EQ(response.value().mechanisms, (std::vector<std::string>{"PLAIN", "SCRAM-SHA-512", ""}));
  });
}

TEST(GoldenResponsesTest, SaslAuthenticate) {
  ForEachVersion(Api::kSaslAuthenticate, [](int16_t version) {
    const Bytes body = ReadGoldenBody(Api::kSaslAuthenticate, version);
    const auto refused = DecodeSaslAuthenticateResponse(version, body);
    ASSERT_TRUE(refused.ok()) << refused.status().message();
    EXPECT_EQ(refused.value().error_code, 58);
    EXPECT_EQ(refused.value().error_message, "Authentication failed: \xc3\xbc");
    EXPECT_EQ(AsText(refused.value().token), std::string_view("\0\1\xff", 3));
    EXPECT_EQ(refused.value().session_lifetime_ms, version >= 1 ? 3'600'000 : 0);

    const Bytes empty = ReadGoldenBody(Api::kSaslAuthenticate, version, "empty.response");
    const auto accepted = DecodeSaslAuthenticateResponse(version, empty);
    ASSERT_TRUE(accepted.ok()) << accepted.status().message();
    EXPECT_EQ(accepted.value().error_code, 0);
    EXPECT_EQ(accepted.value().error_message, "");
    EXPECT_TRUE(accepted.value().token.empty());
  });
}

// ---- the look into a log -----------------------------------------------------------------------

TEST(GoldenResponsesTest, ListOffsets) {
  ForEachVersion(Api::kListOffsets, [](int16_t version) {
    const Bytes body = ReadGoldenBody(Api::kListOffsets, version);
    const auto response = DecodeListOffsetsResponse(version, body);
    ASSERT_TRUE(response.ok()) << response.status().message();
    EXPECT_EQ(response.value().throttle_time_ms, version >= 2 ? kThrottleMs : 0);
    ASSERT_EQ(response.value().partitions.size(), 3u);
    EXPECT_EQ(FindPartition(response.value().partitions, kFirstTopic, 7)->offset, kManyBytes);
    EXPECT_EQ(FindPartition(response.value().partitions, kFirstTopic, 7)->timestamp, version >= 1 ? kTimestamp : -1);
    EXPECT_EQ(FindPartition(response.value().partitions, kFirstTopic, 0)->offset, -1);
    EXPECT_EQ(FindPartition(response.value().partitions, kFirstTopic, 0)->error_code, 6);
    EXPECT_NE(FindPartition(response.value().partitions, kLongTopic, kMostInt32), nullptr);
  });
}

TEST(GoldenResponsesTest, Fetch) {
  ForEachVersion(Api::kFetch, [](int16_t version) {
    const Bytes body = ReadGoldenBody(Api::kFetch, version);
    const auto response = DecodeFetchResponse(version, body);
    ASSERT_TRUE(response.ok()) << response.status().message();
    EXPECT_EQ(response.value().throttle_time_ms, kThrottleMs);
    const FetchedPartition* found = FindPartition(response.value().partitions, kFirstTopic, 7);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->high_watermark, kManyBytes);
    EXPECT_EQ(found->log_start_offset, 42);
    const auto batch = PeekBatch(found->records);
    ASSERT_TRUE(batch.has_value());
    EXPECT_EQ(batch->magic, 2);
    EXPECT_EQ(batch->producer_id, 0x0123456789abcdef);
    EXPECT_EQ(batch->producer_epoch, 0x1234);
    EXPECT_EQ(batch->base_sequence, 0x01020304);
    EXPECT_EQ(batch->last_offset - batch->base_offset, 3);
    EXPECT_TRUE(PeekBatch(found->records.subspan(batch->size)).has_value());
    EXPECT_EQ(FindPartition(response.value().partitions, kLongTopic, kMostInt32)->error_code, 6);
  });
}

TEST(GoldenResponsesTest, DescribeProducers) {
  const Bytes body = ReadGoldenBody(Api::kDescribeProducers, 0);
  const auto response = DecodeDescribeProducersResponse(0, body);
  ASSERT_TRUE(response.ok()) << response.status().message();
  EXPECT_EQ(response.value().throttle_time_ms, kThrottleMs);
  const PartitionProducers* found = FindPartition(response.value().partitions, kFirstTopic, 7);
  ASSERT_NE(found, nullptr);
  ASSERT_EQ(found->producers.size(), 2u);
  EXPECT_EQ(found->producers[0].producer_id, kManyBytes);
  EXPECT_EQ(found->producers[0].producer_epoch, 4660);
  EXPECT_EQ(found->producers[0].last_sequence, 16909060);
  EXPECT_EQ(found->producers[0].last_timestamp, kTimestamp);
  EXPECT_EQ(found->producers[1].last_sequence, INT32_MAX);
  EXPECT_EQ(FindPartition(response.value().partitions, kLongTopic, kMostInt32)->error_code, 29);
}

}  // namespace
}  // namespace dory::kafka::protocol
