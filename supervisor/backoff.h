// When a dead worker is started again, and when its deaths are worth saying: pure functions of what
// has happened to it.
//
// A worker that made progress since its READY restarts at once; only deaths in a row without progress
// are barren and make the next one wait. In no case are there more than 20 starts a second.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

namespace dory::supervisor {

inline constexpr int64_t kShortestBetweenStartsMs = 50;
inline constexpr int64_t kLongestBackoffMs = 5000;
inline constexpr int64_t kDegradedWindowMs = 60'000;
inline constexpr size_t kDegradedDeaths = 5;

// 0, 0.1, 0.2, 0.4 ... 5 s after 1, 2, 3, 4 ... barren deaths; 0 after none.
int64_t BackoffMs(uint64_t barren_deaths);

// How long from now the restart waits.
int64_t RestartDelayMs(uint64_t barren_deaths, int64_t last_start_ms, int64_t now_ms);

// The deaths of one worker.
class DeathRecord {
 public:
  void Add(int64_t now_ms, bool made_progress);

  uint64_t total() const { return total_; }
  uint64_t barren() const { return barren_; }
  bool IsDegraded(int64_t now_ms) const;

 private:
  uint64_t total_ = 0;
  uint64_t barren_ = 0;
  std::deque<int64_t> recent_;  // the last kDegradedDeaths of them
};

}  // namespace dory::supervisor
