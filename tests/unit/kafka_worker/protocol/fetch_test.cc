#include "kafka_worker/protocol/fetch.h"

#include "tests/unit/kafka_worker/protocol/responses.h"

namespace dory::kafka::protocol {
namespace {

constexpr VersionRange kSpoken = FindApi(Api::kFetch).spoken;

void PutPartition(int32_t partition, int16_t version, std::optional<std::string_view> records, Writer* writer) {
  writer->Put<int32_t>(partition);
  writer->Put<int16_t>(partition == 1 ? 29 : 0);
  writer->Put<int64_t>(1000 + partition);
  writer->Put<int64_t>(900);
  writer->Put<int64_t>(7);
  writer->PutArrayCount(2);  // aborted transactions
  for (int i = 0; i < 2; ++i) {
    writer->Put<int64_t>(11);
    writer->Put<int64_t>(12);
    PutUnknownTag(writer);
  }
  if (version >= 11) writer->Put<int32_t>(-1);
  if (records) {
    writer->PutByteCount(records->size());
    writer->PutRaw(AsBytes(*records));
  } else if (version >= 12) {
    writer->PutUnsignedVarint(0);
  } else {
    writer->Put<int32_t>(-1);
  }
  PutUnknownTag(writer);
}

Bytes MakeResponse(int16_t version) {
  Bytes out;
  Writer writer(&out, IsFlexible(Api::kFetch, version));
  writer.Put<int32_t>(55);
  if (version >= 7) {
    writer.Put<int16_t>(70);
    writer.Put<int32_t>(4);
  }
  writer.PutArrayCount(2);
  writer.PutString("first");
  writer.PutArrayCount(2);
  PutPartition(0, version, "records", &writer);
  PutPartition(1, version, std::nullopt, &writer);
  PutUnknownTag(&writer);
  writer.PutString("second");
  writer.PutArrayCount(0);
  PutUnknownTag(&writer);
  PutUnknownTag(&writer);
  return out;
}

TEST(FetchTest, DecodesAllVersions) {
  for (int16_t version = kSpoken.lowest; version <= kSpoken.highest; ++version) {
    const Bytes body = MakeResponse(version);
    const auto response = DecodeFetchResponse(version, body);
    ASSERT_TRUE(response.ok()) << response.status().message();
    EXPECT_EQ(response.value().throttle_time_ms, 55);
    EXPECT_EQ(response.value().error_code, version >= 7 ? 70 : 0);
    ASSERT_EQ(response.value().partitions.size(), 2u);
    const FetchedPartition* found = FindPartition(response.value().partitions, "first", 0);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->error_code, 0);
    EXPECT_EQ(found->high_watermark, 1000);
    EXPECT_EQ(found->log_start_offset, 7);
    EXPECT_EQ(AsText(found->records), "records");
    EXPECT_EQ(FindPartition(response.value().partitions, "first", 1)->error_code, 29);
    EXPECT_EQ(FindPartition(response.value().partitions, "first", 1)->records.size(), 0u);
    EXPECT_EQ(FindPartition(response.value().partitions, "second", 0), nullptr);
    ExpectOnlyTheWholeDecodes(DecodeFetchResponse, version, body);
    SurviveAnyChangedByte(DecodeFetchResponse, version, body);
  }
}

TEST(FetchTest, EncodesAllVersions) {
  for (int16_t version = kSpoken.lowest; version <= kSpoken.highest; ++version) {
    const bool flexible = IsFlexible(Api::kFetch, version);
    const Bytes out = EncodeFetchRequest({version, 1, "c"}, {.max_wait_ms = 5, .min_bytes = 6, .max_bytes = 700,
                                                             .topics = {{"t", {{3, 4000, 800}}}}});
    Reader reader(ByteSpan(out).subspan(flexible ? 16 : 15), flexible);
    EXPECT_EQ(reader.Read<int32_t>(), -1);
    EXPECT_EQ(reader.Read<int32_t>(), 5);
    EXPECT_EQ(reader.Read<int32_t>(), 6);
    EXPECT_EQ(reader.Read<int32_t>(), 700);
    EXPECT_EQ(reader.Read<int8_t>(), 0);
    if (version >= 7) {
      EXPECT_EQ(reader.Read<int32_t>(), 0);
      EXPECT_EQ(reader.Read<int32_t>(), -1);
    }
    EXPECT_EQ(reader.ReadArrayCount(1), 1u);
    EXPECT_EQ(reader.ReadString(), "t");
    EXPECT_EQ(reader.ReadArrayCount(1), 1u);
    EXPECT_EQ(reader.Read<int32_t>(), 3);
    if (version >= 9) {
      EXPECT_EQ(reader.Read<int32_t>(), -1);
    }
    EXPECT_EQ(reader.Read<int64_t>(), 4000);
    if (version >= 12) {
      EXPECT_EQ(reader.Read<int32_t>(), -1);
    }
    EXPECT_EQ(reader.Read<int64_t>(), -1);
    EXPECT_EQ(reader.Read<int32_t>(), 800);
    reader.SkipTags();
    reader.SkipTags();
    if (version >= 7) {
      EXPECT_EQ(reader.ReadArrayCount(1), 0u);
    }
    if (version >= 11) {
      EXPECT_EQ(reader.ReadString(), "");
    }
    reader.SkipTags();
    EXPECT_TRUE(reader.Finish("request", version).ok()) << version;
  }
}

}  // namespace
}  // namespace dory::kafka::protocol
