// One record of message format 2, as it lies in a batch and in the pool.
//
//     length | attributes:1 | timestamp delta | offset delta | key length | key
//            | value length | value | header count | headers
//
// Lengths, deltas and the count are zigzag varints, -1 being null; `length` is of what follows it.
// A header is {name length, name, value length, value}, of the same kind of varint.
// Source: the Kafka documentation, "Implementation / Message Format / Record" (KIP-98, KIP-82).
//
// Nothing here allocates. A record of 200 bytes costs some tens of nanoseconds.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/bytes.h"

namespace dory::kafka::protocol {

// REQUIRES: key, value and headers together stay below 2^31 - 64 bytes, header_count >= 0.
struct RecordView {
  int64_t timestamp_delta = 0;  // against the batch's base timestamp; may be negative
  int32_t offset_delta = 0;
  std::optional<ByteSpan> key;    // none: null, which is not the same as empty
  std::optional<ByteSpan> value;  // none: null
  ByteSpan headers;               // encoded, one behind the other
  int32_t header_count = 0;
};

// The most that a record has beside key, value and headers.
inline constexpr size_t kMaxRecordOverhead = 5 + 1 + 10 + 5 + 5 + 5 + 5;

// All of its bytes, the length in front included.
size_t RecordSize(const RecordView& record);

// Writes the record and returns its size. REQUIRES: RecordSize() bytes at `out`.
size_t EncodeRecord(std::byte* out, const RecordView& record);

// A record in pieces, for a destination that is not one stretch of memory: copy `pieces` one behind
// the other; some may be empty. They point into this object and into what the RecordView showed.
class RecordPieces {
 public:
  explicit RecordPieces(const RecordView& record);
  RecordPieces(const RecordPieces&) = delete;
  RecordPieces& operator=(const RecordPieces&) = delete;

  // Prefix up to the key's length; key; value's length; value; header count; headers.
  const std::array<ByteSpan, 6>& pieces() const { return pieces_; }
  size_t size() const { return size_; }

 private:
  std::array<std::byte, kMaxRecordOverhead> scratch_;
  std::array<ByteSpan, 6> pieces_;
  size_t size_;
};

// The next record of `reader`; its spans show what the reader reads. False where it is cut short or
// its lengths contradict one another: the reader has failed then. Headers are walked, too.
[[nodiscard]] bool DecodeRecord(ByteReader* reader, RecordView* record);

// One header of a record, as Kafka has it: the pieces of which RecordView::headers is made.
struct RecordHeaderView {
  ByteSpan name;
  std::optional<ByteSpan> value;  // none: null
};

size_t RecordHeaderSize(const RecordHeaderView& header);
// REQUIRES: RecordHeaderSize() bytes at `out`. Returns that size.
size_t EncodeRecordHeader(std::byte* out, const RecordHeaderView& header);
[[nodiscard]] bool DecodeRecordHeader(ByteReader* reader, RecordHeaderView* header);

}  // namespace dory::kafka::protocol
