// Lookups: addresses at once, names on a thread, and what becomes of those that hang.

#include "kafka_worker/name_lookup.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "common/clock.h"

namespace dory::kafka {
namespace {

// A name server whose answers wait until they are let go.
struct HangingServer {
  std::mutex mutex;
  std::condition_variable changed;
  bool answers = false;
  int asked = 0;

  Result<SocketAddresses> LookUp() {
    std::unique_lock lock(mutex);
    ++asked;
    changed.notify_all();
    changed.wait(lock, [this] { return answers; });
    return SocketAddresses(2);
  }
  void LetGo() {
    const std::lock_guard lock(mutex);
    answers = true;
    changed.notify_all();
  }
  int CountAsked() {
    const std::lock_guard lock(mutex);
    return asked;
  }
};

class NameLookupTest : public ::testing::Test {
 protected:
  NameLookup Make(const std::string& host) {
    return NameLookup(loop_, {host, 9092}, [this](Result<SocketAddresses> found) { found_.push_back(std::move(found)); },
                      [server = server_](const HostPort&) { return server->LookUp(); });
  }
  void RunUntilFound(size_t count) {
    for (const int64_t end = MonotonicMs() + 10'000; found_.size() < count && MonotonicMs() < end;) {
      Timer tick(loop_, [] {});
      tick.StartOnce(2);
      loop_.RunOnce(true);
    }
    ASSERT_EQ(found_.size(), count);
  }

  EventLoop loop_;
  std::shared_ptr<HangingServer> server_ = std::make_shared<HangingServer>();
  std::vector<Result<SocketAddresses>> found_;
};

TEST_F(NameLookupTest, AddressesAskNobody) {
  for (const char* host : {"127.0.0.1", "::1"}) {
    NameLookup lookup = Make(host);
    lookup.Start();
    ASSERT_TRUE(found_.back().ok());
    EXPECT_EQ(ShowHost(found_.back().value().front()), host);
  }
  EXPECT_EQ(found_.size(), 2u);
  EXPECT_EQ(server_->CountAsked(), 0);
}

TEST_F(NameLookupTest, ALookupThatHangsStopsNobodyAndIsJoined) {
  NameLookup lookup = Make("slow.example");
  lookup.Start();
  EXPECT_TRUE(found_.empty());
  lookup.Cancel();
  lookup.Start();  // the first one goes on, and is for this one
  loop_.RunOnce(false);
  EXPECT_TRUE(found_.empty());
  server_->LetGo();
  RunUntilFound(1);
  EXPECT_EQ(found_[0].value().size(), 2u);
  EXPECT_EQ(server_->CountAsked(), 1);
  lookup.Start();
  RunUntilFound(2);
}

TEST_F(NameLookupTest, NobodyIsCalledAfterACancel) {
  {
    NameLookup lookup = Make("slow.example");
    lookup.Start();
    lookup.Cancel();
    NameLookup gone = Make("gone.example");
    gone.Start();
  }
  server_->LetGo();
  NameLookup last = Make("last.example");
  last.Start();
  RunUntilFound(1);
}

TEST_F(NameLookupTest, SoManyMayHangAndNoMore) {
  while (calls_off_loop > 0) std::this_thread::yield();  // those that were cancelled before end by themselves
  std::vector<std::unique_ptr<NameLookup>> lookups;
  for (int i = 0; i < kMostCallsOffLoop + 1; ++i) {
    lookups.push_back(std::make_unique<NameLookup>(
        loop_, HostPort{"slow.example", 1}, [this](Result<SocketAddresses> found) { found_.push_back(std::move(found)); },
        [server = server_](const HostPort&) { return server->LookUp(); }));
    lookups.back()->Start();
  }
  ASSERT_EQ(found_.size(), 1u);
  EXPECT_FALSE(found_[0].ok());
  server_->LetGo();
  RunUntilFound(kMostCallsOffLoop + 1);
}

TEST_F(NameLookupTest, TheSystemKnowsThisHost) {
  const Result<SocketAddresses> found = NameLookup::AskSystem({"localhost", 1});
  ASSERT_TRUE(found.ok()) << found.status().message();
  EXPECT_FALSE(found.value().empty());
  EXPECT_FALSE(NameLookup::AskSystem({"no-such-name.invalid", 1}).ok());
}

}  // namespace
}  // namespace dory::kafka
