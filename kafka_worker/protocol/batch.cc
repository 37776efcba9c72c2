#include "kafka_worker/protocol/batch.h"

#include <cassert>
#include <limits>

#include "common/crc32c.h"

namespace dory::kafka::protocol {
namespace {

// Offsets of the fields, as the header's drawing has them.
constexpr size_t kBatchLengthAt = 8;
constexpr size_t kPartitionLeaderEpochAt = 12;
constexpr size_t kMagicAt = 16;
constexpr size_t kCrcAt = 17;
constexpr size_t kAttributesAt = 21;
constexpr size_t kLastOffsetDeltaAt = 23;
constexpr size_t kBaseTimestampAt = 27;
constexpr size_t kMaxTimestampAt = 35;
constexpr size_t kProducerIdAt = 43;
constexpr size_t kProducerEpochAt = 51;
constexpr size_t kBaseSequenceAt = 53;
constexpr size_t kRecordCountAt = 57;
static_assert(kRecordCountAt + sizeof(int32_t) == kBatchHeaderBytes);

constexpr size_t kLengthCountsFrom = 12;
constexpr int8_t kMagic = 2;
constexpr int32_t kNoLeaderEpoch = -1;
// From here a caller may add what a batch has of offsets, and one.
constexpr int64_t kMostBaseOffset = std::numeric_limits<int64_t>::max() - (int64_t{1} << 32);

BatchHeader LoadHeader(const std::byte* from) {
  BatchHeader header;
  header.attributes = LoadBigEndian<int16_t>(from + kAttributesAt);
  header.base_timestamp = LoadBigEndian<int64_t>(from + kBaseTimestampAt);
  header.max_timestamp = LoadBigEndian<int64_t>(from + kMaxTimestampAt);
  header.producer_id = LoadBigEndian<int64_t>(from + kProducerIdAt);
  header.producer_epoch = LoadBigEndian<int16_t>(from + kProducerEpochAt);
  header.base_sequence = LoadBigEndian<int32_t>(from + kBaseSequenceAt);
  header.record_count = LoadBigEndian<int32_t>(from + kRecordCountAt);
  return header;
}

}  // namespace

void EncodeBatchHeader(std::byte* out, const BatchHeader& header) {
  assert(header.record_count > 0);
  const size_t length = kBatchHeaderBytes - kLengthCountsFrom + header.records_bytes;
  assert(length <= static_cast<size_t>(std::numeric_limits<int32_t>::max()));
  StoreBigEndian<int64_t>(out, 0);  // the broker assigns the offset
  StoreBigEndian<int32_t>(out + kBatchLengthAt, static_cast<int32_t>(length));
  StoreBigEndian<int32_t>(out + kPartitionLeaderEpochAt, kNoLeaderEpoch);
  StoreBigEndian<int8_t>(out + kMagicAt, kMagic);
  StoreBigEndian<int16_t>(out + kAttributesAt, header.attributes);
  StoreBigEndian<int32_t>(out + kLastOffsetDeltaAt, header.record_count - 1);
  StoreBigEndian<int64_t>(out + kBaseTimestampAt, header.base_timestamp);
  StoreBigEndian<int64_t>(out + kMaxTimestampAt, header.max_timestamp);
  StoreBigEndian<int64_t>(out + kProducerIdAt, header.producer_id);
  StoreBigEndian<int16_t>(out + kProducerEpochAt, header.producer_epoch);
  StoreBigEndian<int32_t>(out + kBaseSequenceAt, header.base_sequence);
  StoreBigEndian<int32_t>(out + kRecordCountAt, header.record_count);
  const uint32_t front = Crc32c(ByteSpan(out + kAttributesAt, kBatchHeaderBytes - kAttributesAt));
  const uint32_t crc = Crc32cCombine(front, header.records_crc, header.records_bytes);
  StoreBigEndian<uint32_t>(out + kCrcAt, crc);
}

Result<DecodedBatch> DecodeBatch(ByteSpan bytes) {
  if (bytes.size() < kBatchHeaderBytes) return Status::Error("batch is shorter than its header");
  const std::byte* from = bytes.data();
  if (LoadBigEndian<int8_t>(from + kMagicAt) != kMagic) return Status::Error("batch is not of format 2");
  const auto length = LoadBigEndian<int32_t>(from + kBatchLengthAt);
  const size_t size = kLengthCountsFrom + static_cast<size_t>(length);
  if (length < 0 || size < kBatchHeaderBytes || size > bytes.size()) {
    return Status::Error("batch length " + std::to_string(length) + " does not fit");
  }
  const ByteSpan summed = bytes.subspan(kAttributesAt, size - kAttributesAt);
  if (Crc32c(summed) != LoadBigEndian<uint32_t>(from + kCrcAt)) {
    return Status::Error("batch crc does not hold");
  }
  DecodedBatch batch{LoadHeader(from), LoadBigEndian<int64_t>(from),
                     LoadBigEndian<int32_t>(from + kPartitionLeaderEpochAt),
                     bytes.subspan(kBatchHeaderBytes, size - kBatchHeaderBytes), size};
  const int32_t count = batch.header.record_count;
  if (count < 1 || LoadBigEndian<int32_t>(from + kLastOffsetDeltaAt) != count - 1) {
    return Status::Error("batch count and last offset contradict one another");
  }
  batch.header.records_bytes = batch.records.size();
  batch.header.records_crc = Crc32c(batch.records);
  return batch;
}

std::optional<LoggedBatch> PeekBatch(ByteSpan bytes) {
  if (bytes.size() <= kMagicAt) return std::nullopt;
  const std::byte* from = bytes.data();
  const auto length = LoadBigEndian<int32_t>(from + kBatchLengthAt);
  const size_t size = kLengthCountsFrom + static_cast<size_t>(length);
  if (length < 0 || size > bytes.size() || size <= kMagicAt) return std::nullopt;
  const auto base = LoadBigEndian<int64_t>(from);
  if (base < 0 || base > kMostBaseOffset) return std::nullopt;
  LoggedBatch batch{.base_offset = base, .last_offset = base, .magic = LoadBigEndian<int8_t>(from + kMagicAt),
                    .size = size};
  if (batch.magic < kMagic) return batch;
  if (size < kBatchHeaderBytes) return std::nullopt;
  const auto last_offset_delta = LoadBigEndian<int32_t>(from + kLastOffsetDeltaAt);
  if (last_offset_delta < 0) return std::nullopt;
  batch.last_offset += last_offset_delta;
  batch.producer_id = LoadBigEndian<int64_t>(from + kProducerIdAt);
  batch.producer_epoch = LoadBigEndian<int16_t>(from + kProducerEpochAt);
  batch.base_sequence = LoadBigEndian<int32_t>(from + kBaseSequenceAt);
  return batch;
}

}  // namespace dory::kafka::protocol
