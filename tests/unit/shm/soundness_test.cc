// What a kill can leave is sound; each fault that only damage explains is found and named.

#include "shm/soundness.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/shm/test_segment.h"
#include "shm/pool.h"

namespace dory::shm {
namespace {

// One batch of every kind and state, and a decided burst.
class SoundnessTest : public ::testing::Test {
 protected:
  SoundnessTest() : kafka_(segment_.Map(Role::kKafka)), pool_(*kafka_, 0) {
    pool_.Rebuild();
    segment_.AddTopic("one");
    segment_.AddTopic("two");
    for (int i = 0; i < 8; ++i) end_ = segment_.Append(0, "value");
    partitions().count = 6;
    for (int32_t i = 0; i < 6; ++i) partitions().rows[i] = {0, i, kNoSequence, -1, 0, {}, {}};
    producer_ids().count = 2;
    consumer().head = end_;
  }

  PartitionRows& partitions() { return *kafka_->GetWritable<PartitionRows>(RegionKind::kPartitions, 0); }
  ProducerIds& producer_ids() { return *kafka_->GetWritable<ProducerIds>(RegionKind::kProducerIds, 0); }
  ConsumerPage& consumer() { return *kafka_->GetWritable<ConsumerPage>(RegionKind::kConsumer, 0); }
  ReceiveSlots& slots() { return *segment_.intake().GetWritable<ReceiveSlots>(RegionKind::kReceive, 0); }
  Stage& stage() { return segment_.producer().stage; }
  std::span<uint32_t> chains() {
    return {kafka_->GetWritable<uint32_t>(RegionKind::kChains, 0), pool_.block_count()};
  }

  BatchDescriptor& AddBatch(BatchKind kind, BatchState state, uint32_t partition_row, size_t bytes = 100) {
    const BatchId id = pool_.Open({kind, 0, partition_row, 0, 0});
    const std::vector<std::byte> filling(bytes);
    for (int i = 0; i < 3; ++i) Put(id, filling, end_);
    BatchDescriptor& batch = pool_.writable(id);
    batch.producer_index = 1;
    const bool has_window = state == BatchState::kSent || state == BatchState::kAcked || state == BatchState::kDiscarded;
    batch.word = MakeBatchWord(state, 0, has_window ? 2 : 0);
    return batch;
  }

  void AddWaiting() {
    const BatchId id = pool_.Open({BatchKind::kWaiting, 0, kNoIndex, 0, 0});
    const ByteSpan ring = segment_.check().Bytes(RegionKind::kRing, 0);
    RecordHeader header;
    std::memcpy(&header, ring.data(), sizeof(header));
    const uint64_t second = AlignRecord(header.size);
    Put(id, ring.first(header.size), second);
    Put(id, ring.subspan(second, header.size), 2 * second);
  }

  void AddAll() {
    AddBatch(BatchKind::kAny, BatchState::kOpen, kNoIndex);
    AddBatch(BatchKind::kKey, BatchState::kOpen, 0, 2 * kBlockSize);
    AddBatch(BatchKind::kAny, BatchState::kPinned, 1);
    AddBatch(BatchKind::kKey, BatchState::kSent, 2);
    AddBatch(BatchKind::kAny, BatchState::kAcked, 3);
    AddWaiting();
  }

  void ExpectUnsound(const std::string& why) const {
    const Status status = CheckSound(segment_.check(), 0);
    EXPECT_NE(status.message().find(why), std::string::npos) << status.message() << ", not: " << why;
    EXPECT_FALSE(status.ok());
  }
  void ExpectSound() const { EXPECT_EQ(CheckSound(segment_.check(), 0).message(), ""); }

  TestSegment segment_;
  std::unique_ptr<Segment> kafka_;
  Pool pool_;
  uint64_t end_ = 0;

 private:
  void Put(BatchId batch, ByteSpan bytes, uint64_t position) {
    const ByteSpan pieces[] = {bytes};
    pool_.Stage(batch, pieces);
    pool_.Commit(batch, bytes.size(), {position, 0, 0, 0});
  }
};

TEST_F(SoundnessTest, ANewSegment) { EXPECT_TRUE(CheckSound(TestSegment().check(), 0).ok()); }

TEST_F(SoundnessTest, EveryState) {
  AddAll();
  ExpectSound();
}

TEST_F(SoundnessTest, Positions) {
  consumer().head = end_ + 32;
  ExpectUnsound("head");
  consumer().head = 7;
  ExpectUnsound("not aligned");
  consumer().head = end_;
  consumer().cell.position = end_ + 32;
  ExpectUnsound("discard cell: position");
  consumer().cell = {.counter = UINT64_MAX, .value = 0, .position = end_, .done = 0, .ticket = 0, .code = 0};
  ExpectUnsound("discard cell: counter");
  consumer().cell.done = end_;
  ExpectSound();
}

TEST_F(SoundnessTest, Stages) {
  stage().base = end_ + 32;
  ExpectUnsound("stage: base");
  stage().base = end_;
  stage().end = 99;
  stage().journal_count = 999;
  ExpectSound();
  stage().base = 0;
  ExpectUnsound("stage: source");
  stage().source = Source::kDatagrams;
  ExpectUnsound("stage: slots");
  stage().end = 4;
  ExpectUnsound("stage: 999 journal entries");
  stage().journal_count = 1;
  stage().journal[0].counter = 1 << 20;
  ExpectUnsound("stage: counter");
  stage().journal[0].counter = 1;
  ExpectSound();
  stage().decided = 3;
  ExpectUnsound("stage: decided");
}

TEST_F(SoundnessTest, Slots) {
  slots().messages[3].msg_len = 10;
  slots().messages[4].msg_len = 0;
  ExpectSound();
  slots().messages[6].msg_len = 1;
  ExpectUnsound("2 runs");
  slots().messages[6].msg_len = kEmptySlot;
  slots().messages[4].msg_len = 16 * 1024 + 1;
  ExpectUnsound("receive slot 4");
}

TEST_F(SoundnessTest, Tables) {
  segment_.TopicRow(1).name_size = 0;
  ExpectUnsound("topic row 1");
  segment_.TopicRow(1).name_size = 3;
  segment_.books().topic_count = 5;
  ExpectUnsound("5 topics of 4");
  segment_.books().topic_count = 2;
  producer_ids().ids[1].cluster_id_size = 113;
  ExpectUnsound("producer id 1");
  producer_ids().ids[1].cluster_id_size = 0;
  partitions().rows[5].topic_row = 2;
  ExpectUnsound("partition row 5");
  partitions().rows[5] = {0, -1, kNoSequence, -1, 0, {}, {}};
  ExpectUnsound("partition row 5");
  partitions().count = kMaxPartitions + 1;
  ExpectUnsound("partition rows");
}

TEST_F(SoundnessTest, Batches) {
  using Change = std::function<void(BatchDescriptor&)>;
  const std::vector<std::tuple<BatchKind, BatchState, const char*, Change>> faults = {
      {BatchKind::kAny, BatchState::kOpen, "state 9", [](auto& b) { b.word.state = 9; }},
      {BatchKind::kAny, BatchState::kOpen, "kind 3", [](auto& b) { b.kind = static_cast<BatchKind>(3); }},
      {BatchKind::kAny, BatchState::kSent, "waits in state", [](auto& b) { b.kind = BatchKind::kWaiting; }},
      {BatchKind::kAny, BatchState::kOpen, "topic row 2", [](auto& b) { b.topic_row = 2; }},
      {BatchKind::kAny, BatchState::kSent, "window [0, 4) of 3", [](auto& b) { b.word.count = 4; }},
      {BatchKind::kAny, BatchState::kSent, "window [0, 0)", [](auto& b) { b.word.count = 0; }},
      {BatchKind::kAny, BatchState::kOpen, "window [0, 1)", [](auto& b) { b.word.count = 1; }},
      {BatchKind::kAny, BatchState::kOpen, "3 records in 0 bytes", [](auto& b) { b.commit.bytes = 0; }},
      {BatchKind::kAny, BatchState::kOpen, "behind tail", [](auto& b) { b.end[1].position = 1 << 20; }},
      {BatchKind::kKey, BatchState::kOpen, "partition row 6", [](auto& b) { b.partition_row = 6; }},
      {BatchKind::kAny, BatchState::kPinned, "partition row", [](auto& b) { b.partition_row = kNoIndex; }},
      {BatchKind::kAny, BatchState::kSent, "producer id 2", [](auto& b) { b.producer_index = 2; }},
      {BatchKind::kAny, BatchState::kDiscarded, "discard reason", [](auto& b) { b.discard_reason = 99; }},
      {BatchKind::kAny, BatchState::kOpen, "is another's", [](auto& b) { b.commit.bytes = 200 * kBlockSize; }},
  };
  for (const auto& [kind, state, why, change] : faults) {
    BatchDescriptor& batch = AddBatch(kind, state, 4);
    ExpectSound();
    change(batch);
    ExpectUnsound(why);
    batch.word = {};
  }
}

TEST_F(SoundnessTest, WhatIsUnderWayIsAlone) {
  AddBatch(BatchKind::kKey, BatchState::kSent, 2);
  BatchDescriptor& other = AddBatch(BatchKind::kAny, BatchState::kSent, 2);
  ExpectUnsound("not the only one under way");
  other.word = {};
  AddBatch(BatchKind::kAny, BatchState::kAcked, 3);
  AddBatch(BatchKind::kAny, BatchState::kDiscarded, 4);
  ExpectUnsound("not the only one that is being settled");
}

TEST_F(SoundnessTest, WhatWasNeverSentIsDiscardedBesideWhatIsUnderWay) {
  AddBatch(BatchKind::kKey, BatchState::kSent, 2);
  BatchDescriptor& keyed = AddBatch(BatchKind::kKey, BatchState::kDiscarded, 2);
  ExpectSound();
  keyed.word = {};
  BatchDescriptor& any = AddBatch(BatchKind::kAny, BatchState::kDiscarded, 2);
  any.partition_row = kNoIndex;
  ExpectUnsound("partition row");  // what is left would be of none
  any.word.count = 3;
  ExpectSound();
}

TEST_F(SoundnessTest, ChainsAreNobodyElses) {
  AddBatch(BatchKind::kKey, BatchState::kOpen, 0, kBlockSize);
  AddBatch(BatchKind::kKey, BatchState::kOpen, 1, kBlockSize);
  ExpectSound();
  chains()[0] = 0;
  ExpectUnsound("batch 0: block 1");
  chains()[0] = 1'000'000;
  ExpectUnsound("batch 0: block 1");
}

}  // namespace
}  // namespace dory::shm
