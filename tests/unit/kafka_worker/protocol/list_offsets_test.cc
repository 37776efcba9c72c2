#include "kafka_worker/protocol/list_offsets.h"

#include "tests/unit/kafka_worker/protocol/responses.h"

namespace dory::kafka::protocol {
namespace {

TEST(ListOffsetsTest, AsksForNothing) {
  const Bytes out = EncodeListOffsetsRequest({0, 7, "c"}, {});
  Reader reader(out, false);
  EXPECT_EQ(reader.Read<int32_t>(), static_cast<int32_t>(out.size() - 4));
  EXPECT_EQ(reader.Read<int16_t>(), 2);
  EXPECT_EQ(reader.Read<int16_t>(), 0);
  EXPECT_EQ(reader.Read<int32_t>(), 7);
  EXPECT_EQ(reader.ReadNullableString(), "c");
  EXPECT_EQ(reader.Read<int32_t>(), -1);
  EXPECT_EQ(reader.Read<int32_t>(), 0);
  EXPECT_TRUE(reader.Finish("request", 0).ok());
}

TEST(ListOffsetsTest, TheAnswerToThatIsAnEmptyList) {
  EXPECT_TRUE(DecodeListOffsetsResponse(0, Bytes(4)).ok());
  for (const size_t size : {0, 1, 3, 5}) EXPECT_FALSE(DecodeListOffsetsResponse(0, Bytes(size)).ok());
  EXPECT_FALSE(DecodeListOffsetsResponse(0, Bytes(4, std::byte{1})).ok());
}

TEST(ListOffsetsTest, AsksForTimes) {
  for (int16_t version = 0; version <= FindApi(Api::kListOffsets).spoken.highest; ++version) {
    const bool flexible = IsFlexible(Api::kListOffsets, version);
    const Bytes out = EncodeListOffsetsRequest({version, 1, "c"}, {.topics = {{"t", {{3, kEarliestOffset}, {4, 77}}}}});
    Reader reader(ByteSpan(out).subspan(flexible ? 16 : 15), flexible);
    EXPECT_EQ(reader.Read<int32_t>(), -1);
    if (version >= 2) {
      EXPECT_EQ(reader.Read<int8_t>(), 0);
    }
    EXPECT_EQ(reader.ReadArrayCount(1), 1u);
    EXPECT_EQ(reader.ReadString(), "t");
    EXPECT_EQ(reader.ReadArrayCount(1), 2u);
    for (int32_t partition = 3; partition < 5; ++partition) {
      EXPECT_EQ(reader.Read<int32_t>(), partition);
      if (version >= 4) {
        EXPECT_EQ(reader.Read<int32_t>(), -1);
      }
      EXPECT_EQ(reader.Read<int64_t>(), partition == 3 ? -2 : 77);
      if (version == 0) {
        EXPECT_EQ(reader.Read<int32_t>(), 1);
      }
      reader.SkipTags();
    }
    reader.SkipTags();
    reader.SkipTags();
    EXPECT_TRUE(reader.Finish("request", version).ok()) << version;
  }
}

TEST(ListOffsetsTest, DecodesAllVersions) {
  for (int16_t version = 0; version <= FindApi(Api::kListOffsets).spoken.highest; ++version) {
    Bytes body;
    Writer writer(&body, IsFlexible(Api::kListOffsets, version));
    if (version >= 2) writer.Put<int32_t>(55);
    writer.PutArrayCount(1);
    writer.PutString("t");
    writer.PutArrayCount(1);
    writer.Put<int32_t>(3);
    writer.Put<int16_t>(6);
    if (version == 0) {
      writer.PutArrayCount(1);
    } else {
      writer.Put<int64_t>(1'700'000'000'000);
    }
    writer.Put<int64_t>(int64_t{1} << 40);
    if (version >= 4) writer.Put<int32_t>(2);
    for (int structures = 0; structures < 3; ++structures) PutUnknownTag(&writer);
    const auto response = DecodeListOffsetsResponse(version, body);
    ASSERT_TRUE(response.ok()) << response.status().message();
    EXPECT_EQ(response.value().throttle_time_ms, version >= 2 ? 55 : 0);
    const PartitionOffset* found = FindPartition(response.value().partitions, "t", 3);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->error_code, 6);
    EXPECT_EQ(found->timestamp, version == 0 ? -1 : 1'700'000'000'000);
    EXPECT_EQ(found->offset, int64_t{1} << 40);
    EXPECT_EQ(FindPartition(response.value().partitions, "t", 4), nullptr);
    ExpectOnlyTheWholeDecodes(DecodeListOffsetsResponse, version, body);
    SurviveAnyChangedByte(DecodeListOffsetsResponse, version, body);
  }
}

}  // namespace
}  // namespace dory::kafka::protocol
