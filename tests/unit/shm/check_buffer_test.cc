#include "shm/check_buffer.h"

#include <gtest/gtest.h>

#include "common/crc32c.h"
#include "shm/pool.h"
#include "tests/unit/shm/test_segment.h"

namespace dory::shm {
namespace {

class CheckBufferTest : public ::testing::Test {
 protected:
  CheckBufferTest()
      : kafka_(segment_.Map(Role::kKafka)),
        pool_(*kafka_, 0),
        rows_(kafka_->GetWritable<KafkaTopicRow>(RegionKind::kKafkaBooks, 0)),
        consumer_(*kafka_->GetWritable<ConsumerPage>(RegionKind::kConsumer, 0)) {
    pool_.Rebuild();
    segment_.AddTopic("topic");
  }

  // Appends and moves so many records into a batch.
  BatchId AddBatch(uint32_t records) {
    const BatchId batch = pool_.Open({BatchKind::kAny, 0, kNoIndex, 0, 0});
    for (uint32_t i = 0; i < records; ++i) {
      BatchEnd end = pool_.End(batch);
      end.position = segment_.Append(0, "value");
      end.crc = Crc32cExtend(end.crc, AsBytes("record"));
      const ByteSpan pieces[] = {AsBytes("record")};
      pool_.Stage(batch, pieces);
      pool_.Commit(batch, 6, end);
    }
    return batch;
  }

  void SetWord(BatchId batch, BatchState state, uint64_t first, uint64_t count) {
    Store(pool_.writable(batch).word, MakeBatchWord(state, first, count));
  }

  TestSegment segment_;
  std::unique_ptr<Segment> kafka_;
  Pool pool_;
  KafkaTopicRow* rows_;
  ConsumerPage& consumer_;
};

TEST_F(CheckBufferTest, AnEmptyBufferBalances) { EXPECT_EQ(segment_.ExpectBalance().buffered_counted, 0u); }

TEST_F(CheckBufferTest, RingAndBatchesAreCounted) {
  AddBatch(5);
  for (int i = 0; i < 3; ++i) segment_.Append(0, "in the ring");
  const BufferCheck found = segment_.ExpectBalance();  // C5 was not reached
  EXPECT_EQ(found.ring_records, 3u);
  EXPECT_EQ(found.batch_records, 5u);
}

TEST_F(CheckBufferTest, AWindowCountsAsSettledFromItsCommitOn) {
  const BatchId batch = AddBatch(5);
  Store(consumer_.head, segment_.producer().tail);  // C5 precedes every change away from OPEN
  SetWord(batch, BatchState::kSent, 0, 3);
  EXPECT_EQ(segment_.ExpectBalance().batch_records, 5u);
  pool_.writable(batch).total_after = 3;
  SetWord(batch, BatchState::kAcked, 0, 3);
  EXPECT_EQ(segment_.ExpectBalance().batch_records, 2u);
  rows_[0].delivered = 3;
  EXPECT_EQ(segment_.ExpectBalance().batch_records, 2u);
  SetWord(batch, BatchState::kPinned, 3, 0);
  EXPECT_EQ(segment_.ExpectBalance().batch_records, 2u);
  pool_.writable(batch).discard_reason = static_cast<uint16_t>(Discard::kRefused);
  pool_.writable(batch).total_after = 2;
  SetWord(batch, BatchState::kDiscarded, 3, 2);
  const BufferCheck found = segment_.ExpectBalance();
  EXPECT_EQ(found.buffered_counted, 0u);
  EXPECT_EQ(found.books.DiscardedFor(Discard::kRefused), 2u);
}

TEST_F(CheckBufferTest, ALostOrDoubledRecordIsFound) {
  AddBatch(5);
  segment_.TopicRow(0).appended += 1;
  BufferCheck found = CheckBuffer(segment_.check(), 0);
  EXPECT_FALSE(found.balances);
  ASSERT_EQ(found.findings.size(), 1u);
  EXPECT_NE(found.findings[0].find("appended 6"), std::string::npos) << found.findings[0];
  segment_.TopicRow(0).appended -= 2;
  EXPECT_FALSE(CheckBuffer(segment_.check(), 0).balances);
}

TEST_F(CheckBufferTest, AWildWriteIntoABatchIsFound) {
  const BatchId batch = AddBatch(5);
  kafka_->WritableBytes(RegionKind::kPool, 0)[batch * kBlockSize + 7] ^= std::byte{1};
  const BufferCheck found = CheckBuffer(segment_.check(), 0);
  EXPECT_TRUE(found.balances);
  ASSERT_EQ(found.findings.size(), 1u);
  EXPECT_NE(found.findings[0].find("crc"), std::string::npos);
}

TEST_F(CheckBufferTest, DamagedRecordsAreCountedByOrdinal) {
  AddBatch(2);
  const uint64_t begin = segment_.producer().tail;
  for (int i = 0; i < 4; ++i) segment_.Append(0, "value");
  segment_.ring()[begin + 40] ^= std::byte{1};
  const BufferCheck found = CheckBuffer(segment_.check(), 0);
  EXPECT_EQ(found.damaged_records, 1u);
  EXPECT_EQ(found.ring_records, 4u);
  EXPECT_TRUE(found.balances);
  EXPECT_EQ(found.findings.size(), 1u);
}

TEST_F(CheckBufferTest, AReasonThatThereIsNotIsSaid) {
  const BatchId batch = AddBatch(1);
  pool_.writable(batch).discard_reason = 999;
  SetWord(batch, BatchState::kDiscarded, 0, 1);
  EXPECT_FALSE(CheckBuffer(segment_.check(), 0).findings.empty());
}

}  // namespace
}  // namespace dory::shm
