#include "kafka_worker/protocol/api_versions.h"

#include "tests/unit/kafka_worker/protocol/responses.h"

namespace dory::kafka::protocol {
namespace {

Bytes MakeResponse(int16_t version, int16_t error_code) {
  Bytes out;
  Writer writer(&out, IsFlexible(Api::kApiVersions, version));
  writer.Put<int16_t>(error_code);
  writer.PutArrayCount(2);
  for (int16_t api : std::initializer_list<int16_t>{0, 18}) {
    writer.Put<int16_t>(api);
    writer.Put<int16_t>(0);
    writer.Put<int16_t>(static_cast<int16_t>(api + 9));
    PutUnknownTag(&writer);
  }
  if (version >= 1) writer.Put<int32_t>(77);
  PutUnknownTag(&writer);
  return out;
}

TEST(ApiVersionsTest, DecodesAllVersions) {
  for (int16_t version = 0; version <= FindApi(Api::kApiVersions).spoken.highest; ++version) {
    const Bytes body = MakeResponse(version, 0);
    const auto response = DecodeApiVersionsResponse(version, body);
    ASSERT_TRUE(response.ok()) << response.status().message();
    EXPECT_EQ(response.value().throttle_time_ms, version >= 1 ? 77 : 0);
    ASSERT_EQ(response.value().apis.size(), 2u);
    EXPECT_EQ(response.value().Find(Api::kProduce)->highest, 9);
    EXPECT_EQ(response.value().Find(Api::kMetadata), std::nullopt);
    ExpectOnlyTheWholeDecodes(DecodeApiVersionsResponse, version, body);
    SurviveAnyChangedByte(DecodeApiVersionsResponse, version, body);
  }
}

// Brokers before 2.4 say nothing but the code, and one mock broker mixes two versions.
TEST(ApiVersionsTest, ARefusalMayBeItsCodeAlone) {
  const Bytes mixed = {std::byte{0},    std::byte{0x23}, std::byte{1}, std::byte{0}, std::byte{0x12},
                       std::byte{0},    std::byte{0},    std::byte{0}, std::byte{2}, std::byte{0},
                       std::byte{0},    std::byte{0},    std::byte{0}};
  const Bytes old = {std::byte{0}, std::byte{35}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0}};
  for (const Bytes& body : {mixed, old}) {
    const auto response = DecodeApiVersionsResponse(3, body);
    ASSERT_TRUE(response.ok()) << response.status().message();
    EXPECT_EQ(response.value().error_code, 35);
    EXPECT_TRUE(response.value().apis.empty());
  }
}

TEST(ApiVersionsTest, ARefusalSaysWhatIsKnownInstead) {
  for (const int16_t asked : std::initializer_list<int16_t>{3, 4}) {
    const auto response = DecodeApiVersionsResponse(asked, MakeResponse(0, 35));
    ASSERT_TRUE(response.ok()) << response.status().message();
    EXPECT_EQ(response.value().error_code, 35);
    EXPECT_EQ(response.value().Find(Api::kApiVersions)->highest, 27);
  }
}

TEST(ApiVersionsTest, NegotiatesWithWhatWasOffered) {
  ApiVersionsResponse broker;
  broker.apis = {{0, {0, 13}}, {3, {0, 4}}, {22, {6, 9}}};
  const CommonVersions common(broker);
  EXPECT_EQ(common.Choose(Api::kProduce), 13);
  EXPECT_EQ(common.Choose(Api::kProduce, 12), 12);
  EXPECT_EQ(common.Choose(Api::kInitProducerId, 3), std::nullopt);
  EXPECT_EQ(common.Choose(Api::kMetadata), 4);
  EXPECT_EQ(common.Choose(Api::kInitProducerId), std::nullopt);
  EXPECT_EQ(common.Choose(Api::kApiVersions), std::nullopt);
  EXPECT_EQ(CommonVersions().Choose(Api::kProduce), std::nullopt);
}

TEST(ApiVersionsTest, NamesTheSoftwareFromVersion3On) {
  const ApiVersionsRequest request{"dory", "2.0"};
  const Bytes plain = EncodeApiVersionsRequest({2, 1, "c"}, request);
  EXPECT_EQ(plain.size(), 4u + 2 + 2 + 4 + 2 + 1);
  const Bytes named = EncodeApiVersionsRequest({3, 1, "c"}, request);
  Reader reader(ByteSpan(named).subspan(16), true);
  EXPECT_EQ(reader.ReadString(), "dory");
  EXPECT_EQ(reader.ReadString(), "2.0");
  reader.SkipTags();
  EXPECT_TRUE(reader.Finish("request", 3).ok());
}

}  // namespace
}  // namespace dory::kafka::protocol
