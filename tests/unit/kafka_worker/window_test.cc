#include "kafka_worker/window.h"

#include <gtest/gtest.h>

#include "common/crc32c.h"
#include "tests/unit/kafka_worker/drain_fixture.h"

namespace dory::kafka {
namespace {

class WindowTest : public DrainFixture {
 protected:
  // A batch of so many records, each with a timestamp of its own.
  BatchId MakeBatch(int records, size_t value_size = 10) {
    MakeKnown(0);
    for (int i = 0; i < records; ++i) {
      const std::string value = std::to_string(i) + std::string(value_size, 'v');
      shm::MessageView message = shm::TestSegment::MakeMessage(0, value);
      message.header.timestamp_ms += i * 10;
      segment_.Append(message);
      drain_->DrainRing(0);
    }
    return topics_->Get(0).any.at(0);
  }
};

TEST_F(WindowTest, AnyWindowHasItsRecordsFromOffsetZero) {
  const BatchId batch = MakeBatch(9);
  for (uint64_t first = 0; first < 9; ++first) {
    for (uint64_t count = 1; first + count <= 9; ++count) {
      SetWord(batch, shm::BatchState::kSent, first, count);
      protocol::Bytes records;
      const WindowEncoding window = EncodeWindow(memory_->pool, batch, true, &records);
      EXPECT_EQ(window.crc, Crc32c(records));
      EXPECT_EQ(window.max_timestamp, 1'700'000'000'000 + static_cast<int64_t>(first + count - 1) * 10);
      ByteReader reader(records);
      protocol::RecordView record;
      for (uint64_t i = 0; i < count; ++i) {
        ASSERT_TRUE(protocol::DecodeRecord(&reader, &record));
        EXPECT_EQ(record.offset_delta, static_cast<int32_t>(i));
        EXPECT_EQ(AsText(*record.value), std::to_string(first + i) + std::string(10, 'v'));
      }
      EXPECT_EQ(reader.remaining(), 0u);
    }
  }
}

TEST_F(WindowTest, TheWholeBatchIsAsItLiesInThePool) {
  const BatchId batch = MakeBatch(50, 3000);
  SetWord(batch, shm::BatchState::kSent, 0, 50);
  protocol::Bytes records;
  EXPECT_EQ(EncodeWindow(memory_->pool, batch, true, &records).crc, memory_->pool.End(batch).crc);
  EXPECT_EQ(records.size(), memory_->pool.descriptor(batch).commit.bytes);
}

TEST_F(WindowTest, AChangedByteIsFound) {
  const BatchId batch = MakeBatch(50, 3000);
  EXPECT_TRUE(BatchHolds(memory_->pool, batch));
  std::byte& byte = kafka_->WritableBytes(shm::RegionKind::kPool, 0)[batch * shm::kBlockSize + 5000];
  byte ^= std::byte{4};
  EXPECT_FALSE(BatchHolds(memory_->pool, batch));
  byte ^= std::byte{4};
  EXPECT_TRUE(BatchHolds(memory_->pool, batch));
}

using WindowDeathTest = WindowTest;

TEST_F(WindowDeathTest, ChangedRecordsGetNoFreshCrc) {
  const BatchId batch = MakeBatch(3);
  SetWord(batch, shm::BatchState::kSent, 0, 1);
  kafka_->WritableBytes(shm::RegionKind::kPool, 0)[batch * shm::kBlockSize + 5] ^= std::byte{4};
  protocol::Bytes records;
  EXPECT_DEATH(EncodeWindow(memory_->pool, batch, true, &records), "");
}

}  // namespace
}  // namespace dory::kafka
