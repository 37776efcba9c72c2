// A doorbell: how one process wakes another that waits for the ring to change, and only then.
//
//     sleeper                               waker
//     PrepareSleep: sleep word odd          change what the sleeper waits for (tail, head)
//     fence seq_cst                         fence seq_cst
//     look once more; nothing: epoll        sleep word odd? write the eventfd
//     woken: CancelSleep: even
//
// One of the two sees the other's store, so no wake-up is lost, and a busy peer costs no system call.
//
// Owner: the sleep word is written by the sleeper alone. The waker does not remember whom it woke: a
//   sleeper that is woken twice looks twice.
// On crash: a new waker signals once, whatever the word says; a new sleeper looks before it sleeps.

#pragma once

#include <cstdint>

namespace dory::shm {

class DoorbellSleeper {
 public:
  // A word that an earlier life left odd is made even by the first CancelSleep.
  DoorbellSleeper(uint64_t* word, int event_fd);

  // After it the caller looks once more, and only sleeps if there is nothing.
  void PrepareSleep();
  void CancelSleep();
  bool asleep() const { return asleep_; }

  // Takes the signal off the eventfd.
  void Clear();
  int fd() const { return event_fd_; }

 private:
  uint64_t* word_;
  int event_fd_;
  bool asleep_;
};

class DoorbellWaker {
 public:
  DoorbellWaker(const uint64_t* word, int event_fd) : word_(word), event_fd_(event_fd) {}

  // Call after the store that the sleeper waits for.
  void WakeIfAsleep();

  // At a start: whatever the word says.
  void Wake();

 private:
  const uint64_t* word_;
  int event_fd_;
};

}  // namespace dory::shm
