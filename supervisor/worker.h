// One worker as the supervisor sees it: its process, its control link, its slot in the segment.
// dory-status has no part in the segment: whether it lives is asked over its link.
//
// Owner: the supervisor. worker_state.h decides, this carries out.
// Order: a successor is forked only after its predecessor was reaped (OnReaped), so that each region of
//   the segment has one writer at a time.

#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/control.pb.h"
#include "common/control_link.h"
#include "common/event_loop.h"
#include "common/file_descriptor.h"
#include "shm/segment.h"
#include "supervisor/backoff.h"
#include "supervisor/heartbeat.h"
#include "supervisor/worker_state.h"

namespace dory::supervisor {

inline constexpr int64_t kReadyLimitMs = 10'000;
inline constexpr int64_t kStopLimitMs = 10'000;

struct WorkerSpec {
  std::optional<shm::Role> role;        // kIntake or kKafka; none: dory-status
  uint32_t lane = 0;                    // of who has a role
  std::string program;                  // path
  std::vector<std::pair<std::string, int>> descriptors;
  std::function<Result<FileDescriptor>()> open_link;  // one more, "connections", that each process has anew
};

class Worker;

// What all workers share, and whom they tell. Outlives them.
struct WorkerHost {
  EventLoop* loop = nullptr;
  shm::Segment* segment = nullptr;
  std::string segment_folder;
  std::string config;               // DumpConfig
  bool draining = false;            // workers are born so: drain of control.proto
  bool spawns_held = false;         // while a check counts what is buffered
  std::function<void(Worker&)> on_change;  // its state has changed
  std::function<void(Worker&, const control::FromWorker&)> on_message;
};

class Worker {
 public:
  Worker(WorkerHost* host, WorkerSpec spec);

  void Handle(WorkerEvent event);

  // Looks whether the process has ended, and takes it from there.
  void Reap();

  // The heartbeat's, every kLookIntervalMs. A worker without a page is asked, and has to have answered.
  void Look();

  // Nothing happens where there is no worker to hear it.
  void Send(const control::ToWorker& message);

  // For a supervisor that can't wait any longer.
  void KillNow();

  const std::string& name() const { return name_; }
  std::optional<shm::Role> role() const { return spec_.role; }
  uint32_t lane() const { return spec_.lane; }
  WorkerState state() const { return state_; }
  pid_t pid() const { return pid_; }
  uint64_t generation() const { return generation_; }
  const DeathRecord& deaths() const { return deaths_; }

 private:
  void Act(WorkerAction action);
  void SpawnProcess();
  Status ForkAndGreet();
  control::ToWorker MakeHello(int connections) const;
  void OpenLink(int fd);
  void OnFrame(const std::string& frame);
  void OnTimer();
  void OnReaped(int wait_status);
  WorkerEvent JudgeEnd(int wait_status) const;
  void FillSlot(pid_t pid);
  void AskForLife();
  std::string DescribeLastStep() const;
  uint64_t Heartbeat() const;
  uint64_t Progress() const;
  const shm::WorkerPage& Page() const;
  shm::WorkerSlot& Slot();

  WorkerHost* host_;
  const WorkerSpec spec_;
  const std::string name_;
  WorkerState state_ = WorkerState::kDown;
  pid_t pid_ = 0;
  uint64_t generation_ = 0;
  uint64_t progress_at_ready_ = 0;
  int64_t last_start_ms_ = 0;
  bool was_ready_ = false;
  std::unique_ptr<ControlLink> link_;
  Timer timer_;
  HeartbeatWatch heartbeat_;
  uint64_t asked_ = 0;     // the last number that a worker without a page was asked for,
  uint64_t answered_ = 0;  // and that it has answered
  DeathRecord deaths_;
};

// "ended by signal 9 (Killed)", "exit status 1".
std::string DescribeEnd(int wait_status);

}  // namespace dory::supervisor
