#include "shm/pool.h"

#include <gtest/gtest.h>

#include "common/crc32c.h"
#include "tests/unit/shm/test_segment.h"

namespace dory::shm {
namespace {

class PoolTest : public ::testing::Test {
 protected:
  PoolTest() { Restart(); }

  void Restart() {
    kafka_ = segment_.Map(Role::kKafka);
    pool_ = std::make_unique<Pool>(*kafka_, 0);
    pool_->Rebuild();
  }

  BatchId Open() { return pool_->Open({BatchKind::kAny, 1, kNoIndex, 1000, 7}); }

  ByteSpan Put(BatchId batch, const std::string& bytes) {
    const ByteSpan pieces[] = {AsBytes(bytes).first(bytes.size() / 2), {}, AsBytes(bytes).subspan(bytes.size() / 2)};
    const ByteSpan staged = pool_->Stage(batch, pieces);
    BatchEnd end = pool_->End(batch);
    end.crc = Crc32cExtend(end.crc, AsBytes(bytes));
    end.position += 32;
    pool_->Commit(batch, bytes.size(), end);
    return staged;
  }

  std::string Contents(BatchId batch) const {
    std::vector<std::byte> buffer;
    return std::string(AsText(pool_->Read(batch, 0, pool_->descriptor(batch).commit.bytes, &buffer)));
  }

  TestSegment segment_;
  std::unique_ptr<Segment> kafka_;
  std::unique_ptr<Pool> pool_;
};

TEST_F(PoolTest, ANewSegmentIsAllFree) { EXPECT_EQ(pool_->free_blocks(), 128u); }

TEST_F(PoolTest, ABatchGrowsThroughBlocks) {
  const BatchId batch = Open();
  EXPECT_EQ(pool_->free_blocks(), 127u);
  std::string expected;
  for (int i = 0; i < 50; ++i) {
    const std::string bytes(1000 + static_cast<size_t>(i), static_cast<char>('a' + i % 26));
    EXPECT_LE(pool_->BlocksNeeded(batch, bytes.size()), 1u);
    const ByteSpan staged = Put(batch, bytes);
    EXPECT_TRUE(staged.empty() || AsText(staged) == bytes);
    expected += bytes;
  }
  EXPECT_EQ(Contents(batch), expected);
  EXPECT_EQ(pool_->free_blocks(), 128 - (expected.size() + kBlockSize - 1) / kBlockSize);
  EXPECT_EQ(pool_->End(batch).crc, Crc32c(AsBytes(expected)));
  EXPECT_EQ(pool_->End(batch).position, 50 * 32u);
  pool_->Free(batch);
  EXPECT_EQ(pool_->free_blocks(), 128u);
}

TEST_F(PoolTest, ARecordMayTakeManyBlocksAndEndOnABorder) {
  const BatchId batch = Open();
  const std::string large(3 * kBlockSize, 'l');
  EXPECT_EQ(pool_->BlocksNeeded(kNoIndex, large.size()), 3u);
  EXPECT_EQ(pool_->BlocksNeeded(batch, large.size()), 2u);
  EXPECT_TRUE(Put(batch, large).empty());  // not in one block
  EXPECT_EQ(pool_->BlocksNeeded(batch, 1), 1u);
  Put(batch, "x");
  EXPECT_EQ(Contents(batch), large + "x");
  std::vector<ByteSpan> spans;
  pool_->CollectSpans(batch, kBlockSize - 1, kBlockSize + 1, &spans);
  ASSERT_EQ(spans.size(), 2u);
  EXPECT_EQ(spans[0].size() + spans[1].size(), 2u);
}

TEST_F(PoolTest, TheNextLifeFindsBatchesAndFreeBlocks) {
  const BatchId first = Open();
  const BatchId second = Open();
  for (int i = 0; i < 40; ++i) {
    Put(first, std::string(1000, '1'));
    Put(second, std::string(2000, '2'));
  }
  const uint32_t free = pool_->free_blocks();
  Restart();
  EXPECT_EQ(pool_->free_blocks(), free);
  EXPECT_EQ(Contents(first), std::string(40'000, '1'));
  Put(first, "more");
  EXPECT_EQ(Contents(first), std::string(40'000, '1') + "more");
  const BatchId third = Open();
  EXPECT_GT(pool_->descriptor(third).order, pool_->descriptor(second).order);
  pool_->Free(first);
  pool_->Free(second);
  pool_->Free(third);
  EXPECT_EQ(pool_->free_blocks(), 128u);
}

TEST_F(PoolTest, WhatWasNotCommittedNeverWas) {
  const BatchId batch = Open();
  Put(batch, "committed");
  const std::string large(2 * kBlockSize, 's');
  const ByteSpan pieces[] = {AsBytes(large)};
  pool_->Stage(batch, pieces);
  // The end of the record that never was lies in the other slot.
  pool_->writable(batch).end[0].position = 999;
  Restart();
  EXPECT_EQ(pool_->free_blocks(), 127u);
  EXPECT_EQ(Contents(batch), "committed");
  EXPECT_EQ(pool_->End(batch).position, 32u);
}

TEST_F(PoolTest, AnOpenedBatchHasNothingOfTheOneBefore) {
  const BatchId before = Open();
  Put(before, "x");
  pool_->writable(before).unknown_outcome = 1;
  pool_->writable(before).attempts = 9;
  pool_->Free(before);
  const BatchId batch = Open();
  ASSERT_EQ(batch, before);
  const BatchDescriptor& found = pool_->descriptor(batch);
  EXPECT_EQ(found.commit.count, 0u);
  EXPECT_EQ(found.unknown_outcome, 0);
  EXPECT_EQ(found.attempts, 0u);
  EXPECT_EQ(found.first_sent_boottime_ns, 0);
  EXPECT_EQ(pool_->End(batch).position, 0u);
  EXPECT_EQ(pool_->End(batch).crc, 0u);
  EXPECT_EQ(pool_->End(batch).max_timestamp, 1000);
}

using PoolDeathTest = PoolTest;

TEST_F(PoolDeathTest, ADamagedChainIsNotUsed) {
  const BatchId batch = Open();
  for (int i = 0; i < 40; ++i) Put(batch, std::string(1000, '1'));
  Store(*reinterpret_cast<uint32_t*>(kafka_->WritableBytes(RegionKind::kChains, 0).data() + 4 * batch), batch);
  EXPECT_DEATH(pool_->Rebuild(), "");
  Store(*reinterpret_cast<uint32_t*>(kafka_->WritableBytes(RegionKind::kChains, 0).data() + 4 * batch), 5000);
  EXPECT_DEATH(pool_->Rebuild(), "");
}

}  // namespace
}  // namespace dory::shm
