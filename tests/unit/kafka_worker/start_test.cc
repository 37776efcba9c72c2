// Lives that end in any state, and the next one: states set by hand, and whole workers.

#include "kafka_worker/start.h"

#include <gtest/gtest.h>

#include "tests/unit/kafka_worker/drain_fixture.h"
#include "tests/unit/kafka_worker/worker_fixture.h"

namespace dory::kafka {
namespace {

using Values = std::vector<std::string>;
using RecoverTest = DrainFixture;

TEST_F(RecoverTest, ADiscardThatWasNotCountedIsCountedOnce) {
  segment_.Append(0, "discarded");
  uint64_t& counter = memory_->books[0].discarded[static_cast<size_t>(shm::Discard::kUnknownTopic)];
  memory_->consumer->cell = {memory_->CounterIndex(&counter), 1, segment_.producer().tail, 0, 0, 0};
  Restart();
  EXPECT_EQ(Head(), segment_.producer().tail);
  EXPECT_EQ(memory_->consumer->cell.done, Head());
  Restart();
  EXPECT_EQ(segment_.ExpectBalance().books.DiscardedFor(shm::Discard::kUnknownTopic), 1u);
}

// After a kill anywhere between C10 and C12 the redo comes to the same.
TEST_F(RecoverTest, AnAckedWindowIsSettledOnce) {
  Topic& topic = MakeKnown(0);
  for (int i = 0; i < 5; ++i) segment_.AppendKeyed(0, 1, "v");
  drain_->DrainRing(0);
  const BatchId batch = topic.partitions[1].keyed.at(0);
  shm::BatchDescriptor& descriptor = memory_->pool.writable(batch);
  descriptor.base_sequence = INT32_MAX - 2;
  descriptor.epoch = 3;
  descriptor.producer_index = 0;
  descriptor.total_after = 3;
  SetWord(batch, shm::BatchState::kAcked, 0, 3);
  for (const uint64_t counted : {0, 3}) {
    memory_->books[0].delivered = counted;
    SetWord(batch, shm::BatchState::kAcked, 0, 3);
    Restart();
    EXPECT_EQ(memory_->books[0].delivered, 3u);
    const shm::PartitionRow& row = memory_->partitions->rows[memory_->pool.descriptor(batch).partition_row];
    EXPECT_EQ(row.sequence.next_sequence, 0);  // 2^31 is 0 again
    EXPECT_EQ(row.sequence.epoch, 3);
    EXPECT_EQ(segment_.ExpectBalance().batch_records, 2u);
    EXPECT_EQ(topics_->Get(0).partitions.at(1).keyed, BatchQueue{batch});
  }
}

TEST_F(RecoverTest, ADiscardedWindowIsCountedUnderItsReason) {
  Topic& topic = MakeKnown(0);
  segment_.AppendKeyed(0, 1, "v");
  drain_->DrainRing(0);
  const BatchId batch = topic.partitions[1].keyed.at(0);
  memory_->pool.writable(batch).discard_reason = static_cast<uint16_t>(shm::Discard::kTooLarge);
  memory_->pool.writable(batch).total_after = 1;
  SetWord(batch, shm::BatchState::kDiscarded, 0, 1);
  Restart();
  EXPECT_EQ(segment_.ExpectBalance().books.DiscardedFor(shm::Discard::kTooLarge), 1u);
  EXPECT_EQ(memory_->pool.free_blocks(), 128u);
}

TEST_F(RecoverTest, WhatWasWrittenMayBeInTheLog) {
  Topic& topic = MakeKnown(0);
  segment_.AppendKeyed(0, 0, "written");
  segment_.AppendKeyed(0, 1, "not yet");
  drain_->DrainRing(0);
  const BatchId written = topic.partitions[0].keyed.at(0);
  const BatchId not_yet = topic.partitions[1].keyed.at(0);
  SetWord(written, shm::BatchState::kSent, 0, 1);
  SetWord(not_yet, shm::BatchState::kSent, 0, 1);
  memory_->pool.writable(written).attempts = 1;
  Restart();
  EXPECT_EQ(memory_->pool.descriptor(written).unknown_outcome, 1);
  EXPECT_EQ(memory_->pool.descriptor(not_yet).unknown_outcome, 0);
}

TEST_F(RecoverTest, ADrainThatDiedBeforeItsHeadIsNotDoneTwice) {
  MakeKnown(0);
  for (int i = 0; i < 5; ++i) segment_.Append(0, std::to_string(i));
  drain_->DrainRing(0);
  shm::Store(memory_->consumer->head, 0);
  Restart();
  MakeKnown(0);
  EXPECT_FALSE(drain_->DrainRing(0).moved);
  EXPECT_EQ(segment_.ExpectBalance().buffered_counted, 5u);
}

// It died after C4 of the second record, before `first` was stored; then the next life goes on.
TEST_F(RecoverTest, AWaitingBatchIsDrainedOnceAndInOrder) {
  for (int i = 0; i < 4; ++i) segment_.Append(0, "w" + std::to_string(i));
  segment_.Append(1, "of another topic");
  drain_->DrainRing(0);
  const BatchId waiting = topics_->Get(0).waiting.at(0);
  drain_->DrainWaiting(MakeKnown(1), 0);
  shm::BatchDescriptor& batch = memory_->pool.writable(waiting);
  const shm::CommitWord commit = batch.commit;
  const shm::BatchEnd end = batch.end[0];
  shm::Store(batch.commit, {commit.bytes / 2, 2});  // only two are seen at first
  shm::Store(batch.end[0].position, end.position / 2);
  drain_->DrainWaiting(MakeKnown(0), 0);
  shm::Store(batch.commit, commit);
  shm::Store(batch.end[0].position, end.position);
  SetWord(waiting, shm::BatchState::kOpen, 0, 0);
  Restart();
  EXPECT_EQ(memory_->pool.descriptor(waiting).word.first, 2u);
  drain_->DrainWaiting(MakeKnown(0), 0);
  EXPECT_EQ(ValuesOf(topics_->Get(0).any.at(0)), (Values{"w0", "w1", "w2", "w3"}));
  EXPECT_EQ(segment_.ExpectBalance().batch_records, 5u);
}

using LivesTest = WorkerFixture;

TEST_F(LivesTest, ASentWindowIsSentAgainAsItWas) {
  const Values values = AppendMany(10);
  broker_.script[0] = {{.code = 7, .appends = true}};
  ASSERT_TRUE(LiveUntil([this] { return !broker_.seen[0].empty(); }));
  AppendMany(10, "later");
  Deliver();
  EXPECT_EQ(broker_.log[0].size(), 20u);
  EXPECT_EQ(broker_.seen[0][1].values, values);
  EXPECT_EQ(broker_.seen[0][1].sequence, 0);
}

// A life that is over before the time of its batch: the next one has to look at the clock for itself.
TEST_F(LivesTest, ABatchThatWasNotDueIsSentWhenItIs) {
  Configure("batch_time = 150ms\n");
  AppendMany(1);
  ASSERT_TRUE(LiveUntil([this] { return FindBatch(shm::BatchState::kOpen) != nullptr; }));
  EXPECT_TRUE(broker_.seen[0].empty());
  Deliver();
  EXPECT_EQ(broker_.log[0].size(), 1u);
}

TEST_F(LivesTest, ManyLivesDeliverOnceAndInOrder) {
  broker_.topics["topic"] = 3;
  std::vector<std::string> all;
  for (int life = 0; life < 12; ++life) {
    for (int i = 0; i < 40; ++i) {
      all.push_back(std::to_string(1000 + life * 40 + i));
      segment_.AppendKeyed(topic_, static_cast<uint32_t>(i), all.back());
    }
    size_t turns = 0;
    for (int32_t p = 0; p < 3; ++p) broker_.script[p] = {{.code = 7, .appends = life % 2 == 0}};
    ASSERT_TRUE(LiveUntil([&] { return ++turns > static_cast<size_t>(life); }));
    segment_.ExpectBalance();
  }
  Deliver();
  Values delivered = broker_.All();
  for (const auto& [partition, values] : broker_.log) EXPECT_TRUE(std::is_sorted(values.begin(), values.end()));
  std::sort(delivered.begin(), delivered.end());
  EXPECT_EQ(delivered, all);
}

}  // namespace
}  // namespace dory::kafka
