// Whole messages in the bytes of a stream: they lie back to back, each beginning with its Size. Pure.
//
// However a stream is cut into reads, the same messages come of it.

#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "common/bytes.h"
#include "shm/layout.h"

namespace dory::intake {

struct Assembled {
  size_t count = 0;        // whole messages, from the first byte on
  size_t end = 0;          // the byte behind the last of them
  uint64_t next_size = 0;  // of the message at `end`; 0: not all of its Size is there
  std::optional<shm::Reject> fault;  // the Size at `end` is none: nothing can be read from there on
};

// Puts at most messages.size() of them into `messages`. `limit` is the largest message allowed.
Assembled Assemble(ByteSpan bytes, uint64_t limit, std::span<ByteSpan> messages);

}  // namespace dory::intake
