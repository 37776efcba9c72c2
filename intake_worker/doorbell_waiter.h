// Waiting for the kafka worker: until it has moved `head`, where the ring has no room, or until it has stored the
// outcome of a message that a receipt was asked for.
//
// Order: the sleep word is odd before the caller looks once more; only then is the eventfd watched. It
//   stays odd until End(): every change signals while the waiting lasts.
// A timer looks once a second, while waiting only: the safety net.

#pragma once

#include <functional>

#include "common/event_loop.h"
#include "shm/doorbell.h"

namespace dory::intake {

class DoorbellWaiter {
 public:
  // `on_change` is called, from the loop, each time that it may have come. It may call End(). Several may wait at
  // one doorbell, each with its own word.
  DoorbellWaiter(EventLoop& loop, uint64_t* sleep_word, int doorbell, std::function<void()> on_change);

  // Waits from now on. The caller looks once more afterwards.
  void Begin();
  void End();
  bool waiting() const { return sleeper_.asleep(); }

 private:
  void OnSignal();

  shm::DoorbellSleeper sleeper_;
  std::function<void()> on_change_;
  IoWatcher watcher_;
  Timer timer_;
};

}  // namespace dory::intake
