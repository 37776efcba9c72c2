#include "kafka_worker/protocol/describe_producers.h"

#include "tests/unit/kafka_worker/protocol/responses.h"

namespace dory::kafka::protocol {
namespace {

TEST(DescribeProducersTest, AsksForPartitions) {
  const Bytes out = EncodeDescribeProducersRequest({0, 1, "c"}, {.topics = {{"t", {3, 4}}}});
  Reader reader(ByteSpan(out).subspan(16), true);
  EXPECT_EQ(reader.ReadArrayCount(1), 1u);
  EXPECT_EQ(reader.ReadString(), "t");
  EXPECT_EQ(reader.ReadArrayCount(4), 2u);
  EXPECT_EQ(reader.Read<int32_t>(), 3);
  EXPECT_EQ(reader.Read<int32_t>(), 4);
  reader.SkipTags();
  reader.SkipTags();
  EXPECT_TRUE(reader.Finish("request", 0).ok());
}

TEST(DescribeProducersTest, DecodesWhatIsRemembered) {
  Bytes body;
  Writer writer(&body, true);
  writer.Put<int32_t>(55);
  writer.PutArrayCount(1);
  writer.PutString("t");
  writer.PutArrayCount(1);
  writer.Put<int32_t>(3);
  writer.Put<int16_t>(6);
  writer.PutNullableString("why");
  writer.PutArrayCount(2);
  for (int64_t id = 8; id < 10; ++id) {
    writer.Put<int64_t>(id);
    writer.Put<int32_t>(2);
    writer.Put<int32_t>(99);
    writer.Put<int64_t>(1'700'000'000'000);
    writer.Put<int32_t>(-1);
    writer.Put<int64_t>(-1);
    PutUnknownTag(&writer);
  }
  for (int structures = 0; structures < 3; ++structures) PutUnknownTag(&writer);
  const auto response = DecodeDescribeProducersResponse(0, body);
  ASSERT_TRUE(response.ok()) << response.status().message();
  EXPECT_EQ(response.value().throttle_time_ms, 55);
  const PartitionProducers* found = FindPartition(response.value().partitions, "t", 3);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->error_code, 6);
  ASSERT_EQ(found->producers.size(), 2u);
  EXPECT_EQ(found->producers[1].producer_id, 9);
  EXPECT_EQ(found->producers[1].producer_epoch, 2);
  EXPECT_EQ(found->producers[1].last_sequence, 99);
  EXPECT_EQ(found->producers[1].last_timestamp, 1'700'000'000'000);
  ExpectOnlyTheWholeDecodes(DecodeDescribeProducersResponse, 0, body);
  SurviveAnyChangedByte(DecodeDescribeProducersResponse, 0, body);
}

}  // namespace
}  // namespace dory::kafka::protocol
