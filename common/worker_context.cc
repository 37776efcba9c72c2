#include "common/control.pb.h"
#include "common/worker_context.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <csignal>
#include <cstdlib>
#include <vector>

#include "common/clock.h"
#include "common/crash_point.h"
#include "common/log.h"

namespace dory {
namespace {

constexpr int64_t kHelloLimitMs = 10'000;
constexpr uint64_t kLongestPauseMs = 10'000;

[[noreturn]] void EndProcess(int exit_code, const std::string& why) {
  LogError("{}", why);
  std::_Exit(exit_code);
}

// Only the supervisor's word ends a worker: its death closes the control link, which wakes the loop.
void IgnoreSignals() {
  for (const int signal_number : {SIGINT, SIGHUP, SIGPIPE, SIGTERM}) ::signal(signal_number, SIG_IGN);
}

// Everything that this worker knows is in the segment; its successor goes on.
[[noreturn]] void EndInGoodOrder() {
  LogInfo("asked to leave for a successor");
  std::_Exit(kExitAsked);
}

control::Hello ReadHello(ControlLink* link) {
  std::string frame;
  const Result<bool> read = link->WaitForFrame(kHelloLimitMs, &frame);
  if (!read.ok()) std::_Exit(kExitAsked);  // the supervisor has gone before it said anything
  control::ToWorker message;
  if (!read.value() || !message.ParseFromString(frame) || !message.has_hello()) {
    EndProcess(EXIT_FAILURE, "no Hello on descriptor 3; workers are started by dory");
  }
  return message.hello();
}

void KeepDescriptorsFromChildren(const WorkerContext& context) {
  for (const auto& [name, fd] : context.descriptors) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  ::close_range(kControlFd, ~0u, CLOSE_RANGE_CLOEXEC);
}

Config ReadConfigOrEnd(const std::string& text) {
  Result<Config> config = ParseConfigText(text, "configuration from dory");
  if (!config.ok()) EndProcess(kExitConfig, config.status().message());
  return config.Take();
}

void ApplyHello(const std::string& program, uint32_t layout, const control::Hello& hello,
                WorkerContext* context) {
  if (hello.supervisor_pid() != 0 && hello.supervisor_pid() != ::getppid()) std::_Exit(kExitAsked);
  context->name = hello.has_lane() ? program + "-" + std::to_string(hello.lane()) : program;
  context->lane = hello.lane();
  context->generation = hello.generation();
  context->segment_folder = hello.segment_folder();
  context->drain = hello.drain();
  for (const control::NamedDescriptor& named : hello.descriptors()) {
    context->descriptors[named.name()] = named.fd();
  }
  KeepDescriptorsFromChildren(*context);
  if (layout != 0 && hello.layout() != layout) {
    EndProcess(kExitSegment, "the segment has layout " + std::to_string(hello.layout()) +
                                 ", this program reads " + std::to_string(layout));
  }
  context->config = ReadConfigOrEnd(hello.config());
#ifdef DORY_CRASH_POINTS
  SetCrashGeneration(hello.generation());
#endif
}

void OpenWorkerLog(const WorkerContext& context) {
  const Config& config = context.config;
  const Status status = OpenLog("dory-" + context.name, config.log_to, config.log_level);
  if (!status.ok()) EndProcess(kExitConfig, status.message());
}

void SendPaused(ControlLink* link) {
  control::FromWorker answer;
  answer.set_paused(true);
  link->Send(answer);
}

void AnswerStatus(WorkerContext* context, uint64_t number) {
  control::FromWorker answer;
  answer.mutable_status()->set_number(number);
  if (context->handlers.fill_status) context->handlers.fill_status(answer.mutable_status());
  context->link->Send(answer);
}

void ApplyConfig(WorkerContext* context, const std::string& text) {
  Result<Config> config = ParseConfigText(text, "configuration from dory");
  if (!config.ok()) {
    LogError("a new configuration is ignored: {}", config.status().message());
    return;
  }
  context->config = config.Take();
  const Status status = OpenLog("dory-" + context->name, context->config.log_to, context->config.log_level);
  if (!status.ok()) LogError("{}", status.message());
  if (context->handlers.on_config) context->handlers.on_config(context->config);
}

// Blocks this process, and so all that it writes, until Resume, the time's end or the link's.
void Pause(WorkerContext* context, uint64_t pause_ms, std::vector<control::ToWorker>* later) {
  SendPaused(context->link.get());
  const int64_t end_ms = MonotonicMs() + static_cast<int64_t>(std::min(pause_ms, kLongestPauseMs));
  std::string frame;
  for (int64_t now_ms = MonotonicMs(); now_ms < end_ms; now_ms = MonotonicMs()) {
    const Result<bool> read = context->link->WaitForFrame(end_ms - now_ms, &frame);
    if (!read.ok() || !read.value()) return;
    control::ToWorker message;
    if (!message.ParseFromString(frame)) return context->link->Fail("a message that can't be read");
    if (message.has_resume()) return;
    if (message.has_pause()) SendPaused(context->link.get());
    if (message.has_status_request()) AnswerStatus(context, message.status_request());
    const bool can_wait = message.has_config() || message.has_drain() || message.has_leave() || message.has_reopen_logs();
    if (can_wait) later->push_back(message);
  }
}

void Handle(WorkerContext* context, const control::ToWorker& message) {
  std::vector<control::ToWorker> later;
  switch (message.kind_case()) {
    case control::ToWorker::kHello: LogWarning("a second Hello is ignored"); break;
    case control::ToWorker::kConfig: ApplyConfig(context, message.config()); break;
    case control::ToWorker::kReopenLogs: ReopenLog(); break;
    case control::ToWorker::kStatusRequest: AnswerStatus(context, message.status_request()); break;
    case control::ToWorker::kPause: Pause(context, message.pause(), &later); break;
    case control::ToWorker::kResume: break;  // the pause was over already
    case control::ToWorker::kDrain:
      if (context->handlers.on_drain) context->handlers.on_drain(message.drain());
      break;
    case control::ToWorker::kStatusJson:
      if (context->handlers.on_status_json) context->handlers.on_status_json(message.status_json());
      break;
    case control::ToWorker::kLeave: EndInGoodOrder();
    case control::ToWorker::KIND_NOT_SET: LogWarning("a message of an unknown kind is ignored"); break;
  }
  for (const control::ToWorker& postponed : later) Handle(context, postponed);
}

void HandleFrame(WorkerContext* context, const std::string& frame) {
  control::ToWorker message;
  if (!message.ParseFromString(frame)) return context->link->Fail("a message that can't be read");
  Handle(context, message);
}

void HandleLinkEnd(WorkerContext* context) {
  if (context->handlers.on_link_end) return context->handlers.on_link_end();
  std::_Exit(kExitAsked);
}

}  // namespace

int WorkerContext::Descriptor(const std::string& descriptor_name) const {
  const int fd = FindDescriptor(descriptor_name);
  if (fd < 0) EndProcess(EXIT_FAILURE, "no descriptor '" + descriptor_name + "' from dory");
  return fd;
}

int WorkerContext::FindDescriptor(const std::string& descriptor_name) const {
  const auto found = descriptors.find(descriptor_name);
  return found == descriptors.end() ? -1 : found->second;
}

void WorkerContext::SendReady() {
  assert(handlers.on_link_end);
  control::FromWorker message;
  message.set_ready(true);
  link->Send(message);
  if (drain && handlers.on_drain) handlers.on_drain(true);
}

std::unique_ptr<WorkerContext> BeginWorker(const std::string& program, int death_signal, uint32_t layout) {
  ::prctl(PR_SET_PDEATHSIG, death_signal);
  IgnoreSignals();
  if (::fcntl(kControlFd, F_GETFD) < 0) {
    EndProcess(EXIT_FAILURE, "no control link on descriptor 3; workers are started by dory");
  }
  auto context = std::make_unique<WorkerContext>();
  WorkerContext* const raw = context.get();
  context->link = std::make_unique<ControlLink>(
      context->loop, kControlFd, [raw](const std::string& frame) { HandleFrame(raw, frame); },
      [raw](const std::string&) { HandleLinkEnd(raw); });
  ApplyHello(program, layout, ReadHello(context->link.get()), raw);
  OpenWorkerLog(*context);
  return context;
}

}  // namespace dory
