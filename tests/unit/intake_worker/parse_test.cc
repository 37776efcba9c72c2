#include "intake_worker/parse.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "clients/c/dory_client.h"
#include "tests/unit/intake_worker/client_message.h"

namespace dory::intake {
namespace {

using shm::MessageKind;
using shm::Reject;

constexpr size_t kLimit = 64 * 1024;

ParseResult ParseText(const std::string& bytes, size_t limit = kLimit) {
  return Parse(AsBytes(bytes), false, limit);
}

size_t SizeOf(const std::optional<ByteSpan>& field) { return field.value_or(ByteSpan()).size(); }

std::string TextOf(const std::optional<ByteSpan>& field) { return field ? std::string(AsText(*field)) : "null"; }

// "name=value ..."
std::string HeadersOf(const ParsedMessage& message) {
  std::string all;
  ForEachHeader(message, [&all](ByteSpan name, const std::optional<ByteSpan>& value) {
    all += std::string(AsText(name)) + "=" + TextOf(value) + " ";
  });
  return all;
}

std::optional<Reject> RejectOf(const ClientMessage& message) { return ParseText(message.Bytes()).reject; }

TEST(ParseTest, ReadsAnyPartition) {
  const std::string bytes = ClientMessage{.topic = "orders", .key = "k", .value = "hello"}.Bytes();
  const ParseResult result = ParseText(bytes);
  ASSERT_FALSE(result.reject);
  EXPECT_EQ(result.api_key, 256);
  EXPECT_EQ(result.message.kind, MessageKind::kAnyPartition);
  EXPECT_EQ(result.message.topic, "orders");
  EXPECT_EQ(result.message.timestamp_ms, 1'700'000'000'123);
  EXPECT_EQ(TextOf(result.message.key), "k");
  EXPECT_EQ(TextOf(result.message.value), "hello");
  EXPECT_FALSE(result.message.knows_null);
  EXPECT_EQ(bytes.size(), kMessageOverhead + 6 + 1 + 5);
}

TEST(ParseTest, AStreamMayAskForAReceipt) {
  for (const int api_key : {256, 257}) {
    const ClientMessage message{.api_key = api_key, .api_version = 1, .value = "v", .receipt_id = -7};
    const ParseResult result = Parse(AsBytes(message.Bytes()), false, kLimit, true);
    ASSERT_FALSE(result.reject);
    EXPECT_EQ(result.message.receipt_id, -7);
    EXPECT_EQ(TextOf(result.message.value), "v");
    EXPECT_EQ(RejectOf(message), Reject::kMalformed);  // nobody could be answered
  }
}

TEST(ParseTest, WhoAsksForAReceiptOtherwiseIsMalformed) {
  for (const ClientMessage& message : {ClientMessage{.receipt_id = 1},                                      // version 0
                                       ClientMessage{.api_version = 1, .flags = 2, .receipt_id = 1},        // other bits
                                       ClientMessage{.api_version = 1, .flags = 1},                         // no id
                                       ClientMessage{.api_version = 1, .value_size_error = 1, .receipt_id = 1}}) {
    const ParseResult result = Parse(AsBytes(message.Bytes()), false, kLimit, true);
    EXPECT_EQ(result.reject, Reject::kMalformed);
    EXPECT_FALSE(result.message.receipt_id);
  }
}

TEST(ParseTest, OfABadTopicTheReceiptsIdIsKnown) {
  const ClientMessage message{.api_version = 1, .topic = "no topic", .receipt_id = 3};
  const ParseResult result = Parse(AsBytes(message.Bytes()), false, kLimit, true);
  EXPECT_EQ(result.reject, Reject::kBadTopic);
  EXPECT_EQ(result.message.receipt_id, 3);
}

TEST(ParseTest, ReadsPartitionKey) {
  const std::string bytes = ClientMessage{.api_key = 257, .partition_key = -5, .topic = "t", .value = {}}.Bytes();
  const ParseResult result = ParseText(bytes);
  ASSERT_FALSE(result.reject);
  EXPECT_EQ(result.message.kind, MessageKind::kPartitionKey);
  EXPECT_EQ(result.message.partition_key, 0xffff'fffbu);
  EXPECT_EQ(TextOf(result.message.key), "null");
  EXPECT_EQ(TextOf(result.message.value), "");
  EXPECT_EQ(bytes.size(), kMessageOverhead + 4 + 1);
}

TEST(ParseTest, ReadsWhatTheClientLibraryWrites) {
  char buffer[256];
  size_t size = 0;
  dory_message message{};
  message.topic = "orders";
  message.topic_size = 6;
  message.timestamp_ms = 12;
  message.value = "hello";
  message.value_size = 5;
  ASSERT_EQ(dory_write_partition_key(buffer, sizeof(buffer), 3, &message, &size), DORY_OK);
  const std::string bytes(buffer, size);
  const ParseResult result = ParseText(bytes);
  ASSERT_FALSE(result.reject);
  EXPECT_EQ(result.message.partition_key, 3u);
  EXPECT_EQ(TextOf(result.message.value), "hello");
}

// ---- the table of bad input in the documentation, a row a test --------------------------------

TEST(ParseTest, MalformedWhereShorterThanEightBytes) {
  const std::string whole = ClientMessage{}.Bytes();
  for (size_t size = 0; size < 8; ++size) {
    EXPECT_EQ(ParseText(whole.substr(0, size)).reject, Reject::kMalformed) << size;
  }
  EXPECT_EQ(Parse({}, false, kLimit).reject, Reject::kMalformed);
}

TEST(ParseTest, MalformedWhereSizeIsNotTheDatagrams) {
  EXPECT_EQ(RejectOf({.size_error = 1}), Reject::kMalformed);
  EXPECT_EQ(RejectOf({.size_error = -1}), Reject::kMalformed);
  EXPECT_EQ(RejectOf({.size_error = -1000}), Reject::kMalformed);
  EXPECT_EQ(RejectOf({.api_key = 999, .size_error = 1}), Reject::kMalformed);
}

TEST(ParseTest, MalformedWhereFlagsAreSet) {
  EXPECT_EQ(RejectOf({.flags = 1}), Reject::kMalformed);
  EXPECT_EQ(RejectOf({.flags = INT16_MIN}), Reject::kMalformed);
}

TEST(ParseTest, MalformedWhereTopicSizeIsNotPositive) {
  EXPECT_EQ(RejectOf({.topic = ""}), Reject::kMalformed);
  EXPECT_EQ(RejectOf({.topic = "", .topic_size_error = -1}), Reject::kMalformed);
  EXPECT_EQ(RejectOf({.topic_size_error = -30000}), Reject::kMalformed);
}

TEST(ParseTest, MalformedWhereASizeIsNegative) {
  EXPECT_EQ(RejectOf({.key_size_error = -1}), Reject::kMalformed);
  EXPECT_EQ(RejectOf({.value = "", .value_size_error = -1}), Reject::kMalformed);
  EXPECT_EQ(RejectOf({.value_size_error = INT32_MIN}), Reject::kMalformed);
}

TEST(ParseTest, MalformedWhereAFieldOverruns) {
  EXPECT_EQ(RejectOf({.topic_size_error = 200}), Reject::kMalformed);
  EXPECT_EQ(RejectOf({.key_size_error = 1000}), Reject::kMalformed);
  EXPECT_EQ(RejectOf({.value_size_error = 1}), Reject::kMalformed);
  EXPECT_EQ(RejectOf({.value = "", .value_size_error = INT32_MAX}), Reject::kMalformed);
}

TEST(ParseTest, MalformedWhereBytesAreLeftOver) {
  EXPECT_EQ(RejectOf({.left_over = "x"}), Reject::kMalformed);
  EXPECT_EQ(RejectOf({.value_size_error = -1}), Reject::kMalformed);
}

TEST(ParseTest, TooLongOverTheLimitAndWhereTruncated) {
  const std::string bytes = ClientMessage{}.Bytes();
  EXPECT_FALSE(ParseText(bytes, bytes.size()).reject);
  EXPECT_EQ(ParseText(bytes, bytes.size() - 1).reject, Reject::kTooLong);
  EXPECT_EQ(Parse(AsBytes(bytes), true, kLimit).reject, Reject::kTooLong);
}

TEST(ParseTest, UnsupportedKeyWhateverFollows) {
  for (const int key : {0, 1, 255, 258, -256, INT16_MAX}) {
    EXPECT_EQ(RejectOf({.api_key = key}), Reject::kUnsupportedKey) << key;
  }
  EXPECT_EQ(RejectOf({.api_key = 0, .api_version = 9, .flags = 9}), Reject::kUnsupportedKey);
}

TEST(ParseTest, UnsupportedVersionNamesKeyAndVersion) {
  for (const int key : {256, 257}) {
    for (const int version : {2, 3, -1, 300}) {
      const ParseResult result = ParseText(ClientMessage{.api_key = key, .api_version = version}.Bytes());
      EXPECT_EQ(result.reject, Reject::kUnsupportedVersion);
      EXPECT_EQ(result.api_key, key);
      EXPECT_EQ(result.api_version, version);
    }
  }
}

// ---- version 1 -------------------------------------------------------------------------------

// By hand, from the table of the format.
TEST(ParseTest, ReadsVersion1ByteByByte) {
  const std::string bytes("\0\0\0\x36" "\1\1" "\0\1" "\0\0" "\0\0\0\5" "\0\1t" "\0\0\0\0\0\0\0\x0c"
                          "\0\2" "\0\1a" "\0\0\0\2xy" "\0\1b" "\xff\xff\xff\xff"
                          "\xff\xff\xff\xff" "\0\0\0\3val", 54);
  const ParseResult result = ParseText(bytes);
  ASSERT_FALSE(result.reject);
  EXPECT_EQ(result.message.kind, MessageKind::kPartitionKey);
  EXPECT_EQ(result.message.partition_key, 5u);
  EXPECT_EQ(result.message.topic, "t");
  EXPECT_EQ(result.message.timestamp_ms, 12);
  EXPECT_EQ(HeadersOf(result.message), "a=xy b=null ");
  EXPECT_EQ(TextOf(result.message.key), "null");
  EXPECT_EQ(TextOf(result.message.value), "val");
}

TEST(ParseTest, Version1TellsNullFromEmpty) {
  for (const bool null_key : {false, true}) {
    for (const bool null_value : {false, true}) {
      const ParseResult result = ParseText(
          ClientMessage{.api_version = 1, .value = "", .null_key = null_key, .null_value = null_value}.Bytes());
      ASSERT_FALSE(result.reject);
      EXPECT_TRUE(result.message.knows_null);
      EXPECT_EQ(TextOf(result.message.key), null_key ? "null" : "");
      EXPECT_EQ(TextOf(result.message.value), null_value ? "null" : "");
    }
  }
}

TEST(ParseTest, MalformedWhereHeadersAre) {
  const ClientMessage good{.api_version = 1, .headers = {{"", ""}, {"name", "value"}, {"n", std::nullopt}}};
  EXPECT_EQ(HeadersOf(ParseText(good.Bytes()).message), "= name=value n=null ");
  for (const int error : {-4, -2, -1, 1, 1000}) {
    ClientMessage bad = good;
    bad.header_count_error = error;
    EXPECT_EQ(RejectOf(bad), Reject::kMalformed) << error;
  }
  EXPECT_EQ(RejectOf({.api_version = 1, .key_size_error = -2}), Reject::kMalformed);
  EXPECT_EQ(RejectOf({.api_version = 1, .value = "", .value_size_error = -2}), Reject::kMalformed);
  // A receipt, on a socket that has no way back.
  EXPECT_EQ(RejectOf({.api_version = 1, .flags = 1}), Reject::kMalformed);
}

TEST(ParseTest, BadTopicWhereKafkaForbidsTheName) {
  const std::vector<std::string> bad = {".", "..", "a b", "a/b", "a\n", std::string("a\0b", 3), "\xc3\xa4", "a:",
                                        std::string(250, 'a')};
  for (const std::string& name : bad) EXPECT_EQ(RejectOf({.topic = name}), Reject::kBadTopic) << name;
  const std::vector<std::string> good = {"a", "...", ".a", "a.b_c-D9", "-", std::string(249, 'a')};
  for (const std::string& name : good) EXPECT_FALSE(RejectOf({.topic = name})) << name;
}

// ---- properties -------------------------------------------------------------------------------

// The bytes are a heap block of exactly their size, so that a sanitizer sees any read beyond them.
ParseResult ParseExactly(const std::string& bytes, bool truncated = false) {
  const std::vector<std::byte> block(AsBytes(bytes).begin(), AsBytes(bytes).end());
  return Parse(block, truncated, kLimit);
}

void ExpectNoTruncation(const std::string& whole) {
  EXPECT_FALSE(ParseExactly(whole).reject);
  for (size_t size = 0; size < whole.size(); ++size) {
    std::string cut = whole.substr(0, size);
    EXPECT_TRUE(ParseExactly(cut).reject) << size;
    if (size < 4) continue;
    StoreBigEndian(reinterpret_cast<std::byte*>(cut.data()), static_cast<int32_t>(size));
    EXPECT_TRUE(ParseExactly(cut).reject) << "with its own size, " << size;
  }
}

TEST(ParseTest, EveryTruncationIsRejected) {
  for (const int key : {256, 257}) {
    ExpectNoTruncation(ClientMessage{.api_key = key, .key = "key"}.Bytes());
    ExpectNoTruncation(
        ClientMessage{.api_key = key, .api_version = 1, .headers = {{"a", "b"}, {"c", std::nullopt}}}.Bytes());
  }
}

TEST(ParseTest, GarbageIsRejected) {
  std::mt19937 random(1);
  for (int i = 0; i < 200'000; ++i) {
    std::string bytes(random() % 64, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    EXPECT_TRUE(ParseExactly(bytes).reject);
  }
}

// Sizes that are damaged in a message that is otherwise right reach the deepest branches.
TEST(ParseTest, DamagedMessagesNeverReadBeyondTheirBytes) {
  std::mt19937 random(2);
  const std::string whole = ClientMessage{.api_key = 257, .key = "key"}.Bytes();
  for (int i = 0; i < 200'000; ++i) {
    std::string bytes = whole;
    for (unsigned n = 0; n <= random() % 3; ++n) bytes[4 + random() % (bytes.size() - 4)] = static_cast<char>(random());
    const ParseResult result = ParseExactly(bytes);
    if (result.reject) continue;
    const ParsedMessage& message = result.message;
    EXPECT_EQ(message.topic.size() + SizeOf(message.key) + SizeOf(message.value) + kMessageOverhead +
                  (message.kind == MessageKind::kPartitionKey ? 4 : 0),
              bytes.size());
  }
}

}  // namespace
}  // namespace dory::intake
