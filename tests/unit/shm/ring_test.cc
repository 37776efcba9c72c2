// Both ends of the ring: laps, PADs, and whatever damage.

#include <gtest/gtest.h>

#include <random>

#include "shm/ring_reader.h"
#include "tests/unit/shm/test_segment.h"

namespace dory::shm {
namespace {

using Verdict = RingRecord::Verdict;

class RingTest : public ::testing::Test {
 protected:
  RingTest()
      : kafka_(segment_.Map(Role::kKafka)),
        reader_(kafka_->Get<ProducerPage>(RegionKind::kProducer, 0), kafka_->Bytes(RegionKind::kRing, 0)) {
    segment_.AddTopic("topic");
  }

  RingRecord ReadAt(uint64_t position) const { return reader_.ReadAt(position, reader_.Tail()); }
  void SetHead(uint64_t head) {
    Store(kafka_->GetWritable<ConsumerPage>(RegionKind::kConsumer, 0)->head, head);
  }
  std::byte& ByteAt(uint64_t position) { return segment_.ring()[position % segment_.ring().size()]; }

  TestSegment segment_;
  std::unique_ptr<Segment> kafka_;
  RingReader reader_;
};

TEST_F(RingTest, AnEmptyRingHasNothing) { EXPECT_EQ(ReadAt(0).verdict, Verdict::kEnd); }

TEST_F(RingTest, ARecordComesBackAsItWas) {
  MessageView message = TestSegment::MakeMessage(0, "value");
  message.header.kind = MessageKind::kPartitionKey;
  message.header.partition_key = 77;
  message.header.key_size = 3;
  message.key = AsBytes("key");
  message.header.headers_size = 2;
  message.headers = AsBytes("hh");
  const uint64_t end = segment_.Append(message);
  const RingRecord found = ReadAt(0);
  ASSERT_EQ(found.verdict, Verdict::kMessage);
  EXPECT_EQ(found.end, end);
  EXPECT_EQ(found.end % kRecordAlign, 0u);
  EXPECT_EQ(found.message.header.partition_key, 77u);
  EXPECT_EQ(AsText(found.message.key), "key");
  EXPECT_EQ(AsText(found.message.value), "value");
  EXPECT_EQ(AsText(found.message.headers), "hh");
  EXPECT_LE(found.received_boottime_ns, BoottimeNs());
  EXPECT_GT(found.received_boottime_ns, BoottimeNs() - 10'000'000'000);
}

TEST_F(RingTest, NullAndEmptyAreToldApart) {
  MessageView message = TestSegment::MakeMessage(0, "");
  message.header.value_size = kNullSize;
  message.header.key_size = 0;
  segment_.Append(message);
  EXPECT_EQ(ReadAt(0).message.header.value_size, kNullSize);
  EXPECT_EQ(ReadAt(0).message.header.key_size, 0);
}

TEST_F(RingTest, WhatIsNotCommittedIsNotThere) {
  segment_.writer().Write(TestSegment::MakeMessage(0, "value"), 1, 0);
  EXPECT_EQ(ReadAt(0).verdict, Verdict::kEnd);
}

TEST_F(RingTest, ManyLapsOfAllSizes) {
  std::minstd_rand random(1);
  uint64_t position = 0;
  uint32_t pads = 0;
  for (uint32_t i = 0; i < 20'000; ++i) {
    const std::string value(random() % 3000, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(segment_.writer().Fits(kRecordOverhead + value.size()));
    segment_.Append(0, value);
    RingRecord found = ReadAt(position);
    if (found.verdict == Verdict::kPad) {
      ++pads;
      EXPECT_EQ(found.end % segment_.ring().size(), 0u);
      found = ReadAt(found.end);
    }
    ASSERT_EQ(found.verdict, Verdict::kMessage) << i;
    ASSERT_EQ(AsText(found.message.value), value);
    EXPECT_EQ(found.ordinal, i);
    position = found.end;
    SetHead(position);
  }
  EXPECT_EQ(position, reader_.Tail());
  EXPECT_GT(pads, 10u);
}

TEST_F(RingTest, WhatSurelyFitsDoesWhereverTheLapEnds) {
  const std::string value(5000, 'v');
  const uint64_t size = kRecordOverhead + value.size();
  std::minstd_rand random(2);
  for (int round = 0; round < 200; ++round) {
    SetHead(reader_.Tail());
    for (uint64_t i = random() % 20; i > 0; --i) segment_.Append(0, std::string(random() % 900, 'x'));
    const uint64_t many = segment_.writer().SurelyFits(size, 0);
    for (uint64_t i = 0; i < many; ++i) {
      ASSERT_TRUE(segment_.writer().Fits(size));
      segment_.Append(0, value);
    }
    ASSERT_LE(reader_.Tail() - Load(segment_.Consumer()->head), segment_.ring().size());
  }
}

// Every byte that counts: size, kind, position, time, crc, ordinal, sizes, value.
TEST_F(RingTest, AnyChangedByteIsDamage) {
  const uint64_t begin = segment_.Append(0, "before");
  const uint64_t end = segment_.Append(0, "the value");
  segment_.Append(0, "behind");
  const uint64_t size = kRecordOverhead + 9;
  for (uint64_t at = 0; at < size; ++at) {
    for (const int bits : {0x01, 0x80, 0xff}) {
      std::byte& byte = ByteAt(begin + at);
      byte ^= static_cast<std::byte>(bits);
      const RingRecord found = ReadAt(begin);
      ASSERT_EQ(found.verdict, Verdict::kDamaged) << at;
      ASSERT_EQ(found.end, end) << at;
      ASSERT_EQ(found.lost_bytes, end - begin);
      byte ^= static_cast<std::byte>(bits);
    }
  }
  EXPECT_EQ(ReadAt(begin).verdict, Verdict::kMessage);
}

TEST_F(RingTest, ADamagedSpanReachesToTheNextRecordThatHolds) {
  const uint64_t begin = segment_.Append(0, "first");
  const uint64_t second = segment_.Append(0, std::string(100, '2'));
  segment_.Append(0, std::string(200, '3'));
  ByteAt(begin + 70) ^= std::byte{1};
  ByteAt(second + 70) ^= std::byte{1};
  const uint64_t end = segment_.Append(0, "last") - AlignRecord(kRecordOverhead + 4);
  const RingRecord found = ReadAt(begin);
  EXPECT_EQ(found.verdict, Verdict::kDamaged);
  EXPECT_EQ(found.end, end);
  EXPECT_EQ(ReadAt(end).ordinal - ReadAt(0).ordinal - 1, 2u);  // so many are lost
}

TEST_F(RingTest, DamageUpToTheTailEndsThere) {
  segment_.Append(0, "only");
  ByteAt(4) ^= std::byte{0xff};
  EXPECT_EQ(ReadAt(0).verdict, Verdict::kDamaged);
  EXPECT_EQ(ReadAt(0).end, reader_.Tail());
}

TEST_F(RingTest, ADamagedPadIsSteppedOver) {
  while (segment_.ring().size() - reader_.Tail() > 9000) segment_.Append(0, std::string(8000, 'x'));
  const uint64_t pad = reader_.Tail();
  SetHead(pad);
  segment_.Append(0, std::string(10'000, 'y'));
  ASSERT_EQ(ReadAt(pad).verdict, Verdict::kPad);
  ByteAt(pad) ^= std::byte{0x20};
  const RingRecord found = ReadAt(pad);
  EXPECT_EQ(found.verdict, Verdict::kDamaged);
  EXPECT_EQ(found.end, segment_.ring().size());
  EXPECT_EQ(ReadAt(found.end).verdict, Verdict::kMessage);
}

TEST_F(RingTest, AnOlderLapIsNotTakenForThisOne) {
  for (int i = 0; i < 2; ++i) segment_.Append(0, std::string(1000, 'x'));
  Store(segment_.producer().tail, segment_.ring().size() + reader_.Tail());
  EXPECT_EQ(reader_.ReadAt(segment_.ring().size(), reader_.Tail()).verdict, Verdict::kDamaged);
}

}  // namespace
}  // namespace dory::shm
