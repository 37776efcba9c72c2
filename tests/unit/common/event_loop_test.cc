#include "common/event_loop.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>

#include "common/file_descriptor.h"

namespace dory {
namespace {

class EventLoopTest : public ::testing::Test {
 protected:
  void Ring() { ASSERT_EQ(::eventfd_write(fd_.get(), 1), 0); }

  EventLoop loop_;
  FileDescriptor fd_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
};

TEST_F(EventLoopTest, TellsWhichDirectionsAreReady) {
  int seen = 0;
  IoWatcher watcher(loop_, fd_.get(), [&](int directions) { seen = directions; });
  watcher.Watch(kReadable);
  loop_.RunOnce(false);
  EXPECT_EQ(seen, 0);
  Ring();
  loop_.RunOnce(false);
  EXPECT_EQ(seen, kReadable);
  watcher.Watch(kReadable | kWritable);
  loop_.RunOnce(false);
  EXPECT_EQ(seen, kReadable | kWritable);
}

TEST_F(EventLoopTest, WatchesNothingAfterWatchZero) {
  int calls = 0;
  IoWatcher watcher(loop_, fd_.get(), [&](int) { ++calls; });
  Ring();
  watcher.Watch(kReadable);
  watcher.Watch(0);
  loop_.RunOnce(false);
  EXPECT_EQ(calls, 0);
}

TEST_F(EventLoopTest, AWatcherThatIsDestroyedIsNotCalled) {
  int calls = 0;
  {
    IoWatcher watcher(loop_, fd_.get(), [&](int) { ++calls; });
    watcher.Watch(kReadable);
    Ring();
  }
  loop_.RunOnce(false);
  EXPECT_EQ(calls, 0);
}

TEST_F(EventLoopTest, ATimerOfZeroFiresOnceInTheNextIteration) {
  int calls = 0;
  Timer timer(loop_, [&] { ++calls; });
  timer.StartOnce(0);
  EXPECT_TRUE(timer.active());
  loop_.RunOnce(false);
  loop_.RunOnce(false);
  EXPECT_EQ(calls, 1);
  EXPECT_FALSE(timer.active());
}

TEST_F(EventLoopTest, ATimerMayBeStartedInItsCallback) {
  int calls = 0;
  Timer timer(loop_, [] {});
  Timer again(loop_, [&] {
    if (++calls < 3) {
      again.StartOnce(0);
    } else {
      loop_.Stop();
    }
  });
  again.StartOnce(0);
  loop_.Run();
  EXPECT_EQ(calls, 3);
}

TEST_F(EventLoopTest, AStoppedTimerDoesNotFire) {
  int calls = 0;
  Timer timer(loop_, [&] { ++calls; });
  timer.StartOnce(0);
  timer.Stop();
  loop_.RunOnce(false);
  EXPECT_EQ(calls, 0);
}

TEST_F(EventLoopTest, CallsBeforeEachWait) {
  int calls = 0;
  Timer timer(loop_, [this] { loop_.Stop(); });
  loop_.SetBeforeWait([&] {
    if (++calls == 2) timer.StartOnce(0);
  });
  loop_.RunOnce(false);
  loop_.Run();
  EXPECT_EQ(calls, 2);
}

TEST_F(EventLoopTest, AStopBeforeRunHolds) {
  loop_.Stop();
  loop_.Run();
}

TEST_F(EventLoopTest, HandsSignalsToTheLoop) {
  int calls = 0;
  SignalWatcher watcher(loop_, SIGUSR2, [&] {
    ++calls;
    loop_.Stop();
  });
  ASSERT_EQ(::raise(SIGUSR2), 0);
  loop_.Run();
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace dory
