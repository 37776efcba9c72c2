// The hashes by which other producers choose the partition of a key, so that a topic may have several writers.

#pragma once

#include <cstdint>

#include "common/bytes.h"

namespace dory::kafka {

// 32 bits of MurmurHash2 with Kafka's seed, as its Java client has it.
uint32_t HashMurmur2(ByteSpan key);

}  // namespace dory::kafka
