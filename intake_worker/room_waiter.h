// Waiting for room in the ring: sockets are left unread, which is back-pressure, until the kafka worker
// has moved `head`.
//
// Order: the sleep word is odd before the caller looks once more; only then is the eventfd watched. It
//   stays odd until End(): every move of `head` signals while the waiting lasts.
// A timer looks once a second, while waiting only: the safety net.

#pragma once

#include <functional>

#include "common/event_loop.h"
#include "shm/doorbell.h"

namespace dory::intake {

class RoomWaiter {
 public:
  // `on_change` is called, from the loop, each time that there may be room. It may call End().
  RoomWaiter(EventLoop& loop, uint64_t* sleep_word, int room_doorbell, std::function<void()> on_change);

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
