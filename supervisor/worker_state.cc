#include "supervisor/worker_state.h"

#include <array>

namespace dory::supervisor {
namespace {

using State = WorkerState;
using Action = WorkerAction;
using Row = std::array<Decision, kWorkerEvents>;

constexpr Row kDownRow = {{
    /* kStart         */ {State::kStarting, Action::kSpawn},
    /* kReady         */ {State::kDown, Action::kNone},
    /* kFinished      */ {State::kDown, Action::kNone},
    /* kDied          */ {State::kDown, Action::kNone},
    /* kUnusable      */ {State::kDown, Action::kNone},
    /* kTimer         */ {State::kDown, Action::kNone},
    /* kStopAsked     */ {State::kStopped, Action::kNone},
    /* kReload        */ {State::kDown, Action::kNone},
    /* kLinkEnded     */ {State::kDown, Action::kNone},
    /* kHeartbeatLost */ {State::kDown, Action::kNone},
    /* kRestartAsked  */ {State::kDown, Action::kNone},
}};

constexpr Row kStartingRow = {{
    /* kStart         */ {State::kStarting, Action::kNone},
    /* kReady         */ {State::kUp, Action::kMarkUp},
    /* kFinished      */ {State::kBackoff, Action::kScheduleRestart},
    /* kDied          */ {State::kBackoff, Action::kScheduleRestart},
    /* kUnusable      */ {State::kParked, Action::kReportParked},
    /* kTimer         */ {State::kStarting, Action::kKill},
    /* kStopAsked     */ {State::kStopping, Action::kCloseLink},
    /* kReload        */ {State::kStarting, Action::kNone},
    /* kLinkEnded     */ {State::kStarting, Action::kKill},
    /* kHeartbeatLost */ {State::kStarting, Action::kNone},
    /* kRestartAsked  */ {State::kStarting, Action::kNone},
}};

constexpr Row kUpRow = {{
    /* kStart         */ {State::kUp, Action::kNone},
    /* kReady         */ {State::kUp, Action::kNone},
    /* kFinished      */ {State::kBackoff, Action::kScheduleRestart},
    /* kDied          */ {State::kBackoff, Action::kScheduleRestart},
    /* kUnusable      */ {State::kParked, Action::kReportParked},
    /* kTimer         */ {State::kUp, Action::kKill},  // SIGABRT did not help
    /* kStopAsked     */ {State::kStopping, Action::kCloseLink},
    /* kReload        */ {State::kUp, Action::kNone},
    /* kLinkEnded     */ {State::kUp, Action::kKill},
    /* kHeartbeatLost */ {State::kUp, Action::kAbort},
    /* kRestartAsked  */ {State::kRestarting, Action::kAskToLeave},
}};

constexpr Row kBackoffRow = {{
    /* kStart         */ {State::kBackoff, Action::kNone},
    /* kReady         */ {State::kBackoff, Action::kNone},
    /* kFinished      */ {State::kBackoff, Action::kNone},
    /* kDied          */ {State::kBackoff, Action::kNone},
    /* kUnusable      */ {State::kBackoff, Action::kNone},
    /* kTimer         */ {State::kStarting, Action::kSpawn},
    /* kStopAsked     */ {State::kStopped, Action::kCancelTimer},
    /* kReload        */ {State::kStarting, Action::kSpawn},
    /* kLinkEnded     */ {State::kBackoff, Action::kNone},
    /* kHeartbeatLost */ {State::kBackoff, Action::kNone},
    /* kRestartAsked  */ {State::kStarting, Action::kSpawn},
}};

constexpr Row kParkedRow = {{
    /* kStart         */ {State::kParked, Action::kNone},
    /* kReady         */ {State::kParked, Action::kNone},
    /* kFinished      */ {State::kParked, Action::kNone},
    /* kDied          */ {State::kParked, Action::kNone},
    /* kUnusable      */ {State::kParked, Action::kNone},
    /* kTimer         */ {State::kParked, Action::kNone},
    /* kStopAsked     */ {State::kStopped, Action::kNone},
    /* kReload        */ {State::kStarting, Action::kSpawn},
    /* kLinkEnded     */ {State::kParked, Action::kNone},
    /* kHeartbeatLost */ {State::kParked, Action::kNone},
    /* kRestartAsked  */ {State::kStarting, Action::kSpawn},
}};

constexpr Row kStoppingRow = {{
    /* kStart         */ {State::kStopping, Action::kNone},
    /* kReady         */ {State::kStopping, Action::kNone},
    /* kFinished      */ {State::kStopped, Action::kCancelTimer},
    /* kDied          */ {State::kBackoff, Action::kScheduleRestart},  // its last work is not done yet
    /* kUnusable      */ {State::kParked, Action::kReportParked},
    /* kTimer         */ {State::kStopping, Action::kKill},
    /* kStopAsked     */ {State::kStopping, Action::kNone},
    /* kReload        */ {State::kStopping, Action::kNone},
    /* kLinkEnded     */ {State::kStopping, Action::kNone},
    /* kHeartbeatLost */ {State::kStopping, Action::kNone},
    /* kRestartAsked  */ {State::kStopping, Action::kNone},
}};

constexpr Row kStoppedRow = {{
    /* kStart         */ {State::kStopped, Action::kNone},
    /* kReady         */ {State::kStopped, Action::kNone},
    /* kFinished      */ {State::kStopped, Action::kNone},
    /* kDied          */ {State::kStopped, Action::kNone},
    /* kUnusable      */ {State::kStopped, Action::kNone},
    /* kTimer         */ {State::kStopped, Action::kNone},
    /* kStopAsked     */ {State::kStopped, Action::kNone},
    /* kReload        */ {State::kStopped, Action::kNone},
    /* kLinkEnded     */ {State::kStopped, Action::kNone},
    /* kHeartbeatLost */ {State::kStopped, Action::kNone},
    /* kRestartAsked  */ {State::kStopped, Action::kNone},
}};

// A stop that is asked for now is asked again of the successor: this one leaves without a final drain.
constexpr Row kRestartingRow = {{
    /* kStart         */ {State::kRestarting, Action::kNone},
    /* kReady         */ {State::kRestarting, Action::kNone},
    /* kFinished      */ {State::kBackoff, Action::kScheduleRestart},
    /* kDied          */ {State::kBackoff, Action::kScheduleRestart},
    /* kUnusable      */ {State::kParked, Action::kReportParked},
    /* kTimer         */ {State::kRestarting, Action::kKill},
    /* kStopAsked     */ {State::kRestarting, Action::kNone},
    /* kReload        */ {State::kRestarting, Action::kNone},
    /* kLinkEnded     */ {State::kRestarting, Action::kNone},
    /* kHeartbeatLost */ {State::kRestarting, Action::kNone},
    /* kRestartAsked  */ {State::kRestarting, Action::kNone},
}};

// In the order of WorkerState.
constexpr std::array<Row, kWorkerStates> kTable = {{kDownRow, kStartingRow, kUpRow, kBackoffRow,
                                                    kParkedRow, kStoppingRow, kStoppedRow, kRestartingRow}};

// A process is started only where there is none, and a state without one is left behind by no signal.
constexpr bool IsSound() {
  for (size_t s = 0; s < kWorkerStates; ++s) {
    for (const Decision& cell : kTable[s]) {
      const bool signals = cell.action == Action::kKill || cell.action == Action::kAbort ||
                           cell.action == Action::kCloseLink || cell.action == Action::kAskToLeave;
      const bool has_process = HasProcess(static_cast<State>(s));
      if (cell.action == Action::kSpawn && (has_process || cell.next != State::kStarting)) return false;
      if (signals && (!has_process || !HasProcess(cell.next))) return false;
    }
  }
  return true;
}
static_assert(IsSound());

constexpr std::array<std::string_view, kWorkerStates> kStateNames = {
    "down", "starting", "up", "backoff", "parked", "stopping", "stopped", "restarting"};
constexpr std::array<std::string_view, kWorkerEvents> kEventNames = {
    "start", "ready", "finished", "died", "unusable", "timer", "stop asked", "reload", "link ended",
    "heartbeat lost", "restart asked"};

}  // namespace

Decision Decide(WorkerState state, WorkerEvent event) {
  return kTable[static_cast<size_t>(state)][static_cast<size_t>(event)];
}

std::string_view NameOf(WorkerState state) { return kStateNames[static_cast<size_t>(state)]; }
std::string_view NameOf(WorkerEvent event) { return kEventNames[static_cast<size_t>(event)]; }

}  // namespace dory::supervisor
