// The variable-length integers of common/bytes.h.

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <vector>

#include "common/bytes.h"

namespace dory {
namespace {

constexpr std::array<uint64_t, 14> kEdges = {
    0,          1,          127,           128,           16383,           16384,          (1u << 21) - 1,
    1u << 21,   0x7fffffff, 0xffffffff,    1ull << 56,    (1ull << 63) - 1, 1ull << 63,    ~0ull};

TEST(VarintTest, ComesBackFromItsBytes) {
  for (uint64_t value : kEdges) {
    std::array<std::byte, kMaxVarintBytes> bytes;
    std::byte* end = StoreUnsignedVarint(bytes.data(), value);
    const auto size = static_cast<size_t>(end - bytes.data());
    EXPECT_EQ(size, UnsignedVarintSize(value)) << value;
    ByteReader reader(ByteSpan(bytes).first(size));
    EXPECT_EQ(reader.ReadUnsignedVarint(), value);
    EXPECT_TRUE(reader.ok());
    EXPECT_EQ(reader.remaining(), 0u);
  }
}

TEST(VarintTest, TakesOneByteMoreForEverySevenBits) {
  for (int bits = 1; bits <= 64; ++bits) {
    EXPECT_EQ(UnsignedVarintSize(1ull << (bits - 1)), static_cast<size_t>((bits + 6) / 7)) << bits;
  }
  EXPECT_EQ(UnsignedVarintSize(0), 1u);
}

TEST(VarintTest, ZigZagKeepsSmallNegativesShort) {
  EXPECT_EQ(ZigZagEncode(0), 0u);
  EXPECT_EQ(ZigZagEncode(-1), 1u);
  EXPECT_EQ(ZigZagEncode(1), 2u);
  EXPECT_EQ(ZigZagEncode(-2), 3u);
  for (int64_t value : {int64_t{0}, int64_t{-1}, int64_t{-64}, int64_t{-65}, int64_t{1} << 40,
                        std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()}) {
    EXPECT_EQ(ZigZagDecode(ZigZagEncode(value)), value);
    std::array<std::byte, kMaxVarintBytes> bytes;
    const auto size = static_cast<size_t>(StoreVarint(bytes.data(), value) - bytes.data());
    EXPECT_EQ(size, VarintSize(value));
    ByteReader reader(ByteSpan(bytes).first(size));
    EXPECT_EQ(reader.ReadVarint(), value);
  }
}

TEST(VarintTest, AFailedReadMovesNothing) {
  const std::vector<std::byte> cut(3, std::byte{0x80});
  ByteReader reader{ByteSpan(cut)};
  EXPECT_EQ(reader.ReadUnsignedVarint(), 0u);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.offset(), 0u);
}

TEST(VarintTest, RefusesMoreThan64Bits) {
  std::vector<std::byte> bytes(9, std::byte{0xff});
  bytes.push_back(std::byte{0x01});
  EXPECT_EQ(ByteReader(ByteSpan(bytes)).ReadUnsignedVarint(), ~0ull);
  bytes.back() = std::byte{0x02};
  ByteReader reader{ByteSpan(bytes)};
  EXPECT_EQ(reader.ReadUnsignedVarint(), 0u);
  EXPECT_FALSE(reader.ok());
}

TEST(VarintTest, NothingIsReadAfterAFailure) {
  const std::vector<std::byte> bytes(4, std::byte{1});
  ByteReader reader{ByteSpan(bytes)};
  reader.Fail();
  EXPECT_EQ(reader.ReadUnsignedVarint(), 0u);
  EXPECT_EQ(reader.offset(), 0u);
}

}  // namespace
}  // namespace dory
