// The supervisor: starts workers and starts them again, answers doryctl, stops in order.
//
// Initialization: an Instance (instance.h) is set up; the supervisor maps the segment, makes an intake and
//   a kafka worker a lane, and dory-status, and lets them start.
// Synchronization: one thread that blocks in its loop only; workers are told things over control links
//   and are never waited for.
// On crash: whatever is accepted is in the segment or in sockets; the next start is like any other.
// Errors: a worker's death is a line in the log and a restart. The supervisor ends when it is asked to.

#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/config_change.h"
#include "common/event_loop.h"
#include "shm/segment.h"
#include "supervisor/acceptor.h"
#include "supervisor/config_file.h"
#include "supervisor/control_server.h"
#include "supervisor/drainer.h"
#include "supervisor/instance.h"
#include "supervisor/pauser.h"
#include "supervisor/socket_files.h"
#include "supervisor/status_gatherer.h"
#include "supervisor/status_report.h"
#include "supervisor/stop_sequence.h"
#include "supervisor/stream_lane.h"
#include "supervisor/worker.h"

namespace dory::supervisor {

inline constexpr int kExitDone = 0;
inline constexpr int kExitError = 1;
inline constexpr int kExitMessagesLeft = 3;

class Supervisor {
 public:
  // `program_folder` is where dory-intake, dory-kafka and, unless [http] is off, dory-status are.
  Supervisor(ConfigFile file, Instance instance, shm::Segment segment, const std::string& program_folder);

  // Until it was stopped. Returns the exit status.
  int Run();

 private:
  void MakeStreamLanes();
  void MakeWorkers(const std::string& program_folder);
  void WatchSignals();
  void OnChildEnded();
  void OnWorkerChange(Worker& worker);
  void OnWorkerMessage(Worker& worker, const control::FromWorker& message);
  void OnDoryStatusMessage(Worker& worker, const control::FromWorker& message);
  void TellStreamLane(const Worker& worker);
  void TellDegraded(const Worker& worker);

  void OnRequest(ControlServer::SessionId session, const control::Request& request);
  void AnswerPause(ControlServer::SessionId session, uint64_t pause_ms);
  void AnswerResume(ControlServer::SessionId session);
  void AnswerReload(ControlServer::SessionId session);
  void AnswerDrain(ControlServer::SessionId session, uint64_t timeout_ms);
  void AnswerUndrain(ControlServer::SessionId session);
  void AnswerRestart(ControlServer::SessionId session, const std::string& name);
  void AnswerStatus(ControlServer::SessionId session, const GatheredStatus& gathered);
  void AnswerDoryStatus(Worker& worker);
  StatusFacts GatherFacts(const GatheredStatus& gathered) const;
  void AddHttpWarnings(std::vector<Warning>* warnings) const;
  std::string DescribeState() const;

  // Nothing changes where the file has a fault or an option needs a restart.
  Result<std::vector<ConfigChange>> Reload();
  Result<std::vector<ConfigChange>> ReloadAndSay(const char* who);
  void TellConfig();

  void OnStopSignal();
  void BeginStop(const std::string& why);
  void AdvanceStop();
  void EnterPhase(StopPhase phase);
  StopFacts LookForStop() const;
  void AskToStop(std::optional<shm::Role> role);
  bool AllInState(std::optional<shm::Role> role, std::initializer_list<WorkerState> states) const;
  void ReopenLogs();

  uint64_t CountBuffered() const;
  uint64_t CountOverflow() const;
  int SayLastWords();

  ConfigFile file_;
  Instance instance_;
  shm::Segment segment_;
  EventLoop loop_;
  WorkerHost host_;
  std::vector<std::unique_ptr<StreamLane>> stream_lanes_;  // none: no input is a stream
  Acceptor acceptor_;
  SocketFiles socket_files_;
  std::vector<std::unique_ptr<Worker>> workers_;
  StatusGatherer gatherer_;
  Pauser pauser_;
  Drainer drainer_;
  ControlServer control_;
  Timer look_;
  Timer stop_poll_;
  std::vector<std::unique_ptr<SignalWatcher>> signals_;
  std::set<std::string> degraded_;  // workers for which it was said
  std::vector<Warning> http_warnings_;  // what dory-status has told
  std::set<ControlServer::SessionId> awaiting_stop_;
  StopPhase phase_ = StopPhase::kRunning;
  int64_t started_ms_;
  int64_t started_at_;  // seconds since 1970
  int64_t stop_began_ms_ = 0;
  bool stop_asked_ = false;
  bool hand_over_failed_ = false;  // a stream connection did not get to an intake
  bool drain_failed_ = false;      // an intake could not complete its final drain
};

}  // namespace dory::supervisor
