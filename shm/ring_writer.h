// The producing end of the ring.
//
// Owner: the lane's intake, alone.
// Order: records are written behind `tail`, where nobody looks; one Store of `tail` commits them all.
// On crash: what was written behind `tail` and not committed never was.

#pragma once

#include <cstdint>
#include <span>

#include "shm/layout.h"
#include "shm/record.h"

namespace dory::shm {

class RingWriter {
 public:
  // REQUIRES: ring.size() is a power of two or any multiple of kBlockSize.
  RingWriter(ProducerPage* page, const ConsumerPage* consumer, std::span<std::byte> ring)
      : page_(page), consumer_(consumer), ring_(ring), write_position_(Load(*page)) {}

  // Bytes between tail and the oldest record that the consumer may still need.
  uint64_t FreeBytes() const;

  // How many records of `record_size` bytes surely fit, a PAD included, with `held_back` bytes kept.
  uint64_t SurelyFits(uint64_t record_size, uint64_t held_back) const;

  // Begins a burst: what was written and not committed is forgotten.
  void Rewind() { write_position_ = Load(*page_); }

  // Writes a record behind those of this burst. REQUIRES: it fits (SurelyFits, or Fits).
  void Write(const MessageView& message, int64_t received_boottime_ns, uint64_t ordinal);

  // Whether one more record of this size fits behind the burst's others, with `held_back` bytes kept.
  bool Fits(uint64_t record_size, uint64_t held_back = 0) const;

  // The value of `tail` that commits the burst.
  uint64_t write_position() const { return write_position_; }

 private:
  static uint64_t Load(const ProducerPage& page);
  std::byte* At(uint64_t position) { return ring_.data() + position % ring_.size(); }
  void WritePad(uint64_t size);

  ProducerPage* page_;
  const ConsumerPage* consumer_;
  std::span<std::byte> ring_;
  uint64_t write_position_;
};

}  // namespace dory::shm
