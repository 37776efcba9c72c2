// A burst: undecided messages of one source, in their order, that are published together.

#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "common/bytes.h"
#include "common/credentials.h"
#include "shm/layout.h"

namespace dory::intake {

// A message as a client sent it, wherever its bytes lie.
struct RawMessage {
  ByteSpan bytes;
  uint32_t input = 0;      // among the configuration's inputs
  uint32_t uid = kNoUid;   // the user who sent it
  uint64_t limit = 0;      // the largest message allowed; 0: that of its input
  bool truncated = false;  // it was larger than a slot
  uint64_t out = 0;        // of a stream or the overflow file: the read position behind this message
  std::optional<shm::Reject> fault = {};  // of a stream: what is there is no message, and ends it
};

struct Burst {
  shm::Source source = shm::Source::kNone;
  uint32_t first = 0;  // of datagrams: the slot of the first message; the others follow it
  uint32_t index = 0;  // of a connection
  std::span<const RawMessage> messages;
};

}  // namespace dory::intake
