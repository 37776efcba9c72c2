// A record: one accepted message as it lies in the ring, and whole in waiting batches.
//
//     RecordHeader (32) | MessageHeader (40) | topic-independent bytes: headers | key | value | padding
//
// 32-byte aligned, never wrapping: where a lap's rest is too short a PAD record fills it.

#pragma once

#include <cstddef>
#include <cstdint>

#include "common/bytes.h"
#include "shm/layout.h"

namespace dory::shm {

enum class RecordKind : uint8_t { kMessage = 1, kPad = 2 };
enum class MessageKind : uint8_t { kAnyPartition = 0, kPartitionKey = 1 };

struct RecordHeader {
  uint32_t size;  // this header included, padding not
  RecordKind kind;
  uint8_t flags;
  uint16_t reserved;
  uint64_t position;  // its own absolute ring position: identity, and the check against a stale lap
  int64_t received_boottime_ns;
  uint32_t crc;      // crc32c of all `size` bytes with this field 0
  uint32_t ordinal;  // low half of the number of messages appended before it
};
static_assert(sizeof(RecordHeader) == kRecordAlign && offsetof(RecordHeader, position) == 8);
static_assert(offsetof(RecordHeader, received_boottime_ns) == 16 && offsetof(RecordHeader, crc) == 24);

inline constexpr int32_t kNullSize = -1;

struct MessageHeader {
  uint32_t topic_row;
  MessageKind kind;
  uint8_t flags;
  uint16_t header_count;   // Kafka headers
  uint32_t partition_key;  // of kind PartitionKey
  int32_t key_size;        // kNullSize: null
  int32_t value_size;      // kNullSize: null
  uint32_t headers_size;   // bytes, already encoded as Kafka's record format has them
  int64_t timestamp_ms;
  uint64_t ticket;  // 0: no receipt asked for
};
static_assert(sizeof(MessageHeader) == 40 && offsetof(MessageHeader, timestamp_ms) == 24);

inline constexpr size_t kRecordOverhead = sizeof(RecordHeader) + sizeof(MessageHeader);

// A message with its bytes wherever they lie.
struct MessageView {
  MessageHeader header;
  ByteSpan headers;
  ByteSpan key;
  ByteSpan value;

  size_t RecordSize() const { return kRecordOverhead + headers.size() + key.size() + value.size(); }
};

inline constexpr uint64_t AlignRecord(uint64_t size) {
  return (size + kRecordAlign - 1) & ~uint64_t{kRecordAlign - 1};
}

// crc32c of a record as its header's crc field has it.
uint32_t RecordCrc(ByteSpan record);

// The message of a record whose bytes are all there. False where its sizes contradict one another.
[[nodiscard]] bool ViewMessage(ByteSpan record, MessageView* view);

}  // namespace dory::shm
