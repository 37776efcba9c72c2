#include "common/crc32c.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace dory {
namespace {

std::vector<std::byte> MakeNoise(size_t size, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::byte> noise(size);
  for (std::byte& byte : noise) byte = static_cast<std::byte>(random());
  return noise;
}

// Bit by bit, straight from the definition.
uint32_t ComputeSlowly(ByteSpan bytes) {
  uint32_t state = 0xffffffff;
  for (std::byte byte : bytes) {
    state ^= static_cast<uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) state = (state >> 1) ^ ((state & 1) ? 0x82f63b78u : 0);
  }
  return ~state;
}

TEST(Crc32cTest, KnowsTheVectorsOfRfc3720) {
  EXPECT_EQ(Crc32c(AsBytes("")), 0u);
  EXPECT_EQ(Crc32c(AsBytes("123456789")), 0xe3069283u);
  std::string block(32, '\0');
  EXPECT_EQ(Crc32c(AsBytes(block)), 0x8a9136aau);
  EXPECT_EQ(Crc32c(AsBytes(std::string(32, '\xff'))), 0x62a8ab43u);
  for (size_t i = 0; i < 32; ++i) block[i] = static_cast<char>(i);
  EXPECT_EQ(Crc32c(AsBytes(block)), 0x46dd794eu);
  for (size_t i = 0; i < 32; ++i) block[i] = static_cast<char>(31 - i);
  EXPECT_EQ(Crc32c(AsBytes(block)), 0x113fdb5cu);
}

// Sizes around every boundary of the paths: words, short stretches, long stretches.
TEST(Crc32cTest, AllPathsAgreeAtAllSizesAndAlignments) {
  const auto noise = MakeNoise(40000, 1);
  std::vector<size_t> sizes;
  for (size_t size = 0; size < 70; ++size) sizes.push_back(size);
  for (size_t base : {768u, 1024u, 1536u, 4096u, 12288u, 13056u, 24576u, 39990u}) {
    for (size_t size = base - 9; size < base + 10; ++size) sizes.push_back(size);
  }
  for (size_t size : sizes) {
    const size_t skip = size % 8 + size < noise.size() ? size % 8 : 0;
    const ByteSpan bytes = ByteSpan(noise).subspan(skip, size);
    const uint32_t expected = ComputeSlowly(bytes);
    EXPECT_EQ(Crc32c(bytes), expected) << size;
    EXPECT_EQ(crc32c_internal::ExtendByTables(0, bytes), expected) << size;
    if (!crc32c_internal::HasInstruction()) continue;
    EXPECT_EQ(crc32c_internal::ExtendByInstruction(0, bytes), expected) << size;
  }
}

// Every x86-64 of the last fifteen years has it, and every ARMv8.1: where it were not found, the test
// above would compare the tables with themselves.
TEST(Crc32cTest, TheInstructionIsFound) { EXPECT_TRUE(crc32c_internal::HasInstruction()); }

TEST(Crc32cTest, ExtendsAnyCutOfTheSameBytes) {
  const auto noise = MakeNoise(5000, 2);
  const ByteSpan bytes(noise);
  const uint32_t whole = Crc32c(bytes);
  for (size_t cut = 0; cut <= bytes.size(); cut += 37) {
    const uint32_t first = Crc32c(bytes.first(cut));
    EXPECT_EQ(Crc32cExtend(first, bytes.subspan(cut)), whole) << cut;
    EXPECT_EQ(crc32c_internal::ExtendByTables(first, bytes.subspan(cut)), whole) << cut;
  }
}

TEST(Crc32cTest, CombinesAnyCutOfTheSameBytes) {
  const auto noise = MakeNoise(70000, 3);
  for (size_t size : {0u, 1u, 40u, 255u, 256u, 257u, 4096u, 65535u, 65536u, 65537u, 70000u}) {
    const ByteSpan bytes = ByteSpan(noise).first(size);
    const uint32_t whole = Crc32c(bytes);
    for (size_t cut = 0; cut <= size; cut += size / 50 + 1) {
      const ByteSpan second = bytes.subspan(cut);
      EXPECT_EQ(Crc32cCombine(Crc32c(bytes.first(cut)), Crc32c(second), second.size()), whole);
    }
  }
}

TEST(Crc32cTest, CombiningIsAssociativeForLengthsNoTestCanAllocate) {
  std::mt19937_64 random(4);
  for (int i = 0; i < 2000; ++i) {
    const auto a = static_cast<uint32_t>(random());
    const auto b = static_cast<uint32_t>(random());
    const auto c = static_cast<uint32_t>(random());
    const uint64_t length_b = random() >> (1 + random() % 63);
    const uint64_t length_c = random() >> (1 + random() % 63);
    const uint32_t left = Crc32cCombine(Crc32cCombine(a, b, length_b), c, length_c);
    const uint32_t right = Crc32cCombine(a, Crc32cCombine(b, c, length_c), length_b + length_c);
    EXPECT_EQ(left, right) << length_b << " " << length_c;
  }
}

TEST(Crc32cTest, CombiningWithNothingChangesNothing) {
  EXPECT_EQ(Crc32cCombine(0x12345678, 0, 0), 0x12345678u);
  EXPECT_EQ(Crc32cCombine(0, 0x12345678, 1u << 20), 0x12345678u);
}

}  // namespace
}  // namespace dory
