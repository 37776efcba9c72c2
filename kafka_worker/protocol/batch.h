// The 61 bytes before the records of a batch of message format 2.
//
//      0 base offset:8             21 attributes:2           43 producer id:8
//      8 batch length:4            23 last offset delta:4    51 producer epoch:2
//     12 partition leader epoch:4  27 base timestamp:8       53 base sequence:4
//     16 magic:1                   35 max timestamp:8        57 record count:4
//     17 crc:4                                               61 records
//
// `batch length` counts what follows it; the crc is of everything from `attributes` on, so it is
// combined from the header's and the running one of the records, which are not read again.
// Source: the Kafka documentation, "Implementation / Message Format / Record Batch" (KIP-98).

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/bytes.h"
#include "common/status.h"

namespace dory::kafka::protocol {

inline constexpr size_t kBatchHeaderBytes = 61;
inline constexpr int16_t kCodecMask = 0x07;  // of the attributes; 0: not compressed

struct BatchHeader {
  int64_t base_timestamp = 0;
  int64_t max_timestamp = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t base_sequence = -1;  // the three are -1 where the batch is not idempotent
  int32_t record_count = 0;
  int16_t attributes = 0;
  size_t records_bytes = 0;  // as sent: compressed where they are
  uint32_t records_crc = 0;  // crc32c of just these
};

// REQUIRES: kBatchHeaderBytes at `out`; record_count > 0; records_bytes < 2^31 - 64.
void EncodeBatchHeader(std::byte* out, const BatchHeader& header);

// A whole batch taken apart; fails where magic, length, count or crc do not hold, and where it has no record.
struct DecodedBatch {
  BatchHeader header;
  int64_t base_offset;
  int32_t partition_leader_epoch;
  ByteSpan records;
  size_t size;  // of the whole batch; the next may follow
};

Result<DecodedBatch> DecodeBatch(ByteSpan bytes);

// What a log says of a batch; of formats 0 and 1 no producer. A compaction may have left fewer records than
// there are offsets.
struct LoggedBatch {
  int64_t base_offset;
  int64_t last_offset;
  int8_t magic;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t base_sequence = -1;
  size_t size;
};

// The first batch of `bytes`, which came from a log; none where it is cut short, or is none. Its crc is not
// looked at.
std::optional<LoggedBatch> PeekBatch(ByteSpan bytes);

}  // namespace dory::kafka::protocol
