// What asks brokers about a log, held against what Kafka's own classes wrote: DescribeProducers, ListOffsets, Fetch.

#include "kafka_worker/protocol/batch.h"
#include "kafka_worker/protocol/describe_producers.h"
#include "kafka_worker/protocol/fetch.h"
#include "kafka_worker/protocol/list_offsets.h"
#include "tests/unit/kafka_worker/protocol/golden_records.h"

namespace dory::kafka::protocol {
namespace {

// The partition's number, its error, in the order of every golden response: two of the first topic, one of the other.
template <typename Partition>
void ExpectPlaces(const std::vector<Partition>& found, const int16_t (&errors)[3]) {
  const int32_t kPartitions[] = {7, 0, kMostInt32};
  ASSERT_EQ(found.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(found[i].topic, i < 2 ? kFirstTopic : kLongTopic);
    EXPECT_EQ(found[i].partition, kPartitions[i]);
    EXPECT_EQ(found[i].error_code, errors[i]);
  }
}

// ---- DescribeProducers -------------------------------------------------------------------------

TEST(GoldenRequestsTest, DescribeProducers) {
  ForEachVersion(Api::kDescribeProducers, [](int16_t version) {
    EXPECT_EQ(EncodeDescribeProducersRequest(GoldenHeader(version), {{{kFirstTopic, {7, 0}}, {kLongTopic, {kMostInt32}}}}),
              ReadGoldenRequest(Api::kDescribeProducers, version));
  });
}

TEST(GoldenResponsesTest, DescribeProducers) {
  ForEachVersion(Api::kDescribeProducers, [](int16_t version) {
    const auto response = DecodeDescribeProducersResponse(version, ReadGoldenBody(Api::kDescribeProducers, version));
    ASSERT_TRUE(response.ok()) << response.status().message();
    EXPECT_EQ(response.value().throttle_time_ms, kThrottleMs);
    ExpectPlaces(response.value().partitions, {0, 0, 29});
    const auto& producers = response.value().partitions[0].producers;
    ASSERT_EQ(producers.size(), 2u);
    EXPECT_EQ(producers[0].producer_id, kManyBytes);
    EXPECT_EQ(producers[0].producer_epoch, 0x1234);
    EXPECT_EQ(producers[0].last_sequence, 0x01020304);
    EXPECT_EQ(producers[0].last_timestamp, kBaseTimestamp);
    EXPECT_EQ(producers[1].last_sequence, kMostInt32);
    EXPECT_EQ(producers[1].last_timestamp, -1);
    EXPECT_TRUE(response.value().partitions[1].producers.empty());
  });
}

// ---- ListOffsets -------------------------------------------------------------------------------

TEST(GoldenRequestsTest, ListOffsets) {
  ForEachVersion(Api::kListOffsets, [](int16_t version) {
    const ListOffsetsRequest request{
        {{kFirstTopic, {{7, -1}, {0, kEarliestOffset}}}, {kLongTopic, {{kMostInt32, kBaseTimestamp}}}}};
    if (version == 0) {
      EXPECT_EQ(EncodeEmptyListOffsetsRequest(GoldenHeader(version)),
                ReadGoldenRequest(Api::kListOffsets, version, "empty.request"));
    } else {
      EXPECT_EQ(EncodeListOffsetsRequest(GoldenHeader(version), request),
                ReadGoldenRequest(Api::kListOffsets, version));
    }
  });
}

TEST(GoldenResponsesTest, ListOffsets) {
  ForEachVersion(Api::kListOffsets, [](int16_t version) {
    if (version == 0) return;
    const auto response = DecodeListOffsetsResponse(version, ReadGoldenBody(Api::kListOffsets, version));
    ASSERT_TRUE(response.ok()) << response.status().message();
    EXPECT_EQ(response.value().throttle_time_ms, version >= 2 ? kThrottleMs : 0);
    ExpectPlaces(response.value().partitions, {0, 6, 0});
    EXPECT_EQ(response.value().partitions[0].timestamp, kBaseTimestamp);
    EXPECT_EQ(response.value().partitions[0].offset, kManyBytes);
    EXPECT_EQ(response.value().partitions[1].timestamp, -1);
    EXPECT_EQ(response.value().partitions[1].offset, -1);
  });
}

// ---- Fetch -------------------------------------------------------------------------------------

TEST(GoldenRequestsTest, Fetch) {
  ForEachVersion(Api::kFetch, [](int16_t version) {
    const FetchRequest request{500,
                               1,
                               1 << 20,
                               {{kFirstTopic, {{7, kManyBytes, 1 << 20}, {0, 0, 1}}},
                                {kLongTopic, {{kMostInt32, INT64_MAX, kMostInt32}}}}};
    EXPECT_EQ(EncodeFetchRequest(GoldenHeader(version), request), ReadGoldenRequest(Api::kFetch, version));
  });
}

// Two batches, one behind the other.
void CheckRecords(ByteSpan records) {
  for (const std::string_view content : {"plain", "headers"}) {
    const Bytes golden = ReadGoldenRecords(2, content, "none");
    ASSERT_GE(records.size(), golden.size());
    EXPECT_EQ(AsText(records.first(golden.size())), AsText(golden));
    const auto batch = PeekBatch(records);
    ASSERT_TRUE(batch.has_value());
    EXPECT_EQ(batch->size, golden.size());
    EXPECT_EQ(batch->last_offset, static_cast<int64_t>(RecordsOf(content).size()) - 1);
    EXPECT_EQ(batch->producer_id, 0x0123456789abcdef);
    EXPECT_EQ(batch->producer_epoch, 0x1234);
    EXPECT_EQ(batch->base_sequence, 0x01020304);
    records = records.subspan(golden.size());
  }
  EXPECT_TRUE(records.empty());
}

TEST(GoldenResponsesTest, Fetch) {
  ForEachVersion(Api::kFetch, [](int16_t version) {
    const Bytes body = ReadGoldenBody(Api::kFetch, version);
    const auto response = DecodeFetchResponse(version, body);
    ASSERT_TRUE(response.ok()) << response.status().message();
    EXPECT_EQ(response.value().throttle_time_ms, kThrottleMs);
    EXPECT_EQ(response.value().error_code, 0);
    ExpectPlaces(response.value().partitions, {0, 0, 6});
    EXPECT_EQ(response.value().partitions[0].high_watermark, kManyBytes);
    EXPECT_EQ(response.value().partitions[0].log_start_offset, 42);
    CheckRecords(response.value().partitions[0].records);
    EXPECT_TRUE(response.value().partitions[1].records.empty());
  });
}

}  // namespace
}  // namespace dory::kafka::protocol
