#include "kafka_worker/protocol/record.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>
#include <vector>

namespace dory::kafka::protocol {
namespace {

using Bytes = std::vector<std::byte>;

Bytes Encode(const RecordView& record) {
  Bytes out(RecordSize(record));
  EXPECT_EQ(EncodeRecord(out.data(), record), out.size());
  return out;
}

Bytes Encode(const RecordHeaderView& header) {
  Bytes out(RecordHeaderSize(header));
  EXPECT_EQ(EncodeRecordHeader(out.data(), header), out.size());
  return out;
}

bool SameBytes(const std::optional<ByteSpan>& a, const std::optional<ByteSpan>& b) {
  if (a.has_value() != b.has_value()) return false;
  return !a || std::equal(a->begin(), a->end(), b->begin(), b->end());
}

void ExpectSame(const RecordView& a, const RecordView& b) {
  EXPECT_EQ(a.timestamp_delta, b.timestamp_delta);
  EXPECT_EQ(a.offset_delta, b.offset_delta);
  EXPECT_TRUE(SameBytes(a.key, b.key));
  EXPECT_TRUE(SameBytes(a.value, b.value));
  EXPECT_TRUE(SameBytes(a.headers, b.headers));
  EXPECT_EQ(a.header_count, b.header_count);
}

std::vector<RecordView> MakeRecords() {
  static const Bytes headers = [] {
    Bytes all = Encode(RecordHeaderView{AsBytes("name"), AsBytes("value")});
    for (std::byte byte : Encode(RecordHeaderView{AsBytes("n"), std::nullopt})) all.push_back(byte);
    for (std::byte byte : Encode(RecordHeaderView{AsBytes(""), ByteSpan()})) all.push_back(byte);
    return all;
  }();
  static const std::string long_value(200'000, 'v');
  return {
      {0, 0, AsBytes("key"), AsBytes("value"), {}, 0},
      {1000, 1, std::nullopt, AsBytes("value"), {}, 0},
      {-1000, 2, AsBytes("key"), std::nullopt, {}, 0},
      {0, 3, std::nullopt, std::nullopt, {}, 0},
      {0, 4, ByteSpan(), ByteSpan(), {}, 0},
      {std::numeric_limits<int64_t>::min(), 5, AsBytes("k"), AsBytes(long_value), headers, 3},
      {std::numeric_limits<int64_t>::max(), std::numeric_limits<int32_t>::max(), AsBytes(long_value),
       AsBytes("v"), headers, 3},
  };
}

// length 11 | attributes | timestamp delta -1 | offset delta 1 | key "a" | value null | one header b=c
TEST(RecordTest, HasTheBytesOfTheDocumentation) {
  const Bytes header = Encode(RecordHeaderView{AsBytes("b"), AsBytes("c")});
  const Bytes out = Encode(RecordView{-1, 1, AsBytes("a"), std::nullopt, header, 1});
  const std::vector<int> expected = {22, 0, 1, 2, 2, 'a', 1, 2, 2, 'b', 2, 'c'};
  ASSERT_EQ(out.size(), expected.size());
  for (size_t i = 0; i < out.size(); ++i) EXPECT_EQ(static_cast<int>(out[i]), expected[i]) << i;
}

TEST(RecordTest, ComesBackFromItsBytes) {
  for (const RecordView& record : MakeRecords()) {
    const Bytes out = Encode(record);
    ByteReader reader{ByteSpan(out)};
    RecordView decoded;
    ASSERT_TRUE(DecodeRecord(&reader, &decoded));
    EXPECT_EQ(reader.remaining(), 0u);
    ExpectSame(decoded, record);
  }
}

TEST(RecordTest, PiecesAreTheWhole) {
  for (const RecordView& record : MakeRecords()) {
    const RecordPieces pieces(record);
    Bytes joined;
    for (ByteSpan piece : pieces.pieces()) joined.insert(joined.end(), piece.begin(), piece.end());
    EXPECT_EQ(pieces.size(), joined.size());
    EXPECT_EQ(joined, Encode(record));
  }
}

TEST(RecordTest, DecodesOneBehindTheOther) {
  Bytes all;
  for (const RecordView& record : MakeRecords()) {
    for (std::byte byte : Encode(record)) all.push_back(byte);
  }
  ByteReader reader{ByteSpan(all)};
  for (const RecordView& record : MakeRecords()) {
    RecordView decoded;
    ASSERT_TRUE(DecodeRecord(&reader, &decoded));
    ExpectSame(decoded, record);
  }
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(RecordTest, NoPrefixIsARecord) {
  for (const RecordView& record : MakeRecords()) {
    const Bytes out = Encode(record);
    for (size_t size = 0; size < out.size(); size += out.size() > 1000 ? 997 : 1) {
      ByteReader reader(ByteSpan(out).first(size));
      RecordView decoded;
      EXPECT_FALSE(DecodeRecord(&reader, &decoded));
      EXPECT_FALSE(reader.ok());
    }
  }
}

// Whether a record of these bytes behind its length is taken.
bool IsTaken(std::vector<int> body) {
  Bytes out(1 + body.size());
  out[0] = static_cast<std::byte>(body.size() * 2);
  for (size_t i = 0; i < body.size(); ++i) out[i + 1] = static_cast<std::byte>(body[i]);
  ByteReader reader{ByteSpan(out)};
  RecordView decoded;
  return DecodeRecord(&reader, &decoded);
}

TEST(RecordTest, RefusesLengthsThatContradictOneAnother) {
  EXPECT_TRUE(IsTaken({0, 0, 0, 1, 1, 0}));
  EXPECT_FALSE(IsTaken({0, 0, 0, 1, 1, 0, 0}));        // a byte too many
  EXPECT_FALSE(IsTaken({0, 0, 0, 3, 1, 0}));           // key length -2
  EXPECT_FALSE(IsTaken({0, 0, 0, 8, 1, 0}));           // a key beyond the end
  EXPECT_FALSE(IsTaken({0, 0, 0, 1, 1, 1}));           // -1 headers
  EXPECT_FALSE(IsTaken({0, 0, 0, 1, 1, 2}));           // one header, which is missing
  EXPECT_FALSE(IsTaken({0, 0, 0, 1, 1, 2, 1, 1}));     // whose name is null
  EXPECT_TRUE(IsTaken({0, 0, 0, 1, 1, 2, 0, 1}));      // empty name, null value
  EXPECT_FALSE(IsTaken({0, 0, 0x80, 0x80, 0x80, 0x80, 0x40, 1, 1, 0}));  // offset delta of 33 bits
}

TEST(RecordTest, SurvivesNoise) {
  std::mt19937 random(5);
  for (int i = 0; i < 20000; ++i) {
    Bytes noise(random() % 40);
    for (std::byte& byte : noise) byte = static_cast<std::byte>(random() % 2 ? random() : random() % 20);
    ByteReader reader{ByteSpan(noise)};
    RecordView decoded;
    while (DecodeRecord(&reader, &decoded)) {
    }
  }
}

}  // namespace
}  // namespace dory::kafka::protocol
