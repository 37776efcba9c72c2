#include "shm/ring_writer.h"

#include <cassert>
#include <cstring>

#include "shm/store.h"

namespace dory::shm {
namespace {

RecordHeader MakeHeader(uint64_t size, RecordKind kind, uint64_t position) {
  RecordHeader header{};
  header.size = static_cast<uint32_t>(size);
  header.kind = kind;
  header.position = position;
  return header;
}

void CopyAll(std::byte*& to, ByteSpan bytes) {
  if (bytes.empty()) return;  // an empty span may have no address
  Copy(to, bytes.data(), bytes.size());
  to += bytes.size();
}

}  // namespace

uint64_t RingWriter::Load(const ProducerPage& page) { return shm::Load(page.tail); }

uint64_t RingWriter::FreeBytes() const {
  return ring_.size() - (Load(*page_) - shm::Load(consumer_->head));
}

uint64_t RingWriter::SurelyFits(uint64_t record_size, uint64_t held_back) const {
  const uint64_t aligned = AlignRecord(record_size);
  const uint64_t free = FreeBytes();
  // One PAD a lap at most, and it is shorter than the record that did not fit before the lap's end.
  if (free < held_back + 2 * aligned) return 0;
  return (free - held_back - aligned) / aligned;
}

bool RingWriter::Fits(uint64_t record_size, uint64_t held_back) const {
  const uint64_t aligned = AlignRecord(record_size);
  const uint64_t lap_rest = ring_.size() - write_position_ % ring_.size();
  const uint64_t needed = aligned + (lap_rest < aligned ? lap_rest : 0);
  return write_position_ + needed - shm::Load(consumer_->head) + held_back <= ring_.size();
}

void RingWriter::WritePad(uint64_t size) {
  RecordHeader pad = MakeHeader(size, RecordKind::kPad, write_position_);
  // The crc of a PAD covers its header alone: what lies behind it is an older lap's.
  pad.crc = RecordCrc(std::as_bytes(std::span(&pad, 1)));
  Copy(At(write_position_), &pad, sizeof(pad));
  write_position_ += size;
}

void RingWriter::Write(const MessageView& message, int64_t received_boottime_ns, uint64_t ordinal) {
  const uint64_t size = message.RecordSize();
  const uint64_t aligned = AlignRecord(size);
  const uint64_t lap_rest = ring_.size() - write_position_ % ring_.size();
  if (lap_rest < aligned) WritePad(lap_rest);

  struct {
    RecordHeader record;
    MessageHeader message;
  } head{MakeHeader(size, RecordKind::kMessage, write_position_), message.header};
  head.record.received_boottime_ns = received_boottime_ns;
  head.record.ordinal = static_cast<uint32_t>(ordinal);

  std::byte* const start = At(write_position_);
  Copy(start, &head, sizeof(head));
  std::byte* to = start + sizeof(head);
  CopyAll(to, message.headers);
  CopyAll(to, message.key);
  CopyAll(to, message.value);
  assert(to == start + size);
  Store(reinterpret_cast<RecordHeader*>(start)->crc, RecordCrc({start, size}));
  write_position_ += aligned;
}

}  // namespace dory::shm
