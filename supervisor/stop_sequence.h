// The orderly stop, as a pure function of what is so far.
//
//     RUNNING -> ACCEPTING   nobody can connect any more; who has connected is handed over to an intake
//             -> DRAINING    the intakes' final drain: sockets shut, what they held is appended
//             -> DELIVERING  the kafka workers send all batches at once; the books are looked at
//             -> ENDING      the kafka workers' links are closed; what is left stays in the segment;
//                            dory-status, which has shown all of this, is ended
//             -> DONE
//
// A worker that dies meanwhile is restarted and asked again, so a phase ends only with its goal or its time.

#pragma once

#include <cstdint>
#include <string_view>

namespace dory::supervisor {

inline constexpr int64_t kAcceptLimitMs = 10'000;
inline constexpr int64_t kFinalDrainLimitMs = 30'000;

enum class StopPhase { kRunning, kAccepting, kDraining, kDelivering, kEnding, kDone };

struct StopFacts {
  bool asked = false;
  bool handed_over = false;             // no stream connection is in a backlog or on its way
  bool accept_time_over = false;        // kAcceptLimitMs
  bool intakes_stopped = false;
  bool kafka_workers_stopped = false;
  bool status_stopped = false;          // dory-status, if there is one
  bool kafka_workers_hopeless = false;  // parked: nothing will be delivered
  bool drain_time_over = false;         // kFinalDrainLimitMs
  bool delivery_time_over = false;      // stop_timeout
  uint64_t buffered = 0;                // messages
};

// The phase that follows from `phase` at once; the same one: it has to wait.
inline StopPhase NextPhase(StopPhase phase, const StopFacts& facts) {
  switch (phase) {
    case StopPhase::kRunning: return facts.asked ? StopPhase::kAccepting : phase;
    case StopPhase::kAccepting:
      return facts.handed_over || facts.accept_time_over ? StopPhase::kDraining : phase;
    case StopPhase::kDraining:
      return facts.intakes_stopped || facts.drain_time_over ? StopPhase::kDelivering : phase;
    case StopPhase::kDelivering:
      return facts.buffered == 0 || facts.delivery_time_over || facts.kafka_workers_hopeless ? StopPhase::kEnding
                                                                                             : phase;
    case StopPhase::kEnding:
      return facts.kafka_workers_stopped && facts.status_stopped ? StopPhase::kDone : phase;
    case StopPhase::kDone: return phase;
  }
  return phase;
}

}  // namespace dory::supervisor
