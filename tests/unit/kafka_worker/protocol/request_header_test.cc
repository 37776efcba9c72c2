#include "kafka_worker/protocol/request_header.h"

#include <gtest/gtest.h>

namespace dory::kafka::protocol {
namespace {

Bytes EncodeEmptyRequest(Api api, int16_t version) {
  Bytes out;
  Writer writer(&out, IsFlexible(api, version));
  EncodeRequestHeader(api, {version, 0x01020304, "dory"}, &writer);
  EXPECT_EQ(FinishRequest(0, 0, &writer), out.size());
  return out;
}

TEST(RequestHeaderTest, Version1HasSizeApiVersionCorrelationAndClient) {
  const Bytes out = EncodeEmptyRequest(Api::kMetadata, 8);
  ByteReader reader{ByteSpan(out)};
  EXPECT_EQ(reader.Read<int32_t>(), static_cast<int32_t>(out.size() - 4));
  EXPECT_EQ(reader.Read<int16_t>(), 3);
  EXPECT_EQ(reader.Read<int16_t>(), 8);
  EXPECT_EQ(reader.Read<int32_t>(), 0x01020304);
  EXPECT_EQ(reader.Read<int16_t>(), 4);
  EXPECT_EQ(AsText(reader.ReadBytes(4)), "dory");
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(RequestHeaderTest, Version2AddsNoMoreThanTags) {
  const Bytes plain = EncodeEmptyRequest(Api::kMetadata, 8);
  const Bytes flexible = EncodeEmptyRequest(Api::kMetadata, 9);
  ASSERT_EQ(flexible.size(), plain.size() + 1);
  EXPECT_EQ(flexible.back(), std::byte{0});
}

TEST(RequestHeaderTest, CountsSplicedBytes) {
  Bytes out(5);  // something of the caller's before it
  Writer writer(&out, false);
  EncodeRequestHeader(Api::kProduce, {3, 1, ""}, &writer);
  const size_t encoded = out.size() - 5;
  EXPECT_EQ(FinishRequest(5, 1000, &writer), encoded + 1000);
  EXPECT_EQ(LoadBigEndian<int32_t>(out.data() + 5), static_cast<int32_t>(encoded + 1000 - 4));
}

TEST(ResponseHeaderTest, BodyFollowsIdAndTags) {
  const Bytes frame = {std::byte{0}, std::byte{0}, std::byte{1}, std::byte{2}, std::byte{0}, std::byte{9}};
  EXPECT_EQ(ReadCorrelationId(frame).value(), 0x0102);
  EXPECT_EQ(FindResponseBody(Api::kProduce, 8, frame).value().size(), 2u);
  EXPECT_EQ(FindResponseBody(Api::kProduce, 9, frame).value().size(), 1u);
  EXPECT_EQ(FindResponseBody(Api::kApiVersions, 3, frame).value().size(), 2u);
}

TEST(ResponseHeaderTest, RefusesShortFrames) {
  const Bytes frame(4);
  EXPECT_FALSE(ReadCorrelationId(ByteSpan(frame).first(3)).ok());
  EXPECT_FALSE(FindResponseBody(Api::kProduce, 9, frame).ok());
  EXPECT_TRUE(FindResponseBody(Api::kProduce, 8, frame).ok());
}

}  // namespace
}  // namespace dory::kafka::protocol
