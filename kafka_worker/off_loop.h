// A call that may take long, made by a thread of its own, so that it does not stop the event loop.
//
// Owner: whoever waits for the result. A call can't be ended: one that nobody waits for any more goes on,
//   and its result is left behind.
// Errors: at most kMostCallsOffLoop run in this process at a time; beyond that none begins.

#pragma once

#include <sys/eventfd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "common/event_loop.h"
#include "common/file_descriptor.h"
#include "common/status.h"

namespace dory::kafka {

inline constexpr int kMostCallsOffLoop = 64;
inline std::atomic<int> calls_off_loop = 0;

template <typename T>
class OffLoop {
 public:
  // `callback` is called from the loop, once for each Start that succeeded.
  OffLoop(EventLoop& loop, std::function<void(T)> callback) : loop_(loop), callback_(std::move(callback)) {}

  bool running() const { return running_; }

  // REQUIRES: not running(). `call` keeps alive what it uses.
  Status Start(std::function<T()> call) {
    if (shared_ == nullptr) {
      shared_ = std::make_shared<Shared>();
      if (!shared_->bell.valid()) return Status::Errno("eventfd");
      watcher_ = std::make_unique<IoWatcher>(loop_, shared_->bell.get(), [this](int) { OnBell(); });
      watcher_->Watch(kReadable);
    }
    if (calls_off_loop.fetch_add(1) >= kMostCallsOffLoop) {
      calls_off_loop.fetch_sub(1);
      return Status::Error(std::to_string(kMostCallsOffLoop) + " calls do not come to an end");
    }
    try {
      std::thread([shared = shared_, call = std::move(call)] { Make(*shared, call); }).detach();
    } catch (const std::system_error& error) {
      calls_off_loop.fetch_sub(1);
      return Status::Error(error.what());
    }
    running_ = true;
    return Status::Ok();
  }

 private:
  struct Shared {
    FileDescriptor bell{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    std::mutex mutex;
    std::optional<T> result;
  };

  static void Make(Shared& shared, const std::function<T()>& call) {
    T result = call();
    {
      const std::lock_guard lock(shared.mutex);
      shared.result = std::move(result);
    }
    calls_off_loop.fetch_sub(1);
    ::eventfd_write(shared.bell.get(), 1);
  }

  void OnBell() {
    eventfd_t ignored;
    ::eventfd_read(shared_->bell.get(), &ignored);
    std::optional<T> result;
    {
      const std::lock_guard lock(shared_->mutex);
      result = std::exchange(shared_->result, std::nullopt);
    }
    if (!result) return;
    running_ = false;
    callback_(std::move(*result));
  }

  EventLoop& loop_;
  std::function<void(T)> callback_;
  bool running_ = false;
  std::shared_ptr<Shared> shared_;      // with the thread that runs
  std::unique_ptr<IoWatcher> watcher_;  // of the bell that the thread rings
};

}  // namespace dory::kafka
