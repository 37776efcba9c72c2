// What a worker is born with, and nothing else: its control link, the inherited descriptors that Hello
// names, its lane and generation, the read-only configuration.
//
// Order: BeginWorker sets PDEATHSIG, reads Hello from descriptor 3, checks the layout, opens the log;
// the worker then maps, recovers and calls SendReady. Only after READY is it Up for the supervisor.
// Errors: exit codes are an interface: kExitConfig, kExitSegment; anything else is a crash.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/config.h"
#include "common/control_link.h"
#include "common/event_loop.h"

namespace dory::control {
class WorkerStatus;
}

namespace dory {

inline constexpr int kExitAsked = 0;
inline constexpr int kExitConfig = 10;
inline constexpr int kExitSegment = 11;
inline constexpr int kControlFd = 3;

// What a worker does with the supervisor's messages. All are called from the loop.
struct WorkerHandlers {
  std::function<void(const Config& config)> on_config;
  std::function<void(control::WorkerStatus* status)> fill_status;
  std::function<void(bool drain)> on_drain;  // whether to drain from now on
  std::function<void(const std::string& json)> on_status_json;  // dory-status
  std::function<void()> on_link_end;  // the supervisor has gone, or wants this worker to stop
};

struct WorkerContext {
  EventLoop loop;
  std::string name;  // "intake-0", "kafka-0", "status"
  uint32_t lane = 0;
  uint64_t generation = 0;
  std::string segment_folder;
  Config config;
  bool drain = false;  // Hello's: SendReady calls on_drain
  std::map<std::string, int> descriptors;
  std::unique_ptr<ControlLink> link;
  WorkerHandlers handlers;

  // REQUIRES: Hello named it (Descriptor) or the worker can do without (-1 from FindDescriptor).
  int Descriptor(const std::string& descriptor_name) const;
  int FindDescriptor(const std::string& descriptor_name) const;

  // Config, log reopening, status, leave and pause (it blocks here, so that nothing moves) are handled
  // from now on. REQUIRES: the handlers are set.
  void SendReady();
};

// `program` is "intake", "kafka" or "status"; `death_signal` what the kernel sends when the supervisor dies;
// `layout` is shm::kLayoutNumber (0: not compared; Segment::Map refuses another layout as well).
// INT, HUP, PIPE and TERM are ignored from here on: a worker ends when its control link does.
// Ends the process with an exit code of the interface where it can't be a worker.
std::unique_ptr<WorkerContext> BeginWorker(const std::string& program, int death_signal,
                                           uint32_t layout = 0);

}  // namespace dory
