#include "shm/record.h"

#include <cstring>

#include "common/crc32c.h"

namespace dory::shm {

uint32_t RecordCrc(ByteSpan record) {
  static constexpr std::byte kZero[sizeof(uint32_t)] = {};
  constexpr size_t kAfter = offsetof(RecordHeader, crc) + sizeof(uint32_t);
  uint32_t crc = Crc32c(record.first(offsetof(RecordHeader, crc)));
  crc = Crc32cExtend(crc, kZero);
  return Crc32cExtend(crc, record.subspan(kAfter));
}

bool ViewMessage(ByteSpan record, MessageView* view) {
  if (record.size() < kRecordOverhead) return false;
  std::memcpy(&view->header, record.data() + sizeof(RecordHeader), sizeof(MessageHeader));
  const MessageHeader& header = view->header;
  if (header.key_size < kNullSize || header.value_size < kNullSize) return false;
  const uint64_t key_size = header.key_size < 0 ? 0 : static_cast<uint64_t>(header.key_size);
  const uint64_t value_size = header.value_size < 0 ? 0 : static_cast<uint64_t>(header.value_size);
  const ByteSpan body = record.subspan(kRecordOverhead);
  if (header.headers_size + key_size + value_size != body.size()) return false;
  view->headers = body.first(header.headers_size);
  view->key = body.subspan(header.headers_size, key_size);
  view->value = body.last(value_size);
  return true;
}

}  // namespace dory::shm
