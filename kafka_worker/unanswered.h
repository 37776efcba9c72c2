// Whether what a broker leaves without an answer is itself the cause: it was alone each time, and the broker has taken
// what others sent meanwhile. A pure state.
//
// Brokers cut the connection without a word where a request is larger than socket.request.max.bytes, and a proxy may
// let no Fetch through. One that is about to die leaves everybody without an answer.

#pragma once

#include <cstdint>

namespace dory::kafka {

// Made of nothing: it was answered.
class Unanswered {
 public:
  // One more attempt in a row. `acknowledged`: what that broker has taken of anybody (Cluster::LastAcknowledged).
  // True: it is the cause.
  bool Note(int32_t broker, uint64_t acknowledged) {
    if (attempts_ == 0 || broker_ != broker) {
      attempts_ = 0;
      broker_ = broker;
      acknowledged_before_ = acknowledged;
    }
    return ++attempts_ >= kMostAttempts && acknowledged > acknowledged_before_;
  }

 private:
  static constexpr uint32_t kMostAttempts = 5;

  uint32_t attempts_ = 0;  // in a row, of this broker
  int32_t broker_ = -1;
  uint64_t acknowledged_before_ = 0;
};

}  // namespace dory::kafka
