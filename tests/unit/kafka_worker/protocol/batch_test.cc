#include "kafka_worker/protocol/batch.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/crc32c.h"

namespace dory::kafka::protocol {
namespace {

using Bytes = std::vector<std::byte>;

constexpr std::string_view kRecords = "not records, but a header does not look";

BatchHeader MakeHeader() {
  BatchHeader header;
  header.base_timestamp = 1'700'000'000'000;
  header.max_timestamp = 1'700'000'000'999;
  header.producer_id = 0x1122334455667788;
  header.producer_epoch = 5;
  header.base_sequence = 0x7ffffff0;
  header.record_count = 3;
  header.attributes = 2;
  header.records_bytes = kRecords.size();
  header.records_crc = Crc32c(AsBytes(kRecords));
  return header;
}

Bytes MakeBatch() {
  Bytes batch(kBatchHeaderBytes);
  EncodeBatchHeader(batch.data(), MakeHeader());
  for (char c : kRecords) batch.push_back(static_cast<std::byte>(c));
  return batch;
}

TEST(BatchTest, FieldsLieWhereTheDrawingHasThem) {
  const Bytes batch = MakeBatch();
  const std::byte* at = batch.data();
  EXPECT_EQ(LoadBigEndian<int64_t>(at), 0);
  EXPECT_EQ(LoadBigEndian<int32_t>(at + 8), static_cast<int32_t>(batch.size() - 12));
  EXPECT_EQ(LoadBigEndian<int32_t>(at + 12), -1);
  EXPECT_EQ(LoadBigEndian<int8_t>(at + 16), 2);
  EXPECT_EQ(LoadBigEndian<int16_t>(at + 21), 2);
  EXPECT_EQ(LoadBigEndian<int32_t>(at + 23), 2);
  EXPECT_EQ(LoadBigEndian<int64_t>(at + 27), 1'700'000'000'000);
  EXPECT_EQ(LoadBigEndian<int64_t>(at + 35), 1'700'000'000'999);
  EXPECT_EQ(LoadBigEndian<int64_t>(at + 43), 0x1122334455667788);
  EXPECT_EQ(LoadBigEndian<int16_t>(at + 51), 5);
  EXPECT_EQ(LoadBigEndian<int32_t>(at + 53), 0x7ffffff0);
  EXPECT_EQ(LoadBigEndian<int32_t>(at + 57), 3);
}

TEST(BatchTest, TheCombinedCrcIsThatOfTheWhole) {
  const Bytes batch = MakeBatch();
  EXPECT_EQ(LoadBigEndian<uint32_t>(batch.data() + 17), Crc32c(ByteSpan(batch).subspan(21)));
}

TEST(BatchTest, ComesBackFromItsBytes) {
  Bytes batch = MakeBatch();
  const size_t size = batch.size();
  batch.push_back(std::byte{1});  // the next batch
  const auto decoded = DecodeBatch(batch);
  ASSERT_TRUE(decoded.ok()) << decoded.status().message();
  EXPECT_EQ(decoded.value().size, size);
  EXPECT_EQ(decoded.value().base_offset, 0);
  EXPECT_EQ(decoded.value().partition_leader_epoch, -1);
  EXPECT_EQ(AsText(decoded.value().records), kRecords);
  const BatchHeader expected = MakeHeader();
  const BatchHeader& header = decoded.value().header;
  EXPECT_EQ(header.base_timestamp, expected.base_timestamp);
  EXPECT_EQ(header.max_timestamp, expected.max_timestamp);
  EXPECT_EQ(header.producer_id, expected.producer_id);
  EXPECT_EQ(header.producer_epoch, expected.producer_epoch);
  EXPECT_EQ(header.base_sequence, expected.base_sequence);
  EXPECT_EQ(header.record_count, expected.record_count);
  EXPECT_EQ(header.attributes, expected.attributes);
  EXPECT_EQ(header.records_bytes, expected.records_bytes);
  EXPECT_EQ(header.records_crc, expected.records_crc);
}

TEST(BatchTest, AnyChangedBitBehindTheCrcIsNoticed) {
  const Bytes batch = MakeBatch();
  for (size_t i = 17; i < batch.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes changed = batch;
      changed[i] ^= static_cast<std::byte>(1 << bit);
      EXPECT_FALSE(DecodeBatch(changed).ok()) << i;
    }
  }
}

TEST(BatchTest, RefusesWhatIsCutShort) {
  const Bytes batch = MakeBatch();
  for (size_t size = 0; size < batch.size(); ++size) {
    EXPECT_FALSE(DecodeBatch(ByteSpan(batch).first(size)).ok()) << size;
  }
}

// Found by tests/fuzz/batch_target: from the smallest of all counts one was taken.
TEST(BatchTest, RefusesACountBelowOne) {
  for (const int32_t count : {0, -1, INT32_MIN}) {
    Bytes batch = MakeBatch();
    StoreBigEndian<uint32_t>(batch.data() + 23, static_cast<uint32_t>(count) - 1);
    StoreBigEndian<int32_t>(batch.data() + 57, count);
    StoreBigEndian<uint32_t>(batch.data() + 17, Crc32c(ByteSpan(batch).subspan(21)));
    EXPECT_FALSE(DecodeBatch(batch).ok()) << count;
  }
}

TEST(BatchTest, RefusesOtherFormatsAndImpossibleLengths) {
  Bytes batch = MakeBatch();
  batch[16] = std::byte{1};
  EXPECT_FALSE(DecodeBatch(batch).ok());
  for (int32_t length : {-1, 0, 48, 0x7fffffff}) {
    batch = MakeBatch();
    StoreBigEndian<int32_t>(batch.data() + 8, length);
    EXPECT_FALSE(DecodeBatch(batch).ok()) << length;
  }
}

TEST(BatchTest, ALogIsReadBatchByBatch) {
  Bytes batch = MakeBatch();
  StoreBigEndian<int64_t>(batch.data(), 500);
  Bytes log = batch;
  log.insert(log.end(), batch.begin(), batch.end() - 1);
  const auto first = PeekBatch(log);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->base_offset, 500);
  EXPECT_EQ(first->last_offset, 502);
  EXPECT_EQ(first->magic, 2);
  EXPECT_EQ(first->producer_id, 0x1122334455667788);
  EXPECT_EQ(first->producer_epoch, 5);
  EXPECT_EQ(first->base_sequence, 0x7ffffff0);
  EXPECT_EQ(first->size, batch.size());
  EXPECT_FALSE(PeekBatch(ByteSpan(log).subspan(first->size)).has_value());  // cut short
  for (size_t size = 0; size < batch.size(); ++size) EXPECT_FALSE(PeekBatch(ByteSpan(batch).first(size)).has_value());
}

// Found by tests/fuzz/batch_target: their sum was no number.
TEST(BatchTest, OffsetsThatNoLogHasAreNoBatch) {
  for (const int64_t base : {int64_t{-1}, INT64_MIN, INT64_MAX, INT64_MAX - 2}) {
    Bytes batch = MakeBatch();
    StoreBigEndian<int64_t>(batch.data(), base);
    EXPECT_FALSE(PeekBatch(batch).has_value()) << base;
  }
  for (const int32_t delta : {-1, INT32_MIN}) {
    Bytes batch = MakeBatch();
    StoreBigEndian<int32_t>(batch.data() + 23, delta);
    EXPECT_FALSE(PeekBatch(batch).has_value()) << delta;
  }
}

TEST(BatchTest, MessagesOfOlderFormatsArePassed) {
  Bytes message(34);
  StoreBigEndian<int64_t>(message.data(), 7);
  StoreBigEndian<int32_t>(message.data() + 8, 22);
  message[16] = std::byte{1};
  const auto found = PeekBatch(message);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->last_offset, 7);
  EXPECT_EQ(found->producer_id, -1);
  EXPECT_EQ(found->size, 34u);
  StoreBigEndian<int32_t>(message.data() + 8, -1);
  EXPECT_FALSE(PeekBatch(message).has_value());
  StoreBigEndian<int32_t>(message.data() + 8, 1);
  EXPECT_FALSE(PeekBatch(message).has_value());
}

}  // namespace
}  // namespace dory::kafka::protocol
