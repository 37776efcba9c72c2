// The life of a worker as a table: every state, every thing that can happen, what then.
//
// Decide is pure; worker.cc carries its actions out. Up only after READY; Spawn is never the answer
// while a predecessor may be alive, since only Died, Unusable and Finished (all after waitpid) and
// states without a process lead to it.

#pragma once

#include <cstddef>
#include <string_view>

namespace dory::supervisor {

enum class WorkerState {
  kDown,      // not started yet
  kStarting,  // there is a process, READY has not come
  kUp,
  kBackoff,   // died; waits for its restart
  kParked,    // said that it can't work with this configuration or segment; a reload starts it
  kStopping,  // was asked to stop
  kStopped,
  kRestarting,  // was asked to leave for a successor
  kCount
};

enum class WorkerEvent {
  kStart,          // the supervisor begins
  kReady,          // READY came
  kFinished,       // ended after it was asked to, with nothing left to do
  kDied,           // ended in any other way
  kUnusable,       // ended with exit code 10 or 11
  kTimer,          // the state's time is over
  kStopAsked,
  kReload,
  kLinkEnded,      // its control link broke while it was alive
  kHeartbeatLost,
  kRestartAsked,   // doryctl restart
  kCount
};

enum class WorkerAction {
  kNone,
  kSpawn,        // fork, exec, Hello; READY within the limit
  kMarkUp,
  kScheduleRestart,
  kReportParked,
  kCloseLink,    // the word that ends a worker; it has the limit's time for it
  kAskToLeave,   // the word that makes it leave for a successor; likewise
  kCancelTimer,
  kAbort,        // SIGABRT, SIGKILL if that does not help
  kKill,
};

struct Decision {
  WorkerState next;
  WorkerAction action;
  bool operator==(const Decision&) const = default;
};

inline constexpr size_t kWorkerStates = static_cast<size_t>(WorkerState::kCount);
inline constexpr size_t kWorkerEvents = static_cast<size_t>(WorkerEvent::kCount);

Decision Decide(WorkerState state, WorkerEvent event);

// "up", "backoff", as in the status.
std::string_view NameOf(WorkerState state);
std::string_view NameOf(WorkerEvent event);

// Whether a worker in this state has a process.
constexpr bool HasProcess(WorkerState state) {
  return state == WorkerState::kStarting || state == WorkerState::kUp || state == WorkerState::kStopping ||
         state == WorkerState::kRestarting;
}

}  // namespace dory::supervisor
