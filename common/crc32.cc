#include "common/crc32.h"

#include <zlib.h>

namespace dory {

uint32_t Crc32Extend(uint32_t crc, ByteSpan bytes) {
  if (bytes.empty()) return crc;  // zlib takes a null pointer for a wish to begin anew
  return static_cast<uint32_t>(::crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace dory
