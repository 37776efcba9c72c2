// Bytes as a batch of message format 2: as they are, and with length and crc made to hold, since what lies behind
// those would hardly ever be reached. The header of what is read is written as it was. And as a log, batch by batch.

#include "kafka_worker/protocol/batch.h"

#include <algorithm>
#include <vector>

#include "common/crc32c.h"
#include "kafka_worker/protocol/record.h"
#include "tests/fuzz/target.h"

namespace {

using namespace dory;
using namespace dory::kafka::protocol;

constexpr size_t kLengthAt = 8;
constexpr size_t kLengthCountsFrom = 12;
constexpr size_t kMagicAt = 16;
constexpr size_t kCrcAt = 17;
constexpr size_t kAttributesAt = 21;

void Mend(std::vector<std::byte>* batch) {
  std::byte* const at = batch->data();
  StoreBigEndian(at + kLengthAt, static_cast<int32_t>(batch->size() - kLengthCountsFrom));
  StoreBigEndian<int8_t>(at + kMagicAt, 2);
  StoreBigEndian(at + kCrcAt, Crc32c(ByteSpan(*batch).subspan(kAttributesAt)));
}

void Read(ByteSpan bytes) {
  const auto batch = DecodeBatch(bytes);
  if (!batch.ok()) return;
  const BatchHeader& header = batch.value().header;
  ByteReader records(batch.value().records);
  RecordView record;
  if ((header.attributes & kCodecMask) == 0) {
    while (records.remaining() > 0 && DecodeRecord(&records, &record)) continue;
  }
  std::byte again[kBatchHeaderBytes];
  EncodeBatchHeader(again, header);
  // All but what the broker gives: base offset, leader epoch.
  fuzz::Require(std::equal(again + kMagicAt, again + kBatchHeaderBytes, bytes.begin() + kMagicAt));
  fuzz::Require(std::equal(again + kLengthAt, again + kLengthCountsFrom, bytes.begin() + kLengthAt));
}

// As the worker looks into a log.
void Peek(ByteSpan bytes) {
  int64_t next_offset = 0;
  while (const auto batch = PeekBatch(bytes)) {
    next_offset = std::max(next_offset, batch->last_offset + 1);
    fuzz::Require(batch->size > 0 && batch->size <= bytes.size() && batch->last_offset >= batch->base_offset);
    bytes = bytes.subspan(batch->size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteSpan bytes = fuzz::AsInput(data, size);
  Read(bytes);
  Peek(bytes);
  if (size < kBatchHeaderBytes) return 0;
  std::vector<std::byte> mended(bytes.begin(), bytes.end());
  Mend(&mended);
  Read(mended);
  return 0;
}
