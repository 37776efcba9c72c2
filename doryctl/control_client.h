// A session with a running dory: one request, then its answers, without an event loop of its own.
//
// Errors: `not_running` where nobody listens; everything else is told as the supervisor or the kernel
//   says it.

#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "common/control.pb.h"
#include "common/control_link.h"
#include "common/event_loop.h"
#include "common/status.h"

namespace dory::doryctl {

inline constexpr int64_t kAnswerLimitMs = 5000;

class ControlClient {
 public:
  // `*not_running` tells whether that is what failed.
  static Result<ControlClient> Connect(const std::string& run_dir, bool* not_running);

  // Sends a request and waits for its answer; an answer that is an error fails.
  Result<control::Response> Ask(control::Request request, int64_t timeout_ms = kAnswerLimitMs);

  // One more answer, for up to `timeout_ms`.
  Result<control::Response> WaitForAnswer(int64_t timeout_ms);

  // Waits until the process at the other end has ended.
  Status WaitForEnd(int64_t timeout_ms) const;

 private:
  explicit ControlClient(int fd);

  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<ControlLink> link_;
  pid_t peer_ = 0;
};

}  // namespace dory::doryctl
