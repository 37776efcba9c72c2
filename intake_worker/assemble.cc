#include "intake_worker/assemble.h"

namespace dory::intake {
namespace {

using shm::Reject;

constexpr int32_t kSmallestSize = 8;  // of a message whose end is believed: Size, ApiKey, ApiVersion

std::optional<Reject> FindFault(int32_t size, uint64_t limit) {
  if (size < kSmallestSize) return Reject::kMalformed;
  if (static_cast<uint64_t>(size) > limit) return Reject::kTooLong;
  return std::nullopt;
}

}  // namespace

Assembled Assemble(ByteSpan bytes, uint64_t limit, std::span<ByteSpan> messages) {
  Assembled found;
  while (bytes.size() - found.end >= sizeof(int32_t)) {
    ByteReader reader(bytes.subspan(found.end));
    const auto size = reader.Read<int32_t>();
    found.fault = FindFault(size, limit);
    if (found.fault) return found;
    found.next_size = static_cast<uint64_t>(size);
    if (bytes.size() - found.end < found.next_size || found.count == messages.size()) return found;
    messages[found.count++] = bytes.subspan(found.end, found.next_size);
    found.end += found.next_size;
    found.next_size = 0;
  }
  return found;
}

}  // namespace dory::intake
