// crc-32, of gzip and of Kafka's messages before format 2 (crc32c.h has that one's).

#pragma once

#include <cstdint>

#include "common/bytes.h"

namespace dory {

// The crc of A followed by `bytes`, given `crc` of A; of nothing: 0.
uint32_t Crc32Extend(uint32_t crc, ByteSpan bytes);

}  // namespace dory
