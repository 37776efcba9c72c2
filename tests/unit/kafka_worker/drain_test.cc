#include "kafka_worker/drain.h"

#include <gtest/gtest.h>

#include "tests/unit/kafka_worker/drain_fixture.h"

namespace dory::kafka {
namespace {

using Values = std::vector<std::string>;
using DrainTest = DrainFixture;

TEST_F(DrainTest, RecordsGoToTheBatchOfTheirTopicOrPartition) {
  MakeKnown(0);
  segment_.Append(0, "a");
  segment_.AppendKeyed(0, 0, "k0");
  segment_.AppendKeyed(0, 3, "k1");
  const uint64_t end = segment_.Append(0, "b");
  const PassResult pass = drain_->DrainRing(0);
  EXPECT_TRUE(pass.moved);
  EXPECT_FALSE(pass.more || pass.full);
  const Topic& topic = topics_->Get(0);
  ASSERT_EQ(topic.any.size(), 1u);
  EXPECT_EQ(ValuesOf(topic.any[0]), (Values{"a", "b"}));
  EXPECT_EQ(ValuesOf(topic.partitions[0].keyed.at(0)), Values{"k0"});
  EXPECT_EQ(ValuesOf(topic.partitions[1].keyed.at(0)), Values{"k1"});
  EXPECT_EQ(Head(), end);
  EXPECT_EQ(segment_.ExpectBalance().batch_records, 4u);
}

TEST_F(DrainTest, AnEmptyRingMovesNothing) {
  EXPECT_FALSE(drain_->DrainRing(0).moved);
  EXPECT_EQ(Head(), 0u);
}

TEST_F(DrainTest, RecordsOfATopicThatIsNotKnownWaitWhole) {
  int asked = 0;
  drain_->SetOnNewTopic([&](Topic&) { ++asked; });
  MakeKnown(1);
  for (int i = 0; i < 5; ++i) segment_.Append(0, "w" + std::to_string(i));
  segment_.Append(1, "routed");
  drain_->DrainRing(0);
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(topics_->Get(0).waiting.size(), 1u);
  EXPECT_EQ(topics_->Get(1).any.size(), 1u);
  EXPECT_EQ(segment_.ExpectBalance().batch_records, 6u);
}

// Records behind those that wait do not overtake them.
TEST_F(DrainTest, WhileATopicHasAWaitingBatchItsRecordsGoThere) {
  segment_.Append(0, "w0");
  drain_->DrainRing(0);
  Topic& topic = MakeKnown(0);
  segment_.Append(0, "w1");
  drain_->DrainRing(0);
  EXPECT_TRUE(topic.any.empty());
  EXPECT_TRUE(drain_->DrainWaiting(topic, 0).moved);
  segment_.Append(0, "r2");
  drain_->DrainRing(0);
  EXPECT_TRUE(topic.waiting.empty());
  ASSERT_EQ(topic.any.size(), 1u);
  EXPECT_EQ(ValuesOf(topic.any[0]), (Values{"w0", "w1", "r2"}));
  EXPECT_EQ(segment_.ExpectBalance().batch_records, 3u);
}

TEST_F(DrainTest, WaitingBatchesAreBoundedAndDrainedInTheirOrder) {
  Values values;
  for (int i = 0; i < 600; ++i) {
    values.push_back(std::to_string(i) + std::string(2000, 'w'));
    segment_.Append(0, values.back());
    drain_->DrainRing(0);
  }
  EXPECT_GT(segment_.ExpectBalance().ring_records, 100u);  // the reserve is not theirs
  Topic& topic = MakeKnown(0);
  ASSERT_EQ(topic.waiting.size(), 1u);
  Values found;
  for (int turn = 0; turn < 100 && found.size() < values.size(); ++turn) {
    drain_->DrainWaiting(topic, 0);
    drain_->DrainRing(0);
    for (const BatchId batch : topic.any) {
      for (const std::string& value : ValuesOf(batch)) found.push_back(value);
      memory_->pool.Free(batch);
    }
    topic.any.clear();
  }
  EXPECT_EQ(found, values);
}

TEST_F(DrainTest, AFullPoolStopsBeforeTheReserve) {
  MakeKnown(0);
  for (;;) {
    for (int i = 0; i < 10; ++i) segment_.Append(0, std::string(8000, 'x'));
    if (drain_->DrainRing(0).full) break;
  }
  EXPECT_GE(memory_->pool.free_blocks(), 66u);
  EXPECT_LE(memory_->pool.free_blocks(), 68u);
  const uint64_t head = Head();
  EXPECT_FALSE(drain_->DrainRing(0).moved);
  EXPECT_EQ(Head(), head);
  segment_.ExpectBalance();
  memory_->pool.Free(topics_->Get(0).any.front());
  topics_->Get(0).any.clear();
  EXPECT_TRUE(drain_->DrainRing(0).moved);
}

TEST_F(DrainTest, ABatchTakesNoMoreThanBrokersDo) {
  MakeKnown(0);
  for (int i = 0; i < 80; ++i) {
    segment_.Append(0, std::string(15'000, 'x'));
    drain_->DrainRing(0);
  }
  const Topic& topic = topics_->Get(0);
  ASSERT_EQ(topic.any.size(), 1u);
  EXPECT_LE(memory_->pool.descriptor(topic.any[0]).commit.bytes, kBatchBytesLimit);
}

// SENT once, it has given its partition a place in the order.
TEST_F(DrainTest, APinnedBatchTakesNoMore) {
  Topic& topic = MakeKnown(0);
  segment_.AppendKeyed(0, 0, "sent once");
  drain_->DrainRing(0);
  const BatchId batch = topic.partitions[0].keyed.at(0);
  SetWord(batch, shm::BatchState::kPinned, 0, 0);
  segment_.AppendKeyed(0, 0, "later");
  drain_->DrainRing(0);
  ASSERT_EQ(topic.partitions[0].keyed.size(), 2u);
  EXPECT_EQ(ValuesOf(batch), Values{"sent once"});
}

TEST_F(DrainTest, AGivenUpTopicIsDiscardedFromRingAndWaitingBatch) {
  for (int i = 0; i < 7; ++i) segment_.Append(0, "w");
  drain_->DrainRing(0);
  Topic& topic = topics_->Get(0);
  topic.given_up = shm::Discard::kUnknownTopic;
  EXPECT_TRUE(drain_->DrainWaiting(topic, 0).moved);
  segment_.Append(0, "r");
  drain_->DrainRing(0);
  const shm::BufferCheck found = segment_.ExpectBalance();
  EXPECT_EQ(found.books.DiscardedFor(shm::Discard::kUnknownTopic), 8u);
  EXPECT_EQ(found.buffered_counted, 0u);
  EXPECT_EQ(memory_->pool.free_blocks(), 128u);
}

class DamagedWaitingDrainTest : public DrainFixture {
 protected:
  // Of five that wait, the second is hit at this byte.
  Topic& Wait(size_t offset) {
    for (int i = 0; i < 5; ++i) segment_.Append(0, "w" + std::to_string(i));
    drain_->DrainRing(0);
    Topic& topic = MakeKnown(0);
    const size_t record = shm::kRecordOverhead + 2;
    kafka_->WritableBytes(shm::RegionKind::kPool, 0)[topic.waiting.at(0) * shm::kBlockSize + record + offset] ^= std::byte{0x80};
    EXPECT_TRUE(drain_->DrainWaiting(topic, 0).moved);
    EXPECT_TRUE(topic.waiting.empty());
    return topic;
  }
};

TEST_F(DamagedWaitingDrainTest, AMessageIsDiscardedAlone) {
  const Topic& topic = Wait(shm::kRecordOverhead);
  EXPECT_EQ(ValuesOf(topic.any.at(0)), (Values{"w0", "w2", "w3", "w4"}));
  EXPECT_EQ(segment_.ExpectBalance().books.DiscardedFor(shm::Discard::kCorrupt), 1u);
}

TEST_F(DamagedWaitingDrainTest, BehindASizeThatLiesTheRestIsDiscarded) {
  const Topic& topic = Wait(offsetof(shm::RecordHeader, size) + 3);
  EXPECT_EQ(ValuesOf(topic.any.at(0)), Values{"w0"});
  EXPECT_EQ(segment_.ExpectBalance().books.DiscardedFor(shm::Discard::kCorrupt), 4u);
}

TEST_F(DrainTest, ARecordOfATopicThatNobodyNamedIsCorrupt) {
  MakeKnown(0);
  segment_.Append(0, "a");
  segment_.writer().Write(shm::TestSegment::MakeMessage(3, "of no topic"), 1, 1);
  shm::Store(segment_.producer().tail, segment_.writer().write_position());
  shm::Store(segment_.producer().stage.base, segment_.writer().write_position());
  segment_.TopicRow(0).appended = 2;
  drain_->DrainRing(0);
  EXPECT_EQ(ValuesOf(topics_->Get(0).any.at(0)), Values{"a"});
  EXPECT_EQ(segment_.ExpectBalance().books.DiscardedFor(shm::Discard::kCorrupt), 1u);
}

TEST_F(DrainTest, DamagedRecordsAreCountedByTheirOrdinals) {
  MakeKnown(0);
  segment_.Append(0, "before");
  drain_->DrainRing(0);
  const uint64_t begin = Head();
  uint64_t last = 0;
  for (int i = 0; i < 5; ++i) last = segment_.Append(0, "value");
  segment_.ring()[begin + 40] ^= std::byte{1};
  segment_.ring()[begin + 96 + 40] ^= std::byte{1};  // the second as well
  drain_->DrainRing(0);
  EXPECT_EQ(Head(), last);
  const shm::BufferCheck found = segment_.ExpectBalance();
  EXPECT_EQ(found.books.DiscardedFor(shm::Discard::kCorrupt), 2u);
  EXPECT_EQ(found.batch_records, 4u);
}

TEST_F(DrainTest, DamageAtTheEndIsCountedToo) {
  MakeKnown(0);
  segment_.Append(0, "sound");
  const uint64_t begin = segment_.producer().tail;
  segment_.Append(0, "damaged");
  segment_.ring()[begin + 40] ^= std::byte{1};
  drain_->DrainRing(0);
  segment_.Append(0, "behind");
  drain_->DrainRing(0);
  const shm::BufferCheck found = segment_.ExpectBalance();
  EXPECT_EQ(found.books.DiscardedFor(shm::Discard::kCorrupt), 1u);
  EXPECT_EQ(found.batch_records, 2u);
}

TEST_F(DrainTest, APassEndsAfterSoManyBytes) {
  MakeKnown(0);
  for (int i = 0; i < 20; ++i) segment_.Append(0, std::string(12'000, 'x'));
  const PassResult pass = drain_->DrainRing(0);
  EXPECT_TRUE(pass.moved && !pass.full);
  EXPECT_EQ(Head(), segment_.producer().tail);  // 240 KB: the ring is not larger
}

TEST_F(DrainTest, NegativeTimestampDeltasAndNullsAreKept) {
  MakeKnown(0);
  shm::MessageView message = shm::TestSegment::MakeMessage(0, "");
  message.header.value_size = shm::kNullSize;
  segment_.Append(message);
  message = shm::TestSegment::MakeMessage(0, "v");
  message.header.timestamp_ms -= 5000;
  segment_.Append(message);
  drain_->DrainRing(0);
  const BatchId batch = topics_->Get(0).any.at(0);
  EXPECT_EQ(memory_->pool.End(batch).max_timestamp, memory_->pool.descriptor(batch).base_timestamp);
  std::vector<std::byte> gathered;
  ByteReader reader(memory_->pool.Read(batch, 0, memory_->pool.descriptor(batch).commit.bytes, &gathered));
  protocol::RecordView record;
  ASSERT_TRUE(protocol::DecodeRecord(&reader, &record));
  EXPECT_FALSE(record.value.has_value());
  ASSERT_TRUE(protocol::DecodeRecord(&reader, &record));
  EXPECT_EQ(record.timestamp_delta, -5000);
}

TEST_F(DrainTest, HeadersGoIntoTheRecord) {
  MakeKnown(0);
  shm::MessageView message = shm::TestSegment::MakeMessage(0, "v");
  const std::string headers("\2a\4xy" "\2b\1", 8);
  message.headers = AsBytes(headers);
  message.header.header_count = 2;
  message.header.headers_size = static_cast<uint32_t>(headers.size());
  segment_.Append(message);
  drain_->DrainRing(0);
  const BatchId batch = topics_->Get(0).any.at(0);
  std::vector<std::byte> gathered;
  ByteReader reader(memory_->pool.Read(batch, 0, memory_->pool.descriptor(batch).commit.bytes, &gathered));
  protocol::RecordView record;
  ASSERT_TRUE(protocol::DecodeRecord(&reader, &record));
  EXPECT_EQ(record.header_count, 2);
  EXPECT_EQ(AsText(record.headers), headers);
}

}  // namespace
}  // namespace dory::kafka
