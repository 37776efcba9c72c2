// A whole worker whose broker does not take who we are. Every test ends with the books balancing.

#include "kafka_worker/authorization_deadline.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "tests/unit/kafka_worker/worker_fixture.h"

namespace dory::kafka {
namespace {

using Values = std::vector<std::string>;

constexpr int16_t kWrongToken = 58;

class AuthorizationDeadlineTest : public WorkerFixture {
 protected:
  AuthorizationDeadlineTest() {
    const int fd = ::mkstemp(token_file_);
    if (fd < 0 || ::write(fd, "token\n", 6) != 6) std::abort();
    ::close(fd);
    Configure("batch_time = 1ms\n", std::string("security_protocol = SASL_PLAINTEXT\n[sasl]\nmechanism = OAUTHBEARER\n"
                                                "token_file = ") + token_file_ + "\n");
    context_.config.topic_defaults.authorization_deadline_ms = 100;
    broker_.sasl_code = 0;
  }
  ~AuthorizationDeadlineTest() override { ::unlink(token_file_); }

  // A life that delivers three messages, loses the connection with one on its way, is refused from then on while
  // four more come, and goes on until nothing is buffered.
  void LiveWhileItIsTakenBack(bool appends) {
    first_ = AppendMany(3, "first");
    int stage = 0;
    EXPECT_TRUE(LiveUntil([&] {
      if (stage == 0 && IsSettled()) {
        stage = 1;
        broker_.script[0] = {{.appends = appends, .cuts = true}};
        AppendMany(1, "cut");
        RingBell();
      } else if (stage == 1 && broker_.seen[0].size() == 2) {
        stage = 2;
        broker_.sasl_code = kWrongToken;
        AppendMany(4, "more");
        RingBell();
      }
      return stage == 2 && IsSettled();
    }));
    segment_.ExpectBalance();
  }

  char token_file_[32] = "/tmp/dory-unit-token.XXXXXX";
  Values first_;
};

TEST_F(AuthorizationDeadlineTest, WithoutADeadlineMessagesWait) {
  context_.config.topic_defaults.authorization_deadline_ms = 0;
  const Values values = AppendMany(5);
  broker_.sasl_code = kWrongToken;
  EXPECT_TRUE(LiveUntil([this] {
    if (broker_.connections > 4) broker_.sasl_code = 0;
    return IsSettled();
  }));
  EXPECT_EQ(broker_.log[0], values);
}

TEST_F(AuthorizationDeadlineTest, WhatWaitsFromTheStartIsDiscarded) {
  AppendMany(5);
  broker_.sasl_code = kWrongToken;
  Deliver();
  EXPECT_EQ(Books().DiscardedFor(shm::Discard::kNotAuthorized), 5u);
  EXPECT_EQ(broker_.metadata_requests, 0u);
  broker_.sasl_code = 0;
  const Values more = AppendMany(5, "more");
  Deliver();
  EXPECT_EQ(broker_.log[0], more);
}

// One that can't say, since it is a fault of its own, does not refuse us.
TEST_F(AuthorizationDeadlineTest, AnotherErrorIsNoRefusal) {
  const Values values = AppendMany(5);
  broker_.sasl_code = -1;
  EXPECT_TRUE(LiveUntil([this] {
    if (broker_.connections > 5) broker_.sasl_code = 0;
    return IsSettled();
  }));
  EXPECT_EQ(broker_.log[0], values);
}

TEST_F(AuthorizationDeadlineTest, WhatWasNeverSentIsDiscardedAndWhatMayBeInTheLogGoesByOnAmbiguous) {
  context_.config.topic_defaults.on_ambiguous = dory::OnAmbiguous::kAtMostOnce;
  LiveWhileItIsTakenBack(true);
  EXPECT_EQ(Books().DiscardedFor(shm::Discard::kAmbiguous), 1u);
  EXPECT_EQ(Books().DiscardedFor(shm::Discard::kNotAuthorized), 4u);
  EXPECT_EQ(Books().PossibleDuplicates(), 0u);
  broker_.sasl_code = 0;
  const Values more = AppendMany(2, "again");  // under another epoch
  Deliver();
  first_.insert(first_.end(), {"cut0", more[0], more[1]});
  EXPECT_EQ(broker_.log[0], first_);
}

TEST_F(AuthorizationDeadlineTest, WhatMayBeInTheLogIsCountedWhereItWouldGoAgain) {
  LiveWhileItIsTakenBack(false);
  EXPECT_EQ(Books().DiscardedFor(shm::Discard::kNotAuthorized), 5u);
  EXPECT_EQ(Books().PossibleDuplicates(), 1u);
  broker_.sasl_code = 0;
  const Values more = AppendMany(2, "again");
  Deliver();
  first_.insert(first_.end(), more.begin(), more.end());
  EXPECT_EQ(broker_.log[0], first_);
}

// Batches of a life before, of a topic of which this one was told nothing.
TEST_F(AuthorizationDeadlineTest, BatchesOfAnEarlierLifeAreDiscardedToo) {
  AppendMany(1);
  Deliver();
  broker_.holds = true;
  AppendMany(2, "sent");
  EXPECT_TRUE(LiveUntil([this] { return CountSent() == 1; }));
  AppendMany(3, "open");
  EXPECT_TRUE(LiveUntil([this] { return FindBatch(shm::BatchState::kOpen) != nullptr; }));
  broker_.GoOn();
  broker_.sasl_code = kWrongToken;
  AppendMany(2, "waits");
  Deliver();
  EXPECT_EQ(Books().DiscardedFor(shm::Discard::kNotAuthorized), 7u);
  EXPECT_EQ(Books().PossibleDuplicates(), 2u);
  broker_.sasl_code = 0;
  const Values more = AppendMany(2, "again");
  Deliver();
  EXPECT_EQ(Values(broker_.log[0].end() - 2, broker_.log[0].end()), more);
}

}  // namespace
}  // namespace dory::kafka
