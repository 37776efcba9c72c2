// What answers mean: a whole worker against a scripted broker. Every test ends with the books balancing.

#include "kafka_worker/settler.h"

#include <gtest/gtest.h>

#include "tests/unit/kafka_worker/worker_fixture.h"

namespace dory::kafka {
namespace {

using Values = std::vector<std::string>;
using SettlerTest = WorkerFixture;

TEST_F(SettlerTest, WhatIsAcknowledgedIsDelivered) {
  const Values values = AppendMany(100);
  Deliver();
  EXPECT_EQ(broker_.log[0], values);
  EXPECT_EQ(Books().Delivered(), 100u);
  EXPECT_EQ(PartitionRowOf(0).sequence.next_sequence, 100);
  EXPECT_EQ(broker_.empty_produces, 0u);
}

TEST_F(SettlerTest, ADuplicateIsDelivered) {
  AppendMany(10);
  broker_.script[0] = {{.code = 46}};
  Deliver();
  EXPECT_EQ(Books().Delivered(), 10u);
  EXPECT_EQ(PartitionRowOf(0).acked_offset, -1);
  AppendMany(1);
  broker_.SetSequence(0, 1000, 0, 10);
  Deliver();
  EXPECT_EQ(Books().Delivered(), 11u);
}

// Each of these says nothing of the log: the same again, and exactly once in the end.
TEST_F(SettlerTest, AnUnknownOutcomeIsSentAgain) {
  const Values values = AppendMany(10);
  broker_.script[0] = {{.code = 6}, {.appends = true, .cuts = true}, {.code = 20, .appends = true}};
  Deliver();
  EXPECT_EQ(broker_.log[0], values);
  ASSERT_EQ(broker_.seen[0].size(), 4u);
  for (const SeenBatch& batch : broker_.seen[0]) {
    EXPECT_EQ(batch.values, values);
    EXPECT_EQ(batch.sequence, 0);
    EXPECT_EQ(batch.epoch, 0);
  }
  EXPECT_EQ(Books().PossibleDuplicates(), 0u);
}

TEST_F(SettlerTest, NotEnoughReplicasIsWaitedFor) {
  const Values values = AppendMany(10);
  broker_.script[0] = {{.code = 19}, {.code = 35}};
  Deliver();
  EXPECT_EQ(broker_.log[0], values);
}

TEST_F(SettlerTest, TooLargeIsHalved) {
  const Values values = AppendMany(20);
  broker_.most_records = 3;
  Deliver();
  EXPECT_EQ(broker_.log[0], values);
  EXPECT_EQ(Books().Delivered(), 20u);
}

// A topic's batches do not grow to what its brokers have refused before.
TEST_F(SettlerTest, TheLimitIsLearntFromTheFirstThatIsTooLarge) {
  const std::string large(4'200, 'x');
  broker_.most_records = 4;
  AppendMany(32, "a" + large);
  size_t before = 0;
  EXPECT_TRUE(LiveUntil([&] {
    if (before == 0 && IsSettled()) {
      before = broker_.seen[0].size();
      AppendMany(32, "b" + large);
      RingBell();
    }
    return before > 0 && IsSettled();
  }));
  ASSERT_EQ(broker_.log[0].size(), 64u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(broker_.seen[0][i].values.size(), 32u >> i);
  for (size_t i = 3; i < broker_.seen[0].size(); ++i) EXPECT_LE(broker_.seen[0][i].values.size(), 4u);
}

TEST_F(SettlerTest, ARecordThatIsTooLargeAloneIsDiscarded) {
  AppendMany(4);
  broker_.script[0] = {{.code = 10}, {.code = 10}, {.code = 10}};
  Deliver();
  EXPECT_EQ(broker_.log[0], (Values{"m1", "m2", "m3"}));  // what is left goes whole
  EXPECT_EQ(Books().DiscardedFor(shm::Discard::kTooLarge), 1u);
}

TEST_F(SettlerTest, ANamedRecordIsDiscardedAlone) {
  AppendMany(10);
  broker_.script[0] = {{.code = 87, .names_record = 4}, {}, {.code = 87, .names_record = 0}};
  broker_.script[0][1].appends = true;
  Deliver();
  EXPECT_EQ(broker_.log[0], (Values{"m0", "m1", "m2", "m3", "m5", "m6", "m7", "m8", "m9"}));
  EXPECT_EQ(Books().DiscardedFor(shm::Discard::kRefused), 1u);
  EXPECT_EQ(Books().Delivered(), 9u);
}

TEST_F(SettlerTest, WhereNothingIsNamedTheRecordIsFound) {
  AppendMany(16);
  broker_.refused = {"m0", "m5", "m15"};
  Deliver();
  EXPECT_EQ(broker_.log[0].size(), 13u);
  EXPECT_TRUE(std::is_permutation(broker_.log[0].begin(), broker_.log[0].end(),
                                  Values{"m1", "m2", "m3", "m4", "m6", "m7", "m8", "m9", "m10", "m11", "m12", "m13",
                                         "m14"}.begin()));
  EXPECT_EQ(Books().DiscardedFor(shm::Discard::kRefused), 3u);
}

// A code of a later Kafka may come after an append, as UNKNOWN_SERVER_ERROR does.
TEST_F(SettlerTest, ACodeThatNobodyKnowsSaysNothingOfTheLog) {
  const Values values = AppendMany(5);
  broker_.script[0] = {{.code = 999, .appends = true}, {.code = -1}};
  Deliver();
  EXPECT_EQ(broker_.log[0], values);
  EXPECT_EQ(Books().Delivered(), 5u);
  EXPECT_EQ(Books().PossibleDuplicates(), 0u);
}

// INVALID_TOPIC_EXCEPTION on a Produce, which nothing makes better.
TEST_F(SettlerTest, AFinalCodeDiscardsUnderItsNameAndLeavesTheSequence) {
  AppendMany(5, "a");
  broker_.script[0] = {{.code = 17, .appends = true}};  // although it says so, the log has them
  Deliver();
  EXPECT_EQ(Books().DiscardedFor(shm::Discard::kOther), 5u);
  const Values more = AppendMany(5, "b");  // as many, with the sequence of the first five: they were lost
  Deliver();
  EXPECT_EQ(Values(broker_.log[0].begin() + 5, broker_.log[0].end()), more);
}

TEST_F(SettlerTest, WithoutAuthorizationMessagesWait) {
  const Values values = AppendMany(5);
  broker_.script[0] = {{.code = 29}, {.code = 31}, {.code = 29}};
  Deliver();
  EXPECT_EQ(broker_.log[0], values);
}

TEST_F(SettlerTest, AfterTheDeadlineWhatIsNotAuthorizedIsDiscarded) {
  context_.config.topic_defaults.authorization_deadline_ms = 100;
  AppendMany(5);
  broker_.always[0] = 29;
  Deliver();
  EXPECT_EQ(Books().DiscardedFor(shm::Discard::kNotAuthorized), 5u);
  broker_.always.clear();
  const Values more = AppendMany(5, "more");  // under the same sequence: nothing of it was taken
  Deliver();
  EXPECT_EQ(broker_.log[0], more);
  EXPECT_EQ(broker_.seen[0].back().epoch, 0);
}

// A parsed answer never closes a connection, not this one either.
TEST_F(SettlerTest, AnUnsupportedVersionIsNegotiatedAgainOnTheSameConnection) {
  const Values values = AppendMany(10);
  broker_.script[0] = {{.code = 35}};
  ASSERT_TRUE(LiveUntil([this] { return IsSettled(); }));
  EXPECT_EQ(broker_.log[0], values);
  EXPECT_EQ(broker_.seen[0][0].connection, broker_.seen[0][1].connection);
  EXPECT_EQ(broker_.api_versions_requests, broker_.connections + 1);
}

// For an hour: however often this life looks, the next batch is not sent.
TEST_F(SettlerTest, ABrokerThatAsksToBeSparedIsSpared) {
  AppendMany(1);
  broker_.throttle_ms = 3'600'000;
  int looks = 0;
  EXPECT_TRUE(LiveUntil([&] {
    if (looks == 0 && !IsSettled()) return false;
    if (looks++ == 0) {
      AppendMany(1, "next");
      RingBell();
    }
    return looks > 300;
  }));
  EXPECT_EQ(broker_.seen[0].size(), 1u);
  Deliver();  // a new connection was asked nothing
}

TEST_F(SettlerTest, ABrokerThatWasSparedIsServedAgain) {
  AppendMany(1);
  broker_.throttle_ms = 20;
  bool appended = false;
  EXPECT_TRUE(LiveUntil([&] {
    if (!IsSettled()) return false;
    if (std::exchange(appended, true)) return true;
    AppendMany(1, "next");
    RingBell();
    return false;
  }));
  EXPECT_EQ(broker_.seen[0].size(), 2u);
}

// A limit that is lowered hits a batch that is in the log already: size is looked at before duplicates.
TEST_F(SettlerTest, ARefusalAfterAnUnknownOutcomeNeverUsesTheSequenceAgain) {
  AppendMany(1, "large");
  broker_.script[0] = {{.appends = true, .cuts = true}, {.code = 10}, {.code = 10}};
  Deliver();
  EXPECT_EQ(Books().DiscardedFor(shm::Discard::kTooLarge), 1u);
  EXPECT_EQ(Books().PossibleDuplicates(), 1u);
  AppendMany(1, "next");
  Deliver();
  EXPECT_EQ(broker_.log[0], (Values{"large0", "next0"}));
}

TEST_F(SettlerTest, OutOfOrderGoesOnUnderTheNextEpochInOrder) {
  AppendMany(10, "a");
  Deliver();
  AppendMany(10, "b");
  broker_.script[0] = {{.code = 45}};
  Deliver();
  ASSERT_EQ(broker_.log[0].size(), 20u);
  EXPECT_EQ(broker_.log[0][10], "b0");
  EXPECT_EQ(broker_.seen[0].back().epoch, 1);
  EXPECT_EQ(broker_.seen[0].back().sequence, 0);
  EXPECT_EQ(Books().PossibleDuplicates(), 0u);
}

TEST_F(SettlerTest, OutOfOrderOnAResendIsSureOnlyWhereTheBrokerIsNew) {
  for (const int16_t version : {int16_t{1}, int16_t{3}}) {
    broker_.init_producer_id_version = version;
    AppendMany(10);
    broker_.script[0] = {{.code = 7}, {.code = 45}};
    Deliver();
    EXPECT_EQ(Books().PossibleDuplicates(), 10u);  // the second time none are added
  }
  EXPECT_EQ(broker_.log[0].size(), 20u);
}

TEST_F(SettlerTest, WhereSomebodyElseUsesOurIdANewOneIsTaken) {
  AppendMany(10);
  broker_.script[0] = {{.code = 47}};
  Deliver();
  EXPECT_EQ(broker_.log[0].size(), 10u);
  EXPECT_EQ(broker_.seen[0].back().producer_id, 1001);
}

TEST_F(SettlerTest, ProducerIdsMayBeRenewedMoreOftenThanTheirTableIsLong) {
  AppendMany(10);
  for (uint32_t i = 0; i < 3; ++i) broker_.script[0].push_back({.code = 47});
  auto ids = segment_.Map(shm::Role::kKafka);
  shm::Store(ids->GetWritable<shm::ProducerIds>(shm::RegionKind::kProducerIds, 0)->count, shm::kProducerIdRoom - 1);
  Deliver();
  EXPECT_EQ(broker_.log[0].size(), 10u);
  EXPECT_EQ(broker_.seen[0].back().producer_id, 1002);
}

TEST_F(SettlerTest, ABatchNeverStraddlesTheWrap) {
  AppendMany(1);
  Deliver();
  WritablePartitions().rows[0].sequence.next_sequence = INT32_MAX - 4;  // five are left
  broker_.SetSequence(0, 1000, 0, INT32_MAX - 4);
  AppendMany(5, "last");
  Deliver();
  EXPECT_EQ(broker_.seen[0].back().sequence, INT32_MAX - 4);
  EXPECT_EQ(PartitionRowOf(0).sequence.next_sequence, 0);
  EXPECT_EQ(PartitionRowOf(0).sequence.epoch, 0);
  WritablePartitions().rows[0].sequence.next_sequence = INT32_MAX - 4;
  AppendMany(6, "over");
  Deliver();
  EXPECT_EQ(broker_.seen[0].back().epoch, 1);
  EXPECT_EQ(broker_.seen[0].back().sequence, 0);
  EXPECT_EQ(broker_.log[0].size(), 12u);
}

TEST_F(SettlerTest, TheLastEpochIsFollowedByANewId) {
  AppendMany(1);
  Deliver();
  WritablePartitions().rows[0].sequence = {INT32_MAX, INT16_MAX, 0};
  AppendMany(2);
  Deliver();
  EXPECT_EQ(broker_.seen[0].back().producer_id, 1001);
  EXPECT_EQ(broker_.seen[0].back().epoch, 0);
}

// A wild write into the pool: the broker refuses it, and then nothing of it can be told apart.
TEST_F(SettlerTest, RecordsThatAWildWriteHitAreDiscardedAndOthersGoOn) {
  AppendMany(4);
  broker_.script[0] = {{.code = 19}};
  ASSERT_TRUE(LiveUntil([this] { return !broker_.seen[0].empty(); }));
  DamageSent(10);
  broker_.takes_damaged = true;
  Deliver();
  EXPECT_EQ(Books().DiscardedFor(shm::Discard::kCorrupt), 4u);
  const Values more = AppendMany(4, "more");
  Deliver();
  EXPECT_EQ(broker_.log[0], more);
}

}  // namespace
}  // namespace dory::kafka
