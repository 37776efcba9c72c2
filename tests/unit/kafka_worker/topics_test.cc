#include "kafka_worker/topics.h"

#include <gtest/gtest.h>

#include "tests/unit/kafka_worker/drain_fixture.h"

namespace dory::kafka {
namespace {

shm::BatchDescriptor MakeBatch(uint64_t bytes, uint64_t count) {
  shm::BatchDescriptor batch{};
  batch.word = shm::MakeBatchWord(shm::BatchState::kOpen, 0, 0);
  batch.commit.bytes = bytes & 0xffffff;
  batch.commit.count = count & 0xffffff;
  batch.first_record_boottime_ns = 1'000'000'000;
  return batch;
}

TopicConfig MakeConfig() {
  TopicConfig config;
  config.batch_time_ms = 100;
  config.batch_bytes = 1000;
  return config;
}

TEST(DueInMsTest, ByTime) {
  const auto due = [](int64_t now_ns) { return DueInMs(MakeBatch(10, 1), MakeConfig(), true, {now_ns, false}); };
  EXPECT_EQ(due(1'000'000'000), 100);
  EXPECT_EQ(due(1'000'000'001), 100);  // rounded up: then it is due for sure
  EXPECT_EQ(due(1'099'999'999), 1);
  EXPECT_EQ(due(1'100'000'000), 0);
  EXPECT_EQ(due(9'000'000'000), 0);
}

// Right behind a tick begins who was sent at it: it waits as long as it may.
TEST(DueInMsTest, TogetherWithThoseOfItsQuarter) {
  constexpr int64_t kMs = 1'000'000;
  EXPECT_EQ(FindDueNs(1000 * kMs, 100), 1100 * kMs);
  EXPECT_EQ(FindDueNs(1001 * kMs, 100), 1100 * kMs);
  EXPECT_EQ(FindDueNs(1024 * kMs, 100), 1100 * kMs);
  EXPECT_EQ(FindDueNs(1025 * kMs, 100), 1125 * kMs);
  EXPECT_EQ(FindDueNs(1000 * kMs, 1), 1001 * kMs);
  for (int64_t begun_ns = 0; begun_ns < 200 * kMs; begun_ns += 777'777) {
    const int64_t waits_ns = FindDueNs(begun_ns, 100) - begun_ns;
    EXPECT_TRUE(waits_ns > 75 * kMs && waits_ns <= 100 * kMs) << begun_ns;
  }
}

TEST(DueInMsTest, AtOnceForOtherReasons) {
  const DueRule rule{1'000'000'000, false};
  EXPECT_EQ(DueInMs(MakeBatch(1000, 1), MakeConfig(), true, rule), 0);
  EXPECT_EQ(DueInMs(MakeBatch(10, 1), MakeConfig(), false, rule), 0);  // a younger one takes the records
  EXPECT_EQ(DueInMs(MakeBatch(10, 1), MakeConfig(), true, {1'000'000'000, true}), 0);
  TopicConfig config = MakeConfig();
  config.batch_messages = 5;
  EXPECT_GT(DueInMs(MakeBatch(10, 4), config, true, rule), 0);
  EXPECT_EQ(DueInMs(MakeBatch(10, 5), config, true, rule), 0);
  config = MakeConfig();
  config.batching = Batching::kOff;
  EXPECT_EQ(DueInMs(MakeBatch(10, 1), config, true, rule), 0);
  shm::BatchDescriptor pinned = MakeBatch(10, 1);
  pinned.word = shm::MakeBatchWord(shm::BatchState::kPinned, 0, 0);
  EXPECT_EQ(DueInMs(pinned, MakeConfig(), true, rule), 0);
}

TEST(DueInMsTest, CombinedWithOthers) {
  TopicConfig config = MakeConfig();
  config.batching = Batching::kCombined;
  shm::BatchDescriptor batch = MakeBatch(10, 1);
  batch.order = 7;
  EXPECT_EQ(DueInMs(batch, config, true, {1'000'000'000, false, 7}), 100);
  EXPECT_EQ(DueInMs(batch, config, true, {1'000'000'000, false, 8}), 0);
  config.batching = Batching::kPerTopic;
  EXPECT_EQ(DueInMs(batch, config, true, {1'000'000'000, false, 8}), 100);
}

using TopicTableTest = DrainFixture;

// The first of them to wait long enough, or what they hold together, takes all with it.
TEST_F(TopicTableTest, CombinedTopicsAreDueTogether) {
  Topic& one = MakeKnown(0);
  Topic& two = MakeKnown(1);
  for (Topic* topic : {&one, &two}) topic->config.batching = Batching::kCombined;
  two.config.batch_messages = 3;
  topics_->NoteCombined(one, 10, 1000);
  topics_->NoteCombined(two, 10, 1040);
  topics_->MarkDue(1050);
  EXPECT_EQ(topics_->NextDueMs(1050), 50);
  EXPECT_FALSE(topics_->HasDirty());
  EXPECT_EQ(topics_->combined_before(), 0u);
  topics_->MarkDue(1100);
  EXPECT_EQ(topics_->NextDueMs(1100), -1);
  EXPECT_EQ(topics_->TakeDirty(), (std::vector<Topic*>{&one, &two}));
  EXPECT_EQ(topics_->combined_before(), memory_->pool.next_order());
  topics_->NoteCombined(one, 10, 2000);
  topics_->NoteCombined(one, 10, 2000);
  EXPECT_FALSE(topics_->HasDirty());
  topics_->NoteCombined(two, 10, 2000);
  EXPECT_EQ(topics_->TakeDirty(), (std::vector<Topic*>{&one, &two}));
  topics_->NoteCombined(two, 1 << 20, 3000);
  EXPECT_EQ(topics_->TakeDirty(), std::vector<Topic*>{&two});
}

TEST_F(TopicTableTest, ATopicIsMadeOnce) {
  bool created = false;
  Topic& topic = topics_->Get(1, &created);
  EXPECT_TRUE(created);
  EXPECT_EQ(topic.name, "two");
  created = false;
  EXPECT_EQ(&topics_->Get(1, &created), &topic);
  EXPECT_FALSE(created);
  EXPECT_EQ(topics_->FindByName("two"), &topic);
  EXPECT_EQ(topics_->FindByName("three"), nullptr);
}

TEST_F(TopicTableTest, PartitionRowsOutliveTheProcess) {
  const uint32_t row = topics_->EnsurePartitionRow(1, 7);
  EXPECT_EQ(topics_->EnsurePartitionRow(1, 7), row);
  EXPECT_NE(topics_->EnsurePartitionRow(0, 7), row);
  EXPECT_EQ(topics_->FindPartitionRow(1, 8), shm::kNoIndex);
  Restart();
  EXPECT_EQ(topics_->FindPartitionRow(1, 7), row);
  EXPECT_EQ(memory_->partitions->rows[row].sequence.producer_index, UINT16_MAX);
}

TEST_F(TopicTableTest, NoRowIsLeft) {
  shm::Store(memory_->partitions->count, shm::kMaxPartitions);
  EXPECT_EQ(topics_->EnsurePartitionRow(1, 7), shm::kNoIndex);
  shm::Store(memory_->partitions->count, 0);
}

TEST_F(TopicTableTest, DirtyTopicsAreTakenOnce) {
  Topic& topic = topics_->Get(0);
  topics_->MarkDirty(topic);
  topics_->MarkDirty(topic);
  EXPECT_TRUE(topics_->HasDirty());
  EXPECT_EQ(topics_->TakeDirty(), std::vector<Topic*>{&topic});
  EXPECT_FALSE(topics_->HasDirty());
}

TEST_F(TopicTableTest, TheEarliestAlarmCounts) {
  Topic& topic = topics_->Get(0);
  EXPECT_EQ(topics_->NextDueMs(0), -1);
  topics_->MarkDirtyAt(topic, 100);
  topics_->MarkDirtyAt(topic, 150);  // the first one looks, and asks again
  topics_->MarkDirtyAt(topic, 50);
  EXPECT_EQ(topics_->NextDueMs(10), 40);
  topics_->MarkDue(49);
  EXPECT_FALSE(topics_->HasDirty());
  topics_->MarkDue(50);
  EXPECT_EQ(topics_->NextDueMs(50), 50);
  EXPECT_TRUE(topics_->HasDirty());
  topics_->TakeDirty();
  topics_->MarkDirtyAt(topic, 51);  // it was looked at a moment too early
  EXPECT_EQ(topics_->NextDueMs(50), 1);
  topics_->MarkDue(51);
  topics_->TakeDirty();
  topics_->MarkDirtyAt(topic, 70);
  topics_->MarkDue(60);
  EXPECT_EQ(topics_->NextDueMs(60), 10);
  topics_->MarkDue(1000);
  EXPECT_TRUE(topics_->HasDirty());
  EXPECT_EQ(topics_->NextDueMs(1000), -1);
}

TEST_F(TopicTableTest, PartitionsWithABatchOfTheirOwnAreBusy) {
  using Indices = std::vector<size_t>;
  Topic& topic = MakeKnown(0, 9);
  segment_.Append(0, "any");
  segment_.AppendKeyed(0, 7, "keyed");
  drain_->DrainRing(0);
  EXPECT_EQ(TopicTable::ListBusy(topic), Indices{7});
  Restart();
  Topic& again = topics_->Get(0);
  EXPECT_EQ(TopicTable::ListBusy(again), Indices{7});
  Partition& partition = again.partitions[7];
  partition.batch = partition.keyed.at(0);
  partition.keyed.clear();
  partition.state = Partition::State::kInFlight;
  TopicTable::NoteBusy(again, 7);
  EXPECT_EQ(TopicTable::ListBusy(again), Indices{7});
  partition.state = Partition::State::kIdle;
  EXPECT_EQ(TopicTable::ListBusy(again), Indices{});
  TopicTable::NoteBusy(again, 7);
  partition.state = Partition::State::kAsking;
  EXPECT_EQ(TopicTable::ListBusy(again), Indices{7});
}

TEST_F(TopicTableTest, BatchesAreAdoptedWhereTheyBelong) {
  MakeKnown(0, 3);
  segment_.Append(0, "any");
  for (uint32_t key = 0; key < 3; ++key) segment_.AppendKeyed(0, key, "key");
  segment_.Append(1, "waits");
  drain_->DrainRing(0);
  Topic& before = topics_->Get(0);
  SetWord(before.partitions[1].keyed.at(0), shm::BatchState::kSent, 0, 1);
  SetWord(before.partitions[2].keyed.at(0), shm::BatchState::kPinned, 0, 0);
  Restart();
  const Topic& topic = topics_->Get(0);
  EXPECT_FALSE(topic.known);
  EXPECT_EQ(topic.any.size(), 1u);
  ASSERT_EQ(topic.partitions.size(), 3u);
  EXPECT_EQ(topic.partitions[0].keyed.size(), 1u);
  EXPECT_EQ(topic.partitions[1].state, Partition::State::kRetry);
  EXPECT_EQ(topic.partitions[2].keyed.size(), 1u);
  EXPECT_EQ(topics_->Get(1).waiting.size(), 1u);
}

// A refused sequence sent it back: it keeps its partition, also where nothing of it was settled.
TEST_F(TopicTableTest, APinnedBatchOfAnyPartitionIsAdoptedByItsPartition) {
  Topic& before = MakeKnown(0);
  segment_.Append(0, "any");
  drain_->DrainRing(0);
  const BatchId batch = before.any.at(0);
  shm::Store(memory_->pool.writable(batch).partition_row, topics_->EnsurePartitionRow(0, 1));
  Restart();
  EXPECT_EQ(topics_->Get(0).any.size(), 1u);  // it died between C6 and C7: it was never sent
  SetWord(batch, shm::BatchState::kPinned, 0, 0);
  Restart();
  EXPECT_TRUE(topics_->Get(0).any.empty());
  EXPECT_EQ(topics_->Get(0).partitions.at(1).pinned, BatchQueue{batch});
}

TEST_F(TopicTableTest, PartitionsThatHoldSomethingAreNotTakenAway) {
  Topic& topic = MakeKnown(0, 2);
  topic.partitions[1].leader = 7;
  EXPECT_TRUE(topics_->SetPartitionCount(topic, 6));
  EXPECT_EQ(topic.partitions.size(), 6u);
  EXPECT_EQ(topic.partitions[1].leader, 7);
  EXPECT_EQ(topic.partitions[4].leader, -1);
  segment_.AppendKeyed(0, 4, "value");
  drain_->DrainRing(0);
  EXPECT_TRUE(topics_->SetPartitionCount(topic, 3));
  EXPECT_EQ(topic.partition_count, 3u);
  EXPECT_EQ(topic.partitions.size(), 5u);
  topic.partitions[4].keyed.clear();
  EXPECT_TRUE(topics_->SetPartitionCount(topic, 3));
  EXPECT_EQ(topic.partitions.size(), 5u);  // listed as busy until somebody looks
  EXPECT_TRUE(TopicTable::ListBusy(topic).empty());
  EXPECT_TRUE(topics_->SetPartitionCount(topic, 3));
  EXPECT_EQ(topic.partitions.size(), 3u);
}

// A broker may tell each of them of 65,536.
TEST_F(TopicTableTest, AllTopicsTogetherHaveAsManyPartitionsAsTheSegmentHasRows) {
  Topic& first = MakeKnown(0, shm::kMaxPartitions - 2);
  Topic& second = MakeKnown(1, 2);
  EXPECT_FALSE(topics_->SetPartitionCount(second, 3));
  EXPECT_EQ(second.partition_count, 2u);
  EXPECT_EQ(second.partitions.size(), 2u);
  EXPECT_TRUE(topics_->SetPartitionCount(first, 1));
  EXPECT_TRUE(topics_->SetPartitionCount(second, shm::kMaxPartitions - 1));
}

using TopicTableDeathTest = DrainFixture;

TEST_F(TopicTableDeathTest, TwoSentBatchesOfAPartitionAreABrokenInvariant) {
  Topic& topic = MakeKnown(0);
  segment_.AppendKeyed(0, 0, "first");
  drain_->DrainRing(0);
  SetWord(topic.partitions[0].keyed.at(0), shm::BatchState::kSent, 0, 1);
  segment_.AppendKeyed(0, 0, "second");
  drain_->DrainRing(0);
  SetWord(topic.partitions[0].keyed.at(1), shm::BatchState::kSent, 0, 1);
  EXPECT_DEATH(Restart(), "");
}

TEST(LeaderTest, AnOlderEpochIsBehindForAWhile) {
  Partition partition;
  EXPECT_FALSE(IsBehind(partition, 0, 10));
  SetLeader(partition, 1, 7, 1000);
  EXPECT_TRUE(IsBehind(partition, 6, 1000));
  EXPECT_FALSE(IsBehind(partition, 7, 1000));
  EXPECT_FALSE(IsBehind(partition, -1, 1000));  // a broker that does not say
  SetLeader(partition, 2, 7, 5000);             // no newer word: the same again
  EXPECT_TRUE(IsBehind(partition, 0, 1000 + kBehindMs - 1));
  EXPECT_FALSE(IsBehind(partition, 0, 1000 + kBehindMs));
}

}  // namespace
}  // namespace dory::kafka
