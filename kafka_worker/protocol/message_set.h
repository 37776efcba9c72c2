// Message formats 0 and 1: messages one behind the other, each with a crc of its own.
//
//     offset:8 | size:4 | crc:4 | magic:1 | attributes:1 | timestamp:8 (format 1) | key size:4 | key
//              | value size:4 | value
//
// `size` is of what follows it, the crc (crc-32, not crc32c) of what follows that; a size of -1 is null.
// A compressed set is the value of one message, the wrapper, without a key: its attributes tell the codec,
// its timestamp is the largest of those inside. Offsets of format 1 count from 0 inside a wrapper, and the
// wrapper has the last one's; of format 0 the broker gives all. Neither has headers.
// Source: the Kafka documentation of 0.8 and 0.10, "Messages"; format 1 is KIP-31 and KIP-32.
//
// Nothing here allocates.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "common/bytes.h"

namespace dory::kafka::protocol {

// What a message has beside key and value.
constexpr size_t MessageOverhead(int8_t format) { return format == 0 ? 26 : 34; }

struct MessageView {
  int64_t offset = 0;
  int64_t timestamp = 0;        // of format 1; brokers take none below -1, which is "none"
  std::optional<ByteSpan> key;  // none: null
  std::optional<ByteSpan> value;
};

// A message in pieces: copy `pieces` one behind the other. They point into this object and into what the
// MessageView showed. REQUIRES: format 0 or 1; key and value together stay below 2^31 - 64 bytes.
class MessagePieces {
 public:
  MessagePieces(int8_t format, const MessageView& message);
  MessagePieces(const MessagePieces&) = delete;
  MessagePieces& operator=(const MessagePieces&) = delete;

  // Prefix up to the key's size; key; value's size; value.
  const std::array<ByteSpan, 4>& pieces() const { return pieces_; }

 private:
  std::array<std::byte, 34> scratch_;
  std::array<ByteSpan, 4> pieces_;
};

struct MessageWrapper {
  int8_t format = 0;
  int16_t codec_bits = 0;
  int32_t message_count = 0;
  int64_t max_timestamp = 0;
};

// All of a wrapper but its value. REQUIRES: MessageOverhead() bytes at `out`.
void EncodeWrapperHead(std::byte* out, const MessageWrapper& wrapper, std::span<const ByteSpan> value);

}  // namespace dory::kafka::protocol
