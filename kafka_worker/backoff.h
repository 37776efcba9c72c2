// Back-off with jitter: how long to wait after the nth failure in a row.

#pragma once

#include <algorithm>
#include <cstdint>

namespace dory::kafka {

struct BackoffRange {
  int64_t first_ms;
  int64_t longest_ms;
};

inline constexpr BackoffRange kPartitionBackoff = {50, 1000};
inline constexpr BackoffRange kConnectionBackoff = {50, 2000};
inline constexpr BackoffRange kMetadataBackoff = {50, 1000};

// `failures` counts from 1; `random` is any number. Between 0.75 and 1.25 of first * 2^(failures - 1),
// or of the longest, so that many who failed together do not come back together.
constexpr int64_t ChooseDelayMs(BackoffRange range, uint32_t failures, uint64_t random) {
  const uint32_t doublings = std::min<uint32_t>(failures > 0 ? failures - 1 : 0, 20);
  const int64_t delay = std::min(range.first_ms << doublings, range.longest_ms);
  return delay * 3 / 4 + static_cast<int64_t>(random % static_cast<uint64_t>(delay / 2 + 1));
}

}  // namespace dory::kafka
