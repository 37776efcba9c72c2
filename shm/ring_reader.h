// The consuming end of the ring: looks at records between a position and `tail`, checks each, and
// moves nothing; `head` is stored by the drain (C5).
//
// Owner: the lane's kafka worker; check-buffer reads the same way.
// Errors: a record that does not hold (crc, position, size, kind) is told as a damaged span up to the
// next header that does, with the number of messages lost in it by their ordinals.

#pragma once

#include <cstdint>

#include "common/bytes.h"
#include "shm/layout.h"
#include "shm/record.h"

namespace dory::shm {

struct RingRecord {
  enum class Verdict { kMessage, kPad, kDamaged, kEnd };
  Verdict verdict = Verdict::kEnd;
  uint64_t end = 0;        // position behind it
  ByteSpan bytes;          // of a message: the whole record
  MessageView message;     // of a message
  int64_t received_boottime_ns = 0;
  uint32_t ordinal = 0;
  uint64_t lost_bytes = 0;  // of a damaged span
};

class RingReader {
 public:
  RingReader(const ProducerPage* producer, ByteSpan ring) : producer_(producer), ring_(ring) {}

  // The record at `position`, or kEnd where `position` is `tail`.
  RingRecord ReadAt(uint64_t position, uint64_t tail) const;

  uint64_t Tail() const;

 private:
  bool ReadSound(uint64_t position, uint64_t tail, RingRecord* record) const;

  const ProducerPage* producer_;
  ByteSpan ring_;
};

}  // namespace dory::shm
