// For how long brokers have answered the same, again and again: what a deadline counts that runs only while they
// answer so. A pure state, small since each partition has two.

#pragma once

#include <algorithm>
#include <cstdint>

namespace dory::kafka {

// Made of nothing: nobody says so.
class Complaint {
 public:
  // Attempts follow each other more closely. What is longer is time in which nobody answered, or something else.
  static constexpr int64_t kMostBetweenMs = 2000;

  bool Stands() const { return lasted_ms_ >= 0; }
  bool HasLasted(int64_t deadline_ms) const { return Stands() && lasted_ms_ >= std::min(deadline_ms, kLongestMs); }

  // It is said now; CLOCK_MONOTONIC.
  void Note(int64_t now_ms) {
    const auto now = static_cast<uint32_t>(now_ms);
    const int64_t between = std::min<int64_t>(now - last_ms_, kMostBetweenMs);
    lasted_ms_ = Stands() ? static_cast<int32_t>(std::min(lasted_ms_ + between, kLongestMs)) : 0;
    last_ms_ = now;
  }

 private:
  static constexpr int64_t kLongestMs = INT32_MAX;  // 24 days

  int32_t lasted_ms_ = -1;
  uint32_t last_ms_ = 0;  // wraps every 49 days, which looks like a shorter silence
};

}  // namespace dory::kafka
