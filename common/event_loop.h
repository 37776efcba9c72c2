// The event loop: a thin C++ face over libev, the only place that names it.
//
// Watchers are owned by whoever declares them and stop when they are destroyed; they must not outlive
// their loop, and none may be destroyed inside its own callback. Times are milliseconds.
// No call here allocates once a watcher exists.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace dory {

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Runs until Stop().
  void Run();
  void Stop();

  // Handles what is ready now, without waiting (wait = false), or waits for the first.
  void RunOnce(bool wait);

  // Called each time just before the loop waits; it may start watchers and timers.
  void SetBeforeWait(std::function<void()> callback);

  struct Impl;
  Impl* impl() { return impl_.get(); }

 private:
  std::unique_ptr<Impl> impl_;
};

enum IoDirection : int { kReadable = 1, kWritable = 2 };

class IoWatcher {
 public:
  // `callback` gets the directions that are ready. Not started. `fd` stays the caller's.
  IoWatcher(EventLoop& loop, int fd, std::function<void(int directions)> callback);
  ~IoWatcher();
  IoWatcher(const IoWatcher&) = delete;
  IoWatcher& operator=(const IoWatcher&) = delete;

  // Watches these directions from now on; 0 stops. Nothing happens where they are watched already.
  void Watch(int directions);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class Timer {
 public:
  Timer(EventLoop& loop, std::function<void()> callback);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Fires once, `delay_ms` from now (0: in the next iteration). A started timer starts anew.
  void StartOnce(int64_t delay_ms);
  void StartEvery(int64_t interval_ms);
  void Stop();
  bool active() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class SignalWatcher {
 public:
  // Started. REQUIRES: one loop a process watches signals.
  SignalWatcher(EventLoop& loop, int signal_number, std::function<void()> callback);
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dory
