#include "shm/doorbell.h"

#include <unistd.h>

#include <atomic>

#include "shm/store.h"

namespace dory::shm {

DoorbellSleeper::DoorbellSleeper(uint64_t* word, int event_fd)
    : word_(word), event_fd_(event_fd), asleep_((Load(*word) & 1) != 0) {}

void DoorbellSleeper::PrepareSleep() {
  if (!asleep_) Store(*word_, Load(*word_) | 1);
  asleep_ = true;
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

void DoorbellSleeper::CancelSleep() {
  if (asleep_) Store(*word_, (Load(*word_) | 1) + 1);
  asleep_ = false;
}

void DoorbellSleeper::Clear() {
  uint64_t count;
  // EAGAIN: somebody else's wake-up was already taken; nothing to do either way.
  [[maybe_unused]] const ssize_t got = ::read(event_fd_, &count, sizeof(count));
}

void DoorbellWaker::WakeIfAsleep() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if ((Load(*word_) & 1) != 0) Wake();
}

void DoorbellWaker::Wake() {
  const uint64_t one = 1;
  // It fails only where the counter is full, and then the sleeper is signalled already.
  [[maybe_unused]] const ssize_t put = ::write(event_fd_, &one, sizeof(one));
}

}  // namespace dory::shm
