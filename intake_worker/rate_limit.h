// How many messages of a topic, or of a client, are taken in a time: fixed windows, the first of which begins
// with its first message.
//
// Private: after a restart of the worker a window begins anew.

#pragma once

#include <cstdint>
#include <vector>

#include "common/units.h"

namespace dory::intake {

class RateLimiter {
 public:
  // Whether the topic of that row, or the client of that number, may have one more at this time (CLOCK_BOOTTIME).
  bool Allows(uint32_t row, const Rate& limit, int64_t now_ns) {
    if (limit.count == 0) return true;
    if (row >= windows_.size()) windows_.resize(row + 1);
    Window& window = windows_[row];
    const int64_t interval_ns = limit.interval_ms * 1'000'000;
    if (window.began_ns == 0) window.began_ns = now_ns;
    const int64_t age_ns = now_ns - window.began_ns;
    if (age_ns >= interval_ns) window = {window.began_ns + age_ns / interval_ns * interval_ns, 0};
    return window.taken < limit.count;
  }

  // That one is in the ring.
  void Count(uint32_t row, const Rate& limit) {
    if (limit.count > 0) ++windows_[row].taken;
  }

 private:
  struct Window {
    int64_t began_ns = 0;
    int64_t taken = 0;
  };

  std::vector<Window> windows_;  // by row
};

}  // namespace dory::intake
