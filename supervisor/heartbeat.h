// Whether a worker that is up still moves. The supervisor counts its own looks, one every 5 s, so that
// time in which it did not run itself is held against nobody.

#pragma once

#include <cstdint>

namespace dory::supervisor {

inline constexpr int64_t kLookIntervalMs = 5000;
inline constexpr int kLooksWithoutMove = 6;  // 30 s
inline constexpr int64_t kAbortGraceMs = 5000;

class HeartbeatWatch {
 public:
  // A worker came up.
  void Begin(uint64_t heartbeat) {
    last_ = heartbeat;
    still_ = 0;
  }

  // True once, when the heartbeat has stood still for too many looks.
  bool Look(uint64_t heartbeat) {
    still_ = heartbeat == last_ ? still_ + 1 : 0;
    last_ = heartbeat;
    return still_ == kLooksWithoutMove;
  }

 private:
  uint64_t last_ = 0;
  int still_ = 0;
};

}  // namespace dory::supervisor
