// Message sets of format 0 and 1 taken apart, as a broker or consumer does: for tests, and written from
// Kafka's documentation alone (its "Messages"), with a crc of its own.

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/bytes.h"

namespace dory::tests {

struct PlainMessage {
  int64_t offset = 0;
  int8_t magic = 0;
  int8_t attributes = 0;
  int64_t timestamp = -1;  // of format 1
  std::optional<ByteSpan> key;
  std::optional<ByteSpan> value;
};

// Bit by bit, so that nothing is shared with what is tested.
inline uint32_t ComputeCrc32(ByteSpan bytes) {
  uint32_t crc = UINT32_MAX;
  for (const std::byte byte : bytes) {
    crc ^= static_cast<uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xEDB88320u : 0);
  }
  return crc ^ UINT32_MAX;
}

inline std::optional<ByteSpan> ReadSized(ByteReader* reader) {
  const auto size = reader->Read<int32_t>();
  if (size == -1) return std::nullopt;
  if (size < 0) reader->Fail();
  return reader->ReadBytes(size < 0 ? 0 : static_cast<size_t>(size));
}

// One message; nothing where it does not hold.
inline std::optional<PlainMessage> ReadMessage(ByteReader* reader) {
  PlainMessage message;
  message.offset = reader->Read<int64_t>();
  const auto size = reader->Read<int32_t>();
  if (!reader->ok() || size < 4) return std::nullopt;
  const ByteSpan whole = reader->ReadBytes(static_cast<size_t>(size));
  if (!reader->ok()) return std::nullopt;
  ByteReader body(whole);
  if (body.Read<uint32_t>() != ComputeCrc32(whole.subspan(4))) return std::nullopt;
  message.magic = body.Read<int8_t>();
  message.attributes = body.Read<int8_t>();
  if (message.magic != 0 && message.magic != 1) return std::nullopt;
  if (message.magic == 1) message.timestamp = body.Read<int64_t>();
  message.key = ReadSized(&body);
  message.value = ReadSized(&body);
  if (!body.ok() || body.remaining() > 0) return std::nullopt;
  return message;
}

// All of them, to the last byte, which point into `bytes`; nothing where one does not hold.
inline std::optional<std::vector<PlainMessage>> ReadMessageSet(ByteSpan bytes) {
  std::vector<PlainMessage> messages;
  ByteReader reader(bytes);
  while (reader.remaining() > 0) {
    const std::optional<PlainMessage> message = ReadMessage(&reader);
    if (!message) return std::nullopt;
    messages.push_back(*message);
  }
  return messages;
}

}  // namespace dory::tests
