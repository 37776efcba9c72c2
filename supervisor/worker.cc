#include "supervisor/worker.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "common/clock.h"
#include "common/log.h"
#include "common/worker_context.h"
#include "shm/breadcrumb.h"
#include "shm/store.h"
#include "supervisor/process_facts.h"
#include "supervisor/spawn.h"

namespace dory::supervisor {
namespace {

constexpr int64_t kHeldSpawnLookMs = 20;

std::string MakeName(const WorkerSpec& spec) {
  if (!spec.role) return "status";
  return (spec.role == shm::Role::kIntake ? "intake-" : "kafka-") + std::to_string(spec.lane);
}

}  // namespace

std::string DescribeEnd(int wait_status) {
  if (WIFEXITED(wait_status)) return "exit status " + std::to_string(WEXITSTATUS(wait_status));
  const int number = WTERMSIG(wait_status);
  return "ended by signal " + std::to_string(number) + " (" + ::strsignal(number) + ")";
}

Worker::Worker(WorkerHost* host, WorkerSpec spec)
    : host_(host), spec_(std::move(spec)), name_(MakeName(spec_)), timer_(*host->loop, [this] { OnTimer(); }) {
  if (spec_.role) generation_ = Slot().generation;
}

void Worker::Handle(WorkerEvent event) {
  const Decision decision = Decide(state_, event);
  const bool changed = decision.next != state_;
  if (changed) LogDebug("{}: {}: {} -> {}", name_, NameOf(event), NameOf(state_), NameOf(decision.next));
  state_ = decision.next;
  Act(decision.action);
  if (changed) host_->on_change(*this);
}

void Worker::Act(WorkerAction action) {
  switch (action) {
    case WorkerAction::kNone: break;
    case WorkerAction::kSpawn: SpawnProcess(); break;
    case WorkerAction::kMarkUp:
      timer_.Stop();
      was_ready_ = true;
      progress_at_ready_ = Progress();
      heartbeat_.Begin(Heartbeat());
      LogInfo("{} is up (pid {}, generation {})", name_, pid_, generation_);
      break;
    case WorkerAction::kScheduleRestart:
      timer_.StartOnce(RestartDelayMs(deaths_.barren(), last_start_ms_, MonotonicMs()));
      break;
    case WorkerAction::kReportParked:
      timer_.Stop();
      LogError("{} can't work with this configuration or segment: parked until a reload or a restart", name_);
      break;
    case WorkerAction::kCloseLink:
      link_->Shutdown();
      timer_.StartOnce(kStopLimitMs);
      if (!spec_.role) KillNow();  // it has nothing to finish, and no stop waits for it
      break;
    case WorkerAction::kAskToLeave: {
      control::ToWorker message;
      message.set_leave(true);
      link_->Send(message);
      timer_.StartOnce(kStopLimitMs);
      break;
    }
    case WorkerAction::kCancelTimer: timer_.Stop(); break;
    case WorkerAction::kAbort:
      LogError("{} (pid {}) has not moved for {} s: aborted", name_, pid_,
               kLooksWithoutMove * kLookIntervalMs / 1000);
      ::kill(pid_, SIGABRT);
      timer_.StartOnce(kAbortGraceMs);
      break;
    case WorkerAction::kKill: KillNow(); break;
  }
}

void Worker::KillNow() {
  if (pid_ > 0) ::kill(pid_, SIGKILL);
}

void Worker::OnTimer() {
  if (state_ == WorkerState::kBackoff && host_->spawns_held) return timer_.StartOnce(kHeldSpawnLookMs);
  if (HasProcess(state_)) LogError("{} (pid {}) is {} for too long: killed", name_, pid_, NameOf(state_));
  Handle(WorkerEvent::kTimer);
}

void Worker::SpawnProcess() {
  last_start_ms_ = MonotonicMs();
  was_ready_ = false;
  const Status status = ForkAndGreet();
  if (status.ok()) return timer_.StartOnce(kReadyLimitMs);
  LogError("{}: {}", name_, status.message());
  deaths_.Add(last_start_ms_, false);
  Handle(WorkerEvent::kDied);
}

Status Worker::ForkAndGreet() {
  FileDescriptor connections;
  if (spec_.open_link) {
    Result<FileDescriptor> opened = spec_.open_link();
    if (!opened.ok()) return opened.status();
    connections = opened.Take();
  }
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return Status::Errno("socketpair");
  SpawnRequest request{spec_.program, name_, ends[1], {}};
  for (const auto& [descriptor_name, fd] : spec_.descriptors) request.inherited.push_back(fd);
  if (connections.valid()) request.inherited.push_back(connections.get());
  const Result<pid_t> pid = Spawn(request);
  ::close(ends[1]);
  if (!pid.ok()) {
    ::close(ends[0]);
    return pid.status();
  }
  pid_ = pid.value();
  ++generation_;
  FillSlot(pid_);
  OpenLink(ends[0]);
  link_->Send(MakeHello(connections.get()));
  return Status::Ok();
}

control::ToWorker Worker::MakeHello(int connections) const {
  control::ToWorker message;
  control::Hello& hello = *message.mutable_hello();
  hello.set_layout(shm::kLayoutNumber);
  if (spec_.role) hello.set_lane(spec_.lane);
  hello.set_generation(generation_);
  hello.set_config(host_->config);
  hello.set_segment_folder(host_->segment_folder);
  hello.set_supervisor_pid(::getpid());
  hello.set_drain(host_->draining);
  const auto add = [&hello](const std::string& name, int fd) {
    control::NamedDescriptor* const named = hello.add_descriptors();
    named->set_name(name);
    named->set_fd(fd);
  };
  for (const auto& [name, fd] : spec_.descriptors) add(name, fd);
  if (connections >= 0) add("connections", connections);
  return message;
}

void Worker::OpenLink(int fd) {
  link_ = std::make_unique<ControlLink>(
      *host_->loop, fd, [this](const std::string& frame) { OnFrame(frame); },
      [this](const std::string&) { Handle(WorkerEvent::kLinkEnded); });
}

void Worker::OnFrame(const std::string& frame) {
  control::FromWorker message;
  if (!message.ParseFromString(frame)) return link_->Fail("a message that can't be read");
  if (message.has_ready()) return Handle(WorkerEvent::kReady);
  if (message.has_status() && !spec_.role) answered_ = std::max(answered_, message.status().number());
  host_->on_message(*this, message);
}

void Worker::Send(const control::ToWorker& message) {
  const bool hears = state_ == WorkerState::kStarting || state_ == WorkerState::kUp;
  if (hears && link_) link_->Send(message);
}

void Worker::Look() {
  if (state_ != WorkerState::kUp) return;
  if (heartbeat_.Look(Heartbeat())) return Handle(WorkerEvent::kHeartbeatLost);
  if (!spec_.role) AskForLife();
}

void Worker::AskForLife() {
  control::ToWorker message;
  message.set_status_request(++asked_);
  Send(message);
}

std::string Worker::DescribeLastStep() const {
  if (!spec_.role) return "";
  const uint32_t step = shm::Load(Page().phase);
  return fmt::format("; its last step: {} of {}", shm::NameOfStep(step), shm::Load(Page().subject));
}

uint64_t Worker::Heartbeat() const { return spec_.role ? shm::Load(Page().heartbeat) : answered_; }

// A worker without a page has done something when it has lived to be asked.
uint64_t Worker::Progress() const { return spec_.role ? shm::Load(Page().progress) : answered_; }

void Worker::Reap() {
  int wait_status = 0;
  if (pid_ > 0 && ::waitpid(pid_, &wait_status, WNOHANG) == pid_) OnReaped(wait_status);
}

void Worker::OnReaped(int wait_status) {
  const WorkerEvent event = JudgeEnd(wait_status);
  const bool progressed = was_ready_ && Progress() != progress_at_ready_;
  if (event == WorkerEvent::kFinished) {
    LogInfo("{} (pid {}) has ended", name_, pid_);
  } else {
    LogError("{} (pid {}) died: {}{}", name_, pid_, DescribeEnd(wait_status), DescribeLastStep());
    deaths_.Add(MonotonicMs(), progressed);
  }
  pid_ = 0;
  FillSlot(0);
  link_.reset();
  timer_.Stop();
  Handle(event);
}

WorkerEvent Worker::JudgeEnd(int wait_status) const {
  const int exit_status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;
  if (exit_status == kExitConfig || exit_status == kExitSegment) return WorkerEvent::kUnusable;
  if (state_ == WorkerState::kRestarting && exit_status == kExitAsked) return WorkerEvent::kFinished;
  if (state_ != WorkerState::kStopping) return WorkerEvent::kDied;
  // An intake's successor has to complete its final drain; no other worker leaves anything undone.
  const bool done = exit_status == kExitAsked || spec_.role != shm::Role::kIntake;
  return done ? WorkerEvent::kFinished : WorkerEvent::kDied;
}

// The pid last, so that it never stands beside another process's start time.
void Worker::FillSlot(pid_t pid) {
  if (!spec_.role) return;
  shm::WorkerSlot& slot = Slot();
  shm::Store(slot.pid, 0);
  if (pid == 0) return;
  const std::optional<ProcessFacts> facts = ReadProcessFacts(pid);
  shm::Store(slot.generation, generation_);
  shm::Store(slot.start_time, facts ? facts->start_time : 0);
  shm::Store(slot.pid, pid);
}

const shm::WorkerPage& Worker::Page() const {
  return *host_->segment->Get<shm::WorkerPage>(shm::RegionKind::kWorkerPage,
                                               shm::WorkerIndex(*spec_.role, spec_.lane));
}

shm::WorkerSlot& Worker::Slot() {
  auto* const slots = host_->segment->GetWritable<shm::WorkerSlot>(shm::RegionKind::kWorkerSlots, 0);
  return slots[shm::WorkerIndex(*spec_.role, spec_.lane)];
}

}  // namespace dory::supervisor
