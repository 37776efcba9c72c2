// States as a kill leaves them, built by hand: what the plan of a start says of each. The model in
// tests/model/ walks all of them; here each rule has the state that is lost or doubled without it.

#include "shm/kafka_start.h"

#include <gtest/gtest.h>

#include "tests/unit/shm/test_segment.h"

namespace dory::shm {
namespace {

class KafkaStartTest : public ::testing::Test {
 protected:
  KafkaStartTest()
      : kafka_(segment_.Map(Role::kKafka)),
        pool_(*kafka_, 0),
        consumer_(*kafka_->GetWritable<ConsumerPage>(RegionKind::kConsumer, 0)) {
    pool_.Rebuild();
    segment_.AddTopic("one");
    segment_.AddTopic("two");
  }

  // A batch of routed records; `end` is the ring position after its last one.
  BatchId AddBatch(uint32_t topic, uint64_t end, uint32_t records = 1) {
    const BatchId batch = pool_.Open({BatchKind::kAny, topic, kNoIndex, 0, 0});
    for (uint32_t i = 0; i < records; ++i) Put(batch, AsBytes("record"), end - 32 * (records - 1 - i));
    return batch;
  }

  // A waiting batch of records at these ring positions, each `kRecord` bytes long.
  BatchId AddWaiting(uint32_t topic, std::initializer_list<uint64_t> positions) {
    const BatchId batch = pool_.Open({BatchKind::kWaiting, topic, kNoIndex, 0, 0});
    for (const uint64_t position : positions) {
      struct {
        RecordHeader record;
        MessageHeader message;
      } whole{};
      whole.record.size = sizeof(whole);
      whole.record.position = position;
      whole.message.topic_row = topic;
      whole.record.crc = RecordCrc(std::as_bytes(std::span(&whole, 1)));
      Put(batch, std::as_bytes(std::span(&whole, 1)), EndOf(position));
    }
    return batch;
  }
  static uint64_t EndOf(uint64_t position) { return position + AlignRecord(kRecordOverhead); }

  void SetWord(BatchId batch, BatchState state, uint64_t first, uint64_t count) {
    Store(pool_.writable(batch).word, MakeBatchWord(state, first, count));
  }

  KafkaStart Plan() const { return PlanKafkaStart(consumer_, pool_); }

  uint32_t PlannedFirst(BatchId batch) const {
    for (const WindowMove& move : Plan().waiting) {
      if (move.batch == batch) return move.first;
    }
    return static_cast<uint32_t>(pool_.descriptor(batch).word.first);
  }

  TestSegment segment_;
  std::unique_ptr<Segment> kafka_;
  Pool pool_;
  ConsumerPage& consumer_;

 private:
  void Put(BatchId batch, ByteSpan bytes, uint64_t position) {
    const ByteSpan pieces[] = {bytes};
    pool_.Stage(batch, pieces);
    pool_.Commit(batch, bytes.size(), {position, 0, 0, 0});
  }
};

TEST_F(KafkaStartTest, NothingIsToDoInANewSegment) {
  const KafkaStart plan = Plan();
  EXPECT_EQ(plan.head, 0u);
  EXPECT_FALSE(plan.redo_cell);
  EXPECT_TRUE(plan.live.empty() && plan.to_settle.empty() && plan.to_free.empty() && plan.waiting.empty());
}

TEST_F(KafkaStartTest, HeadIsBehindWhatBatchesHave) {
  consumer_.head = 100;
  AddBatch(0, 320);
  AddBatch(1, 640);
  AddBatch(0, 480);
  EXPECT_EQ(Plan().head, 640u);
}

TEST_F(KafkaStartTest, HeadIsBehindADiscardedRecord) {
  consumer_.head = 100;
  consumer_.cell.position = 320;
  EXPECT_EQ(Plan().head, 320u);
  EXPECT_TRUE(Plan().redo_cell);
  consumer_.cell.done = 320;
  EXPECT_FALSE(Plan().redo_cell);
}

TEST_F(KafkaStartTest, OnlyTheSlotOfTheCommitCounts) {
  const BatchId batch = AddBatch(0, 320, 3);
  pool_.writable(batch).end[0].position = 10'000;  // count is 3: slot 1
  EXPECT_EQ(Plan().head, 320u);
}

TEST_F(KafkaStartTest, AFreeBatchSaysNothing) {
  const BatchId batch = AddBatch(0, 320);
  SetWord(batch, BatchState::kFree, 0, 0);
  EXPECT_EQ(Plan().head, 0u);
  EXPECT_TRUE(Plan().live.empty());
}

TEST_F(KafkaStartTest, AnEmptyOpenBatchIsFreed) {
  const BatchId empty = pool_.Open({BatchKind::kAny, 0, kNoIndex, 0, 0});
  const BatchId spent = AddBatch(0, 320, 2);
  SetWord(spent, BatchState::kPinned, 2, 0);
  EXPECT_EQ(Plan().to_free, (std::vector<BatchId>{empty, spent}));
  EXPECT_TRUE(Plan().live.empty());
}

TEST_F(KafkaStartTest, LiveBatchesComeByOrder) {
  const BatchId a = AddBatch(0, 320);
  const BatchId b = AddBatch(0, 640);
  const BatchId c = AddBatch(1, 960);
  pool_.writable(a).order = 50;
  SetWord(b, BatchState::kSent, 0, 1);
  SetWord(c, BatchState::kPinned, 0, 0);
  EXPECT_EQ(Plan().live, (std::vector<BatchId>{b, c, a}));
}

TEST_F(KafkaStartTest, ASettledBatchLivesOnlyWithWhatItsWindowLeft) {
  const BatchId whole = AddBatch(0, 320, 2);
  const BatchId part = AddBatch(1, 640, 3);
  SetWord(whole, BatchState::kAcked, 0, 2);
  SetWord(part, BatchState::kDiscarded, 1, 1);
  EXPECT_EQ(Plan().to_settle, (std::vector<BatchId>{whole, part}));
  EXPECT_EQ(Plan().live, (std::vector<BatchId>{part}));
  EXPECT_EQ(Plan().head, 640u);
}

// Without `first`: doubled. The kill came after C4 of the second record and before C5.
TEST_F(KafkaStartTest, AWaitingBatchPassesWhatItsTopicHasElsewhere) {
  const BatchId waiting = AddWaiting(0, {320, 640, 960});
  AddBatch(0, EndOf(640));
  EXPECT_EQ(PlannedFirst(waiting), 2u);
  EXPECT_EQ(Plan().head, EndOf(960));
}

// With the ends of all topics: lost. Topic two's batch is behind all that waits of topic one.
TEST_F(KafkaStartTest, TheEndsOfOtherTopicsDoNotCount) {
  const BatchId waiting = AddWaiting(0, {320, 640});
  AddBatch(1, 5000);
  EXPECT_EQ(PlannedFirst(waiting), 0u);
}

TEST_F(KafkaStartTest, TheEndsOfWaitingBatchesDoNotCount) {
  const BatchId older = AddWaiting(0, {320, 640});
  AddWaiting(0, {960, 1280});
  EXPECT_EQ(PlannedFirst(older), 0u);
  EXPECT_EQ(Plan().live.size(), 2u);
}

// Without the cell's position: counted as discarded and delivered as well.
TEST_F(KafkaStartTest, AWaitingBatchPassesItsDiscardedRecord) {
  const BatchId waiting = AddWaiting(0, {320, 640, 960});
  consumer_.cell.position = EndOf(640);
  EXPECT_EQ(PlannedFirst(waiting), 2u);
}

// The same position, but of a ring record: of this batch nothing was discarded.
TEST_F(KafkaStartTest, ADiscardFromTheRingDoesNotCount) {
  const BatchId waiting = AddWaiting(0, {320, 960});
  consumer_.cell.position = EndOf(640);
  EXPECT_EQ(PlannedFirst(waiting), 0u);
}

TEST_F(KafkaStartTest, AnEarlierPassOfTheCellIsPast) {
  const BatchId waiting = AddWaiting(0, {320, 640, 960});
  SetWord(waiting, BatchState::kOpen, 2, 0);
  consumer_.cell.position = EndOf(320);
  EXPECT_EQ(PlannedFirst(waiting), 2u);
  EXPECT_TRUE(Plan().waiting.empty());
}

TEST_F(KafkaStartTest, AWaitingBatchThatIsPassedWhollyIsNotLive) {
  const BatchId waiting = AddWaiting(0, {320, 640});
  const BatchId routed = AddBatch(0, EndOf(640));
  EXPECT_EQ(PlannedFirst(waiting), 2u);
  EXPECT_EQ(Plan().live, (std::vector<BatchId>{routed}));
}

TEST_F(KafkaStartTest, ASentBatchOfTheTopicCountsAsWell) {
  const BatchId waiting = AddWaiting(0, {320, 640});
  SetWord(AddBatch(0, EndOf(320)), BatchState::kSent, 0, 1);
  EXPECT_EQ(PlannedFirst(waiting), 1u);
}

// Records of a waiting batch lie across blocks.
TEST_F(KafkaStartTest, ALongWaitingBatchIsWalked) {
  const BatchId waiting = AddWaiting(0, {0});
  for (uint64_t i = 1; i < 1000; ++i) {
    RecordHeader header{};
    header.size = sizeof(header) + 40;
    header.position = i * 96;
    std::vector<std::byte> bytes(header.size);
    std::memcpy(bytes.data(), &header, sizeof(header));
    header.crc = RecordCrc(bytes);
    std::memcpy(bytes.data(), &header, sizeof(header));
    const ByteSpan pieces[] = {bytes};
    pool_.Stage(waiting, pieces);
    pool_.Commit(waiting, bytes.size(), {header.position + 96, 0, 0, 0});
  }
  AddBatch(0, 700 * 96);
  EXPECT_EQ(PlannedFirst(waiting), 700u);
}

class DamagedWaitingTest : public KafkaStartTest {
 protected:
  // A wild write into the header of one of the batch's three records.
  void Damage(uint64_t record, auto change) {
    std::byte* const at = kafka_->WritableBytes(RegionKind::kPool, 0).data() + waiting_ * kBlockSize + record * kRecordOverhead;
    RecordHeader header;
    std::memcpy(&header, at, sizeof(header));
    change(header);
    std::memcpy(at, &header, sizeof(header));
  }

  WaitingPlace Next(uint32_t index) const {
    WaitingPlace place{};
    while (place.index < index) place = NextWaiting(pool_, waiting_, place);
    return NextWaiting(pool_, waiting_, place);
  }

  const BatchId waiting_ = AddWaiting(0, {320, 640, 960});
};

// The records behind it are still found, and a position that lies does not make it routed.
TEST_F(DamagedWaitingTest, APositionSaysNothing) {
  Damage(0, [](RecordHeader& header) { header.position = 0; });
  AddBatch(0, 300);
  EXPECT_EQ(PlannedFirst(waiting_), 0u);
  consumer_.cell.position = EndOf(0);
  EXPECT_EQ(PlannedFirst(waiting_), 1u);
  AddBatch(0, EndOf(640));
  EXPECT_EQ(PlannedFirst(waiting_), 2u);
}

// Nobody knows where the records behind it are: they go together, and one commit of the cell says so.
TEST_F(DamagedWaitingTest, ASizeTakesTheRestAlong) {
  for (const uint32_t size : {0u, 31u, 1u << 20, UINT32_MAX}) {
    Damage(1, [size](RecordHeader& header) { header.size = size; });
    EXPECT_EQ(Next(0).index, 1u);
    const WaitingPlace rest = Next(1);
    EXPECT_EQ(rest.index, 3u) << size;
    EXPECT_EQ(rest.offset, 3 * kRecordOverhead);
    EXPECT_EQ(rest.position, EndOf(960));
  }
  AddBatch(0, EndOf(320));
  EXPECT_EQ(PlannedFirst(waiting_), 1u);
  consumer_.cell.position = EndOf(960);
  EXPECT_EQ(PlannedFirst(waiting_), 3u);
}

TEST_F(DamagedWaitingTest, APositionOutOfOrderTakesTheRestAlong) {
  for (const uint64_t position : {uint64_t{0}, EndOf(960), UINT64_MAX}) {
    Damage(1, [position](RecordHeader& header) { header.position = position; });
    EXPECT_EQ(Next(1).index, 3u) << position;
  }
}

// It was routed before the wild write came.
TEST_F(DamagedWaitingTest, WhatIsBehindInTheBatchPassesItToo) {
  Damage(1, [](RecordHeader& header) { header.received_boottime_ns = -1; });
  AddBatch(0, EndOf(640));
  EXPECT_EQ(PlannedFirst(waiting_), 1u);
  AddBatch(0, EndOf(960));
  EXPECT_EQ(PlannedFirst(waiting_), 3u);
}

}  // namespace
}  // namespace dory::shm
