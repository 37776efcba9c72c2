#include "kafka_worker/protocol/message_set.h"

#include <algorithm>

#include "common/crc32.h"

namespace dory::kafka::protocol {
namespace {

constexpr size_t kSizeAt = 8;
constexpr size_t kCrcAt = 12;
constexpr size_t kMagicAt = 16;
constexpr int32_t kNull = -1;
constexpr int64_t kNoTimestamp = -1;

struct Head {
  int8_t format;
  int8_t attributes;
  int64_t offset;
  int64_t timestamp;
};

int32_t SizeOf(const std::optional<ByteSpan>& bytes) {
  return bytes ? static_cast<int32_t>(bytes->size()) : kNull;
}

// Up to the key's size, with size and crc left open. Returns the end.
std::byte* StoreHead(std::byte* out, const Head& head, int32_t key_size) {
  StoreBigEndian(out, head.offset);
  std::byte* at = out + kMagicAt;
  *at++ = static_cast<std::byte>(head.format);
  *at++ = static_cast<std::byte>(head.attributes);
  if (head.format > 0) {
    StoreBigEndian(at, std::max(head.timestamp, kNoTimestamp));
    at += sizeof(int64_t);
  }
  StoreBigEndian(at, key_size);
  return at + sizeof(int32_t);
}

void Close(std::byte* head, size_t size, uint32_t crc) {
  StoreBigEndian(head + kSizeAt, static_cast<int32_t>(size - kCrcAt));
  StoreBigEndian(head + kCrcAt, crc);
}

}  // namespace

MessagePieces::MessagePieces(int8_t format, const MessageView& message) {
  std::byte* const head = scratch_.data();
  std::byte* const value_size =
      StoreHead(head, {format, 0, message.offset, message.timestamp}, SizeOf(message.key));
  StoreBigEndian(value_size, SizeOf(message.value));
  pieces_ = {ByteSpan(head, value_size), message.key.value_or(ByteSpan()),
             ByteSpan(value_size, sizeof(int32_t)), message.value.value_or(ByteSpan())};
  size_t size = 0;
  uint32_t crc = Crc32Extend(0, pieces_[0].subspan(kMagicAt));
  for (size_t i = 1; i < pieces_.size(); ++i) crc = Crc32Extend(crc, pieces_[i]);
  for (const ByteSpan piece : pieces_) size += piece.size();
  Close(head, size, crc);
}

void EncodeWrapperHead(std::byte* out, const MessageWrapper& wrapper, std::span<const ByteSpan> value) {
  const auto attributes = static_cast<int8_t>(wrapper.codec_bits);
  const int64_t last_offset = wrapper.format > 0 ? wrapper.message_count - 1 : 0;
  std::byte* const value_size = StoreHead(out, {wrapper.format, attributes, last_offset, wrapper.max_timestamp}, kNull);
  size_t value_bytes = 0;
  for (const ByteSpan span : value) value_bytes += span.size();
  StoreBigEndian(value_size, static_cast<int32_t>(value_bytes));
  const size_t head_bytes = MessageOverhead(wrapper.format);
  uint32_t crc = Crc32Extend(0, ByteSpan(out, head_bytes).subspan(kMagicAt));
  for (const ByteSpan span : value) crc = Crc32Extend(crc, span);
  Close(out, head_bytes + value_bytes, crc);
}

}  // namespace dory::kafka::protocol
