// Both ends of the ring as threads of one process, with both doorbells. Under SAN=thread this is the
// proof of the order of stores; everywhere it shows that no wake-up is lost.
//
// Both threads use the same mapping: a race is told by the address, and each role's own mapping would
// have another.

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <random>
#include <thread>

#include "shm/doorbell.h"
#include "shm/ring_reader.h"
#include "tests/unit/shm/test_segment.h"

namespace dory::shm {
namespace {

constexpr uint32_t kRecords = 100'000;
constexpr int kLostWakeUpMs = 20'000;

// The value of record i: its length and bytes follow from i.
std::string MakeValue(uint32_t i) { return std::string(i * 7919 % 900, static_cast<char>('a' + i % 26)); }

bool WaitForBell(DoorbellSleeper* sleeper) {
  pollfd bell{sleeper->fd(), POLLIN, 0};
  const bool rang = ::poll(&bell, 1, kLostWakeUpMs) == 1;
  sleeper->Clear();
  sleeper->CancelSleep();
  return rang;
}

class RingThreadsTest : public ::testing::Test {
 protected:
  RingThreadsTest()
      : kafka_(segment_.Map(Role::kKafka)),
        consumer_(kafka_->GetWritable<ConsumerPage>(RegionKind::kConsumer, 0)),
        data_bell_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
        room_bell_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    segment_.AddTopic("topic");
  }

  void Produce() {
    RingWriter writer(&segment_.producer(), consumer_, segment_.ring());
    DoorbellSleeper room(&segment_.producer().room_sleep, room_bell_.get());
    DoorbellWaker data(&consumer_->data_sleep, data_bell_.get());
    std::minstd_rand random(1);
    for (uint32_t i = 0; i < kRecords && !HasFailure();) {
      const uint32_t end = std::min<uint32_t>(kRecords, i + 1 + random() % kSlotCount);
      writer.Rewind();
      for (; i < end; ++i) {
        const std::string value = MakeValue(i);
        if (!writer.Fits(AlignRecord(kRecordOverhead + value.size()))) break;
        writer.Write(TestSegment::MakeMessage(0, value), 1, i);
      }
      const bool wrote = writer.write_position() != Load(segment_.producer().tail);
      Store(segment_.producer().tail, writer.write_position());
      data.WakeIfAsleep();
      if (!wrote) WaitForRoom(&room);
    }
  }

  void WaitForRoom(DoorbellSleeper* room) {
    const uint64_t head = Load(consumer_->head);
    room->PrepareSleep();
    if (Load(consumer_->head) != head || head == Load(segment_.producer().tail)) return room->CancelSleep();
    EXPECT_TRUE(WaitForBell(room)) << "no wake-up for room";
  }

  void Consume() {
    const RingReader reader(&segment_.producer(), segment_.ring());
    DoorbellSleeper data(&consumer_->data_sleep, data_bell_.get());
    DoorbellWaker room(&segment_.producer().room_sleep, room_bell_.get());
    uint64_t position = 0;
    for (uint32_t i = 0; i < kRecords && !HasFailure();) {
      const uint64_t tail = reader.Tail();
      while (position != tail) {
        const RingRecord record = reader.ReadAt(position, tail);
        position = record.end;
        if (record.verdict == RingRecord::Verdict::kPad) continue;
        ASSERT_EQ(record.verdict, RingRecord::Verdict::kMessage);
        ASSERT_EQ(record.ordinal, i);
        ASSERT_EQ(AsText(record.message.value), MakeValue(i++));
      }
      Store(consumer_->head, position);
      room.WakeIfAsleep();
      if (i < kRecords) WaitForData(reader, &data, position);
    }
  }

  void WaitForData(const RingReader& reader, DoorbellSleeper* data, uint64_t position) {
    data->PrepareSleep();
    if (reader.Tail() != position) return data->CancelSleep();
    EXPECT_TRUE(WaitForBell(data)) << "no wake-up for data";
  }

  TestSegment segment_;
  std::unique_ptr<Segment> kafka_;
  ConsumerPage* consumer_;
  FileDescriptor data_bell_;
  FileDescriptor room_bell_;
};

TEST_F(RingThreadsTest, EveryRecordComesOnceAndWhole) {
  std::thread producer([this] { Produce(); });
  Consume();
  producer.join();
  EXPECT_EQ(Load(consumer_->head), Load(segment_.producer().tail));
}

}  // namespace
}  // namespace dory::shm
