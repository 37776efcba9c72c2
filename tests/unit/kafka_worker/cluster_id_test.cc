// Another cluster answers under the same address: whole workers, and a broker that becomes another one.
//
// Its producers' ids and sequences stay as they were, as if somebody else had the same there: what goes on under
// the old id is answered as a repetition, and lost.

#include <gtest/gtest.h>

#include "tests/unit/kafka_worker/worker_fixture.h"

namespace dory::kafka {
namespace {

using Values = std::vector<std::string>;

class ClusterIdTest : public WorkerFixture {
 protected:
  std::vector<SeenBatch>& Seen() { return broker_.seen[0]; }

  void BecomeAnother() {
    broker_.cluster_id = "other";
    broker_.log.clear();
    broker_.offsets.entries.clear();
  }

  // A life that sends five and never hears of them.
  Values SendUnheard(bool appends) {
    broker_.script[0] = {{.appends = appends, .cuts = true}};
    const Values values = AppendMany(5);
    const size_t seen = Seen().size();
    EXPECT_TRUE(LiveUntil([&] { return Seen().size() > seen; }));
    return values;
  }
};

TEST_F(ClusterIdTest, AnotherClusterIsAskedForAnotherProducerId) {
  AppendMany(5);
  Deliver();
  EXPECT_EQ(Seen().back().producer_id, 1000);
  BecomeAnother();
  const Values values = AppendMany(5);
  Deliver();
  EXPECT_EQ(broker_.log[0], values);
  EXPECT_EQ(Seen().back().producer_id, 1001);
  EXPECT_EQ(Seen().back().sequence, 0);
  EXPECT_EQ(Books().PossibleDuplicates(), 0u);
}

TEST_F(ClusterIdTest, TheSameOneIsNot) {
  for (int life = 0; life < 2; ++life) {
    AppendMany(5);
    Deliver();
  }
  EXPECT_EQ(Seen().back().producer_id, 1000);
  EXPECT_EQ(Seen().back().sequence, 5);
}

TEST_F(ClusterIdTest, WhatMayBeInTheOldOneIsAPossibleDuplicate) {
  const Values values = SendUnheard(true);
  BecomeAnother();
  Deliver();
  EXPECT_EQ(broker_.log[0], values);
  EXPECT_EQ(Seen().back().producer_id, 1001);
  EXPECT_EQ(Books().PossibleDuplicates(), 5u);
}

TEST_F(ClusterIdTest, OrItIsDiscarded) {
  Configure("batch_time = 1ms\non_ambiguous = at_most_once\n");
  SendUnheard(true);
  BecomeAnother();
  Deliver();
  EXPECT_TRUE(broker_.log[0].empty());
  EXPECT_EQ(Books().DiscardedFor(shm::Discard::kAmbiguous), 5u);
  const Values values = AppendMany(5, "after");
  Deliver();
  EXPECT_EQ(broker_.log[0], values);
}

// Within a life: nothing goes there before it is known to be another one.
TEST_F(ClusterIdTest, TheFirstWordOnANewConnectionIsItsCluster) {
  AppendMany(3, "before");
  broker_.script[0] = {{.appends = true}, {.appends = true, .cuts = true, .cluster = "other"}};
  Values values;
  bool more = false;
  EXPECT_TRUE(LiveUntil([&] {
    if (!IsSettled()) return false;
    if (std::exchange(more, true)) return true;
    values = AppendMany(5, "more");
    RingBell();
    return false;
  }));
  ASSERT_EQ(Seen().size(), 3u);
  EXPECT_EQ(Seen()[1].producer_id, 1000);
  EXPECT_EQ(Seen()[1].sequence, 3);
  EXPECT_EQ(Seen()[2].producer_id, 1001);
  EXPECT_EQ(Seen()[2].sequence, 0);
  EXPECT_EQ(Seen()[2].values, values);
  EXPECT_EQ(Books().PossibleDuplicates(), 5u);
}

// What was acknowledged in the old one says nothing of where to look in this one.
TEST_F(ClusterIdTest, OffsetsOfTheOldOneAreForgotten) {
  AppendMany(5);
  Deliver();
  AppendMany(5);
  Deliver();
  EXPECT_EQ(PartitionRowOf(0).acked_offset, 5);
  BecomeAnother();
  broker_.script[0] = {{.code = 19}};
  AppendMany(5);
  const size_t seen = Seen().size();
  EXPECT_TRUE(LiveUntil([&] { return Seen().size() > seen; }));
  EXPECT_EQ(PartitionRowOf(0).acked_offset, -1);
  Deliver();
  EXPECT_EQ(PartitionRowOf(0).acked_offset, 0);
}

// A new producer id of the same cluster, here for the other partition's sake, changes nothing of its logs.
TEST_F(ClusterIdTest, OffsetsOfTheSameOneAreNot) {
  broker_.topics["topic"] = 2;
  for (int i = 0; i < 2; ++i) {
    for (const uint32_t key : {0u, 1u}) segment_.AppendKeyed(topic_, key, "before");
    Deliver();
  }
  broker_.script[0] = {{.code = 47}};
  segment_.AppendKeyed(topic_, 0, "fenced");
  Deliver();
  EXPECT_EQ(Seen().back().producer_id, 1001);
  broker_.script[1] = {{.code = 19}};
  segment_.AppendKeyed(topic_, 1, "more");
  ASSERT_TRUE(LiveUntil([&] { return broker_.seen[1].size() == 3; }));
  EXPECT_EQ(broker_.seen[1].back().producer_id, 1001);
  EXPECT_EQ(PartitionRowOf(0).acked_offset, 2);
  EXPECT_EQ(PartitionRowOf(1).acked_offset, 1);
  Deliver();
}

// It is about to be asked for in the old log: the new one's says nothing, whatever stands there.
TEST_F(ClusterIdTest, ALookIntoAnotherLogSaysNothing) {
  broker_.offers_fetch = true;
  const Values values = SendUnheard(true);
  broker_.offsets.code = 6;
  const size_t asked = broker_.offsets.asked;
  ASSERT_TRUE(LiveUntil([&] { return broker_.offsets.asked > asked; }));
  broker_.log.clear();
  broker_.cluster_id = "other";
  broker_.offsets.code = 0;
  Deliver();
  EXPECT_EQ(broker_.log[0], values);
  EXPECT_EQ(Books().PossibleDuplicates(), 5u);
}

TEST_F(ClusterIdTest, ABrokerWithoutAClusterIdWillDo) {
  broker_.cluster_id.clear();
  const Values values = AppendMany(5);
  Deliver();
  EXPECT_EQ(broker_.log[0], values);
}

}  // namespace
}  // namespace dory::kafka
