#include "shm/ring_reader.h"

#include <cstring>

#include "shm/store.h"

namespace dory::shm {

uint64_t RingReader::Tail() const { return Load(producer_->tail); }

bool RingReader::ReadSound(uint64_t position, uint64_t tail, RingRecord* record) const {
  const uint64_t offset = position % ring_.size();
  RecordHeader header;
  std::memcpy(&header, ring_.data() + offset, sizeof(header));
  if (header.position != position || header.size < sizeof(header)) return false;
  const uint64_t aligned = AlignRecord(header.size);
  if (aligned > tail - position || aligned > ring_.size() - offset) return false;
  record->end = position + aligned;
  if (header.kind == RecordKind::kPad) {
    record->verdict = RingRecord::Verdict::kPad;
    return header.crc == RecordCrc(ring_.subspan(offset, sizeof(header)));
  }
  if (header.kind != RecordKind::kMessage) return false;
  record->bytes = ring_.subspan(offset, header.size);
  record->received_boottime_ns = header.received_boottime_ns;
  record->ordinal = header.ordinal;
  record->verdict = RingRecord::Verdict::kMessage;
  return header.crc == RecordCrc(record->bytes) && ViewMessage(record->bytes, &record->message);
}

RingRecord RingReader::ReadAt(uint64_t position, uint64_t tail) const {
  RingRecord record;
  if (position == tail) return record;
  if (ReadSound(position, tail, &record)) return record;
  uint64_t next = position + kRecordAlign;
  RingRecord probe;
  while (next < tail && !ReadSound(next, tail, &probe)) next += kRecordAlign;
  record = RingRecord{};
  record.verdict = RingRecord::Verdict::kDamaged;
  record.end = next < tail ? next : tail;
  record.lost_bytes = record.end - position;
  return record;
}

}  // namespace dory::shm
