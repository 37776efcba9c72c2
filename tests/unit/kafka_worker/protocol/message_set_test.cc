#include "kafka_worker/protocol/message_set.h"

#include <gtest/gtest.h>

#include "common/crc32.h"
#include "kafka_worker/protocol/wire.h"
#include "tests/support/message_set.h"

namespace dory::kafka::protocol {
namespace {

using tests::PlainMessage;
using tests::ReadMessageSet;

constexpr int64_t kNow = 1'700'000'000'000;

Bytes Encode(int8_t format, const MessageView& message) {
  Bytes out;
  const MessagePieces pieces(format, message);
  for (const ByteSpan piece : pieces.pieces()) out.insert(out.end(), piece.begin(), piece.end());
  return out;
}

Bytes Wrap(const MessageWrapper& wrapper, std::span<const ByteSpan> value) {
  Bytes out(MessageOverhead(wrapper.format));
  EncodeWrapperHead(out.data(), wrapper, value);
  for (const ByteSpan span : value) out.insert(out.end(), span.begin(), span.end());
  return out;
}

class MessageSetTest : public testing::TestWithParam<int> {
 protected:
  int8_t format() const { return static_cast<int8_t>(GetParam()); }
};

TEST_P(MessageSetTest, NullEmptyAndFullComeBack) {
  const std::string large(70'000, 'v');
  const std::optional<ByteSpan> kParts[] = {std::nullopt, ByteSpan(), AsBytes("some bytes"), AsBytes(large)};
  for (const auto& key : kParts) {
    for (const auto& value : kParts) {
      const Bytes bytes = Encode(format(), {7, kNow, key, value});
      const size_t parts = (key ? key->size() : 0) + (value ? value->size() : 0);
      EXPECT_EQ(bytes.size(), MessageOverhead(format()) + parts);
      const auto messages = ReadMessageSet(bytes);
      ASSERT_TRUE(messages && messages->size() == 1);
      const PlainMessage& found = messages->front();
      EXPECT_EQ(found.offset, 7);
      EXPECT_EQ(found.magic, format());
      EXPECT_EQ(found.attributes, 0);
      EXPECT_EQ(found.timestamp, format() == 0 ? -1 : kNow);
      EXPECT_EQ(found.key.has_value(), key.has_value());
      EXPECT_EQ(found.value.has_value(), value.has_value());
      EXPECT_EQ(AsText(found.key.value_or(ByteSpan())), AsText(key.value_or(ByteSpan())));
      EXPECT_EQ(AsText(found.value.value_or(ByteSpan())), AsText(value.value_or(ByteSpan())));
    }
  }
}

TEST_P(MessageSetTest, ManyFollowOneAnother) {
  Bytes all;
  for (int64_t i = 0; i < 10; ++i) {
    const Bytes one = Encode(format(), {i, kNow + i, std::nullopt, AsBytes(std::to_string(i))});
    all.insert(all.end(), one.begin(), one.end());
  }
  const auto messages = ReadMessageSet(all);
  ASSERT_TRUE(messages && messages->size() == 10);
  for (size_t i = 0; i < 10; ++i) EXPECT_EQ(AsText(*(*messages)[i].value), std::to_string(i));
}

// Brokers of 0.10 refuse what is below "none".
TEST_P(MessageSetTest, NoTimestampIsBelowNone) {
  const Bytes bytes = Encode(format(), {0, -5, std::nullopt, AsBytes("x")});
  EXPECT_EQ(ReadMessageSet(bytes)->front().timestamp, -1);
}

TEST_P(MessageSetTest, AWrapperTellsCodecLastOffsetAndLargestTimestamp) {
  const std::string first(20'000, 'a');
  const ByteSpan kValue[] = {AsBytes(first), AsBytes("end")};
  const Bytes bytes = Wrap({format(), 3, 12, kNow}, kValue);
  const auto messages = ReadMessageSet(bytes);
  ASSERT_TRUE(messages && messages->size() == 1);
  const PlainMessage& found = messages->front();
  EXPECT_EQ(found.magic, format());
  EXPECT_EQ(found.attributes, 3);
  EXPECT_EQ(found.offset, format() == 0 ? 0 : 11);
  EXPECT_EQ(found.timestamp, format() == 0 ? -1 : kNow);
  EXPECT_FALSE(found.key.has_value());
  EXPECT_EQ(AsText(*found.value), first + "end");
}

// By a broker, in whose place the reader stands.
TEST_P(MessageSetTest, EveryPrefixAndChangedByteIsRefused) {
  const Bytes bytes = Encode(format(), {0, kNow, AsBytes("key"), AsBytes("value")});
  for (size_t size = 1; size < bytes.size(); ++size) EXPECT_FALSE(ReadMessageSet(ByteSpan(bytes).first(size)));
  for (size_t i = 8; i < bytes.size(); ++i) {  // the offset is the broker's
    Bytes changed = bytes;
    changed[i] ^= std::byte{1};
    EXPECT_FALSE(ReadMessageSet(changed)) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(BothFormats, MessageSetTest, testing::Values(0, 1));

TEST(Crc32Test, IsThatOfGzip) {
  EXPECT_EQ(Crc32Extend(0, AsBytes("123456789")), 0xCBF43926u);
  EXPECT_EQ(Crc32Extend(Crc32Extend(0, AsBytes("1234")), AsBytes("56789")), 0xCBF43926u);
  EXPECT_EQ(Crc32Extend(0xCBF43926u, ByteSpan()), 0xCBF43926u);
  EXPECT_EQ(tests::ComputeCrc32(AsBytes("123456789")), 0xCBF43926u);
}

}  // namespace
}  // namespace dory::kafka::protocol
