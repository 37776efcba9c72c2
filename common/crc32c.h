// crc32c: the Castagnoli polynomial, as in Kafka's record batches, iSCSI and ext4.
//
// The CPU's own instruction where it has one (SSE4.2, ARMv8), tables where not; both give the same.
// Values are final ones: the empty span has 0, and any value may be extended or combined.

#pragma once

#include <cstddef>
#include <cstdint>

#include "common/bytes.h"

namespace dory {

// The crc of `bytes` alone.
uint32_t Crc32c(ByteSpan bytes);

// The crc of A followed by `bytes`, given `crc` of A.
uint32_t Crc32cExtend(uint32_t crc, ByteSpan bytes);

// The crc of A followed by B, given those of A and B and B's length. A fraction of a µs.
uint32_t Crc32cCombine(uint32_t crc1, uint32_t crc2, uint64_t len2);

// The single paths, so that a test can compare them.
namespace crc32c_internal {

// Eight tables, eight bytes a step; runs everywhere.
uint32_t ExtendByTables(uint32_t crc, ByteSpan bytes);

bool HasInstruction();

// REQUIRES: HasInstruction().
uint32_t ExtendByInstruction(uint32_t crc, ByteSpan bytes);

}  // namespace crc32c_internal
}  // namespace dory
