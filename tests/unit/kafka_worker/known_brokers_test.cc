// A whole worker whose brokers come and go: which of them it knows.

#include <set>

#include "common/control.pb.h"
#include "tests/unit/kafka_worker/worker_fixture.h"

namespace dory::kafka {
namespace {

class KnownBrokersTest : public WorkerFixture {
 protected:
  // All lead the topic where a test says so; broker 1 tells of one broker 2 at most.
  KnownBrokersTest() {
    for (FakeBroker* broker : {&broker_, &second_, &third_}) {
      broker->topics["topic"] = 1;
      broker->produce_version = 12;
      broker->metadata_version = 12;
      broker->takes_any_sequence = true;
    }
    for (FakeBroker* broker : {&second_, &third_}) {
      broker->broker_id = 2;
      broker->other_port = broker_.port();
    }
    broker_.other_port = broker_.hinted_port = second_.port();
  }

  // What the status shows, but for the bootstrap list.
  std::set<int32_t> Known() {
    control::WorkerStatus status;
    context_.handlers.fill_status(&status);
    std::set<int32_t> ids;
    for (const control::BrokerStatus& broker : status.brokers()) ids.insert(broker.id());
    ids.erase(-1);
    return ids;
  }
  bool Knows(const std::set<int32_t>& ids) { return Known() == ids; }

  FakeBroker second_{context_.loop};
  FakeBroker third_{context_.loop};
};

TEST_F(KnownBrokersTest, OneThatIsNotListedAnyMoreIsForgotten) {
  AppendMany(5);
  bool more = false;
  EXPECT_TRUE(LiveUntil([&] {
    if (!IsSettled()) return false;
    if (more) return Knows({1});
    EXPECT_TRUE(Knows({1, 2}));
    broker_.other_port = 0;
    broker_.script[0] = {{.code = 6}};  // a reason for metadata
    AppendMany(5, "more");
    RingBell();
    more = true;
    return false;
  }));
  EXPECT_EQ(broker_.log[0].size(), 10u);
}

// A broker that is down is listed by nobody.
TEST_F(KnownBrokersTest, WhatWasForOneThatDiedWaitsForTheNextLeaderWhichMayBeItElsewhere) {
  broker_.leader = second_.leader = third_.leader = 2;
  AppendMany(5);
  int step = 0;
  EXPECT_TRUE(LiveUntil([&] {
    if (step == 0 && IsSettled()) {
      EXPECT_TRUE(Knows({1, 2}));
      second_.Stop();
      broker_.other_port = 0;
      broker_.leader = -1;
      AppendMany(5, "more");
      RingBell();
      step = 1;
    } else if (step == 1 && Knows({1})) {
      EXPECT_FALSE(IsSettled());
      broker_.other_port = third_.port();
      broker_.leader = 2;
      step = 2;
    }
    return step == 2 && IsSettled();
  }));
  EXPECT_EQ(second_.log[0].size(), 5u);
  EXPECT_EQ(third_.log[0].size(), 5u);
  EXPECT_TRUE(broker_.log[0].empty());
}

// Broker 1 names it and lists it only later: what else it answers until then is behind.
TEST_F(KnownBrokersTest, OneThatLeadsStaysWhileMetadataDoesNotListIt) {
  broker_.other_port = 0;
  broker_.script[0] = {{.code = 6, .leader = 2}};
  second_.script[0] = {{.code = 3}, {.code = 3}, {.code = 3}};  // each a reason for metadata
  const std::vector<std::string> values = AppendMany(5);
  Deliver();
  EXPECT_EQ(second_.log[0], values);
  EXPECT_EQ(broker_.seen[0].size(), 1u);
  EXPECT_EQ(second_.seen[0].size(), 4u);
  EXPECT_EQ(Books().PossibleDuplicates(), 0u);
}

// Nobody would ask again for minutes.
TEST_F(KnownBrokersTest, ALeaderThatNoListHasIsAReasonForMetadata) {
  broker_.leader = 2;
  broker_.other_port = 0;
  AppendMany(5);
  EXPECT_TRUE(LiveUntil([&] {
    if (broker_.metadata_requests > 2) broker_.other_port = second_.port();
    return IsSettled();
  }));
  EXPECT_EQ(second_.log[0].size(), 5u);
}

}  // namespace
}  // namespace dory::kafka
