// The books: every counter of a lane, read by somebody who writes none of them.
//
// Order: who reads reads the kafka worker's counters first, then intake's, so that nothing is seen
// delivered before it is seen appended. Where a burst is decided and not yet counted (`tail` != base,
// or the decided word), the journal's values stand for the counters that they name; `base`, `tail` and
// the decided word are read again, and all is retried if they moved: a few times, since with many topics
// and a busy sender they always do. What is then read is a burst old at most, and is taken as soon as it
// shows nothing delivered that it does not show appended. The discard cell stands for its
// counter likewise, and an ACKED or DISCARDED batch's total_after is the kafka worker's own business:
// between C10 and C11 a window is still counted as buffered, by subtraction.
// Totals are sums, never stored.

#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "shm/layout.h"
#include "shm/segment.h"

namespace dory::shm {

struct TopicBooks {
  std::string name;
  uint64_t appended = 0;
  std::array<uint64_t, kRejectRoom> rejected{};
  uint64_t delivered = 0;
  uint64_t possible_duplicates = 0;
  std::array<uint64_t, kDiscardRoom> discarded{};

  uint64_t Rejected() const;
  uint64_t Discarded() const;
};

// Of the rejects for kUnsupportedVersion: how many were of which.
struct VersionCount {
  int16_t api_key = 0;
  int16_t api_version = 0;
  uint64_t count = 0;
};

struct Books {
  std::vector<TopicBooks> topics;  // by row
  TopicBooks no_topic;             // messages whose topic has no row
  std::vector<VersionCount> unsupported_versions;  // the first kVersionTallies kinds that came

  uint64_t Appended() const;
  uint64_t Rejected() const;
  uint64_t Received() const { return Appended() + Rejected(); }
  uint64_t Delivered() const;
  uint64_t Discarded() const;
  uint64_t PossibleDuplicates() const;
  uint64_t Buffered() const { return Appended() - Delivered() - Discarded(); }
  uint64_t RejectedFor(Reject reason) const;
  uint64_t DiscardedFor(Discard reason) const;
};

const char* NameOf(Reject reason);
const char* NameOf(Discard reason);

// REQUIRES: the segment is mapped by a role that sees both books and the producer page.
Books ReadBooks(const Segment& segment, uint32_t lane);

}  // namespace dory::shm
