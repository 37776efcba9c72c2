// Back-off with jitter: how long to wait after the nth failure in a row.

#pragma once

#include <algorithm>
#include <cstdint>

namespace dory::kafka {

struct BackoffRange {
  int64_t first_ms;
  int64_t longest_ms;
  int64_t spread_percent = 25;
};

inline constexpr BackoffRange kPartitionBackoff = {50, 1000};
// Wide, since a whole fleet loses a broker at one moment: doc/decisions/0010-back-off-of-a-fleet.md.
inline constexpr BackoffRange kConnectionBackoff = {50, 5000, 75};
inline constexpr BackoffRange kMetadataBackoff = {50, 1000};

// `failures` counts from 1; `random` is any number. By up to the spread less or more than
// first * 2^(failures - 1), or than the longest, so that many who failed together do not come back together.
constexpr int64_t ChooseDelayMs(BackoffRange range, uint32_t failures, uint64_t random) {
  const uint32_t doublings = std::min<uint32_t>(failures > 0 ? failures - 1 : 0, 20);
  const int64_t delay = std::min(range.first_ms << doublings, range.longest_ms);
  const int64_t spread = delay * range.spread_percent / 100;
  return delay - spread + static_cast<int64_t>(random % static_cast<uint64_t>(2 * spread + 1));
}

}  // namespace dory::kafka
