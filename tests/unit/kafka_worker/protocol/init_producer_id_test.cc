#include "kafka_worker/protocol/init_producer_id.h"

#include <limits>

#include "tests/unit/kafka_worker/protocol/responses.h"

namespace dory::kafka::protocol {
namespace {

constexpr VersionRange kSpoken = FindApi(Api::kInitProducerId).spoken;

TEST(InitProducerIdTest, EncodesAllVersions) {
  for (int16_t version = kSpoken.lowest; version <= kSpoken.highest; ++version) {
    const bool flexible = version >= 2;
    const Bytes out = EncodeInitProducerIdRequest({version, 1, "c"}, {1234, 5});
    Reader reader(ByteSpan(out).subspan(flexible ? 16 : 15), flexible);
    EXPECT_EQ(reader.ReadNullableString(), std::nullopt);
    EXPECT_EQ(reader.Read<int32_t>(), std::numeric_limits<int32_t>::max());
    if (version >= 3) {
      EXPECT_EQ(reader.Read<int64_t>(), 1234);
      EXPECT_EQ(reader.Read<int16_t>(), 5);
    }
    reader.SkipTags();
    EXPECT_TRUE(reader.Finish("request", version).ok());
  }
}

TEST(InitProducerIdTest, DecodesAllVersions) {
  for (int16_t version = kSpoken.lowest; version <= kSpoken.highest; ++version) {
    Bytes body;
    Writer writer(&body, version >= 2);
    writer.Put<int32_t>(7);
    writer.Put<int16_t>(31);
    writer.Put<int64_t>(int64_t{1} << 40);
    writer.Put<int16_t>(3);
    PutUnknownTag(&writer);
    const auto response = DecodeInitProducerIdResponse(version, body);
    ASSERT_TRUE(response.ok()) << response.status().message();
    EXPECT_EQ(response.value().throttle_time_ms, 7);
    EXPECT_EQ(response.value().error_code, 31);
    EXPECT_EQ(response.value().producer_id, int64_t{1} << 40);
    EXPECT_EQ(response.value().producer_epoch, 3);
    ExpectOnlyTheWholeDecodes(DecodeInitProducerIdResponse, version, body);
    SurviveAnyChangedByte(DecodeInitProducerIdResponse, version, body);
  }
}

}  // namespace
}  // namespace dory::kafka::protocol
