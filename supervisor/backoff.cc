#include "supervisor/backoff.h"

#include <algorithm>

namespace dory::supervisor {

int64_t BackoffMs(uint64_t barren_deaths) {
  if (barren_deaths <= 1) return 0;
  const uint64_t doublings = std::min<uint64_t>(barren_deaths - 2, 16);
  return std::min(kLongestBackoffMs, int64_t{100} << doublings);
}

int64_t RestartDelayMs(uint64_t barren_deaths, int64_t last_start_ms, int64_t now_ms) {
  const int64_t since_start_ms = std::max<int64_t>(0, now_ms - last_start_ms);
  return std::max(BackoffMs(barren_deaths), kShortestBetweenStartsMs - since_start_ms);
}

void DeathRecord::Add(int64_t now_ms, bool made_progress) {
  ++total_;
  barren_ = made_progress ? 0 : barren_ + 1;
  recent_.push_back(now_ms);
  if (recent_.size() > kDegradedDeaths) recent_.pop_front();
}

bool DeathRecord::IsDegraded(int64_t now_ms) const {
  return recent_.size() == kDegradedDeaths && now_ms - recent_.front() <= kDegradedWindowMs;
}

}  // namespace dory::supervisor
