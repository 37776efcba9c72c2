#include "kafka_worker/key_hash.h"

#include <cstddef>

namespace dory::kafka {
namespace {

constexpr uint32_t kMultiplier = 0x5bd1e995;
constexpr uint32_t kSeed = 0x9747b28c;

// Little-endian, of at most four bytes.
uint32_t ReadWord(ByteSpan bytes) {
  uint32_t word = 0;
  for (size_t i = bytes.size(); i > 0; --i) word = word << 8 | std::to_integer<uint32_t>(bytes[i - 1]);
  return word;
}

}  // namespace

uint32_t HashMurmur2(ByteSpan key) {
  uint32_t hash = kSeed ^ static_cast<uint32_t>(key.size());
  for (; key.size() >= 4; key = key.subspan(4)) {
    uint32_t word = ReadWord(key.first(4)) * kMultiplier;
    word ^= word >> 24;
    hash = hash * kMultiplier ^ word * kMultiplier;
  }
  if (!key.empty()) hash = (hash ^ ReadWord(key)) * kMultiplier;
  hash = (hash ^ hash >> 13) * kMultiplier;
  return hash ^ hash >> 15;
}

}  // namespace dory::kafka
