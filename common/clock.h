// The clocks. Ages and deadlines of messages use CLOCK_BOOTTIME, which goes on while the machine
// sleeps and never jumps; it is comparable across processes and restarts of one boot, as the segment is.

#pragma once

#include <cstdint>
#include <ctime>

namespace dory {

inline int64_t ReadClockNs(clockid_t clock) {
  timespec now;
  ::clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

inline int64_t BoottimeNs() { return ReadClockNs(CLOCK_BOOTTIME); }
inline int64_t MonotonicMs() { return ReadClockNs(CLOCK_MONOTONIC) / 1'000'000; }
inline int64_t WallClockMs() { return ReadClockNs(CLOCK_REALTIME) / 1'000'000; }

}  // namespace dory
