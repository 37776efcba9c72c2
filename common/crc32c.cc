#include "common/crc32c.h"

#include <array>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#define DORY_CRC_TARGET __attribute__((target("sse4.2")))
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#define DORY_CRC_TARGET __attribute__((target("+crc")))
#endif

namespace dory {
namespace {

// Polynomials over GF(2) with their bits reversed: the highest bit is the coefficient of x^0.
constexpr uint32_t kPolynomial = 0x82f63b78;
constexpr uint32_t kOne = 0x80000000;

constexpr uint32_t MultiplyByX(uint32_t value) {
  return (value >> 1) ^ (kPolynomial & (~(value & 1) + 1));
}

// a * b modulo the polynomial.
constexpr uint32_t Multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (int i = 0; i < 32; ++i) {
    product ^= b & (~(a >> 31) + 1);
    a <<= 1;
    b = MultiplyByX(b);
  }
  return product;
}

// x^(8 * count): what a crc is multiplied by when `count` zero bytes follow.
constexpr uint32_t RaiseToBytes(uint64_t count) {
  uint32_t power = kOne;
  uint32_t square = kOne >> 8;
  for (; count != 0; count >>= 1) {
    if (count & 1) power = Multiply(square, power);
    square = Multiply(square, square);
  }
  return power;
}

using Table = std::array<uint32_t, 256>;

// kSlices[k][b]: the crc register's share of byte b with k bytes behind it.
constexpr std::array<Table, 8> MakeSlices() {
  std::array<Table, 8> slices{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = MultiplyByX(value);
    slices[0][byte] = value;
  }
  for (size_t k = 1; k < 8; ++k) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t before = slices[k - 1][byte];
      slices[k][byte] = (before >> 8) ^ slices[0][before & 0xff];
    }
  }
  return slices;
}
constexpr std::array<Table, 8> kSlices = MakeSlices();

// kPowers[i][v] = x^(8 * v * 256^i): a length's factor is the product of one entry for each byte.
constexpr std::array<Table, 8> MakePowers() {
  std::array<Table, 8> powers{};
  uint32_t step = kOne >> 8;
  for (Table& row : powers) {
    row[0] = kOne;
    for (size_t v = 1; v < 256; ++v) row[v] = Multiply(step, row[v - 1]);
    step = Multiply(step, row[255]);
  }
  return powers;
}
constexpr std::array<Table, 8> kPowers = MakePowers();

uint32_t StepByte(uint32_t state, std::byte byte) {
  return (state >> 8) ^ kSlices[0][(state ^ static_cast<uint32_t>(byte)) & 0xff];
}

uint64_t LoadLittleEndian64(const std::byte* at) {
  uint64_t value;
  std::memcpy(&value, at, sizeof(value));
  return std::endian::native == std::endian::little ? value : __builtin_bswap64(value);
}

}  // namespace

namespace crc32c_internal {

uint32_t ExtendByTables(uint32_t crc, ByteSpan bytes) {
  const std::byte* at = bytes.data();
  size_t left = bytes.size();
  uint32_t state = ~crc;
  for (; left >= 8; left -= 8, at += 8) {
    const uint64_t word = LoadLittleEndian64(at) ^ state;
    state = 0;
#pragma GCC unroll 8
    for (unsigned k = 0; k < 8; ++k) state ^= kSlices[7 - k][(word >> (8 * k)) & 0xff];
  }
  for (; left > 0; --left) state = StepByte(state, *at++);
  return ~state;
}

#if defined(DORY_CRC_TARGET)

namespace {

// The instruction takes one word a cycle but answers after three: from a certain size on, three
// stretches of the same length run side by side, and are joined by the factor of that length.
constexpr size_t kShortStretch = 256;
constexpr size_t kLongStretch = 4096;

constexpr std::array<Table, 4> MakeShift(size_t stretch) {
  const uint32_t factor = RaiseToBytes(stretch);
  std::array<Table, 4> shift{};
  for (unsigned k = 0; k < 4; ++k) {
    for (uint32_t byte = 0; byte < 256; ++byte) shift[k][byte] = Multiply(factor, byte << (8 * k));
  }
  return shift;
}
constexpr std::array<Table, 4> kShortShift = MakeShift(kShortStretch);
constexpr std::array<Table, 4> kLongShift = MakeShift(kLongStretch);

uint32_t Shift(const std::array<Table, 4>& shift, uint32_t state) {
  return shift[0][state & 0xff] ^ shift[1][(state >> 8) & 0xff] ^ shift[2][(state >> 16) & 0xff] ^
         shift[3][state >> 24];
}

#if defined(__x86_64__)

bool DetectInstruction() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("sse4.2") != 0;
}

DORY_CRC_TARGET inline uint32_t Step8(uint32_t state, std::byte byte) {
  return _mm_crc32_u8(state, static_cast<uint8_t>(byte));
}

DORY_CRC_TARGET inline uint32_t Step64(uint32_t state, const std::byte* at) {
  return static_cast<uint32_t>(_mm_crc32_u64(state, LoadLittleEndian64(at)));
}

#else

bool DetectInstruction() { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }

DORY_CRC_TARGET inline uint32_t Step8(uint32_t state, std::byte byte) {
  return __crc32cb(state, static_cast<uint8_t>(byte));
}

DORY_CRC_TARGET inline uint32_t Step64(uint32_t state, const std::byte* at) {
  return __crc32cd(state, LoadLittleEndian64(at));
}

#endif

// REQUIRES: 3 * stretch bytes at `at`; `shift` is that stretch's.
DORY_CRC_TARGET uint32_t StepThreeWays(uint32_t state, const std::byte* at, size_t stretch,
                                       const std::array<Table, 4>& shift) {
  uint32_t second = 0;
  uint32_t third = 0;
  for (const std::byte* end = at + stretch; at < end; at += 8) {
    state = Step64(state, at);
    second = Step64(second, at + stretch);
    third = Step64(third, at + 2 * stretch);
  }
  return Shift(shift, Shift(shift, state) ^ second) ^ third;
}

}  // namespace

DORY_CRC_TARGET uint32_t ExtendByInstruction(uint32_t crc, ByteSpan bytes) {
  const std::byte* at = bytes.data();
  size_t left = bytes.size();
  uint32_t state = ~crc;
  for (; left >= 3 * kLongStretch; left -= 3 * kLongStretch, at += 3 * kLongStretch) {
    state = StepThreeWays(state, at, kLongStretch, kLongShift);
  }
  for (; left >= 3 * kShortStretch; left -= 3 * kShortStretch, at += 3 * kShortStretch) {
    state = StepThreeWays(state, at, kShortStretch, kShortShift);
  }
  for (; left >= 8; left -= 8, at += 8) state = Step64(state, at);
  for (; left > 0; --left) state = Step8(state, *at++);
  return ~state;
}

#else

namespace {
bool DetectInstruction() { return false; }
}  // namespace

uint32_t ExtendByInstruction(uint32_t crc, ByteSpan bytes) { return ExtendByTables(crc, bytes); }

#endif

bool HasInstruction() {
  static const bool has = DetectInstruction();
  return has;
}

}  // namespace crc32c_internal

uint32_t Crc32cExtend(uint32_t crc, ByteSpan bytes) {
  return crc32c_internal::HasInstruction() ? crc32c_internal::ExtendByInstruction(crc, bytes)
                                           : crc32c_internal::ExtendByTables(crc, bytes);
}

uint32_t Crc32c(ByteSpan bytes) { return Crc32cExtend(0, bytes); }

uint32_t Crc32cCombine(uint32_t crc1, uint32_t crc2, uint64_t len2) {
  for (size_t i = 0; len2 != 0; ++i, len2 >>= 8) {
    if ((len2 & 0xff) != 0) crc1 = Multiply(kPowers[i][len2 & 0xff], crc1);
  }
  return crc1 ^ crc2;
}

}  // namespace dory
