#include "shm/doorbell.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "common/file_descriptor.h"

namespace dory::shm {
namespace {

class DoorbellTest : public ::testing::Test {
 protected:
  bool IsSignalled() const {
    pollfd waited{fd_.get(), POLLIN, 0};
    return ::poll(&waited, 1, 0) == 1;
  }

  FileDescriptor fd_{::eventfd(0, EFD_NONBLOCK)};
  uint64_t word_ = 0;
};

TEST_F(DoorbellTest, OnlyASleeperIsSignalled) {
  DoorbellSleeper sleeper(&word_, fd_.get());
  DoorbellWaker waker(&word_, fd_.get());
  waker.WakeIfAsleep();
  EXPECT_FALSE(IsSignalled());
  sleeper.PrepareSleep();
  waker.WakeIfAsleep();
  EXPECT_TRUE(IsSignalled());
  sleeper.Clear();
  sleeper.CancelSleep();
  waker.WakeIfAsleep();
  EXPECT_FALSE(IsSignalled());
}

TEST_F(DoorbellTest, TheWordGrowsWithEverySleep) {
  DoorbellSleeper sleeper(&word_, fd_.get());
  for (uint64_t sleep = 1; sleep < 5; ++sleep) {
    sleeper.PrepareSleep();
    sleeper.PrepareSleep();
    EXPECT_EQ(word_, 2 * sleep - 1);
    sleeper.CancelSleep();
    sleeper.CancelSleep();
    EXPECT_EQ(word_, 2 * sleep);
  }
}

TEST_F(DoorbellTest, ANewWakerSignalsWhateverTheWordSays) {
  DoorbellWaker(&word_, fd_.get()).Wake();
  EXPECT_TRUE(IsSignalled());
}

// Else its peer would go on signalling a worker that is busy.
TEST_F(DoorbellTest, ANewSleeperEndsTheSleepOfTheOneBefore) {
  DoorbellSleeper(&word_, fd_.get()).PrepareSleep();
  DoorbellSleeper next(&word_, fd_.get());
  next.CancelSleep();
  EXPECT_EQ(word_ & 1, 0u);
  next.PrepareSleep();
  EXPECT_EQ(word_ & 1, 1u);
}

TEST_F(DoorbellTest, ClearingNothingDoesNotWait) {
  DoorbellSleeper sleeper(&word_, fd_.get());
  sleeper.Clear();
  EXPECT_FALSE(IsSignalled());
}

}  // namespace
}  // namespace dory::shm
