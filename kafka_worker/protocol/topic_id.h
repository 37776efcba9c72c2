// A topic's id: what brokers of Kafka 2.8 and newer call it by besides its name. A topic that is deleted
// and created anew under the same name has another one.
//
// Source: KIP-516. In the log it stands as Kafka's own tools show it: base64url, unpadded.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

#include "kafka_worker/protocol/wire.h"

namespace dory::kafka::protocol {

using TopicId = std::array<std::byte, 16>;
inline constexpr TopicId kNoTopicId{};

inline TopicId ReadTopicId(Reader* reader) {
  TopicId id{};
  const ByteSpan bytes = reader->ReadRaw(id.size());
  std::copy(bytes.begin(), bytes.end(), id.begin());
  return id;
}

inline std::string ShowTopicId(const TopicId& id) {
  constexpr const char* kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  uint32_t held = 0;
  int bits = 0;
  for (const std::byte byte : id) {
    held = held << 8 | static_cast<uint32_t>(byte);
    for (bits += 8; bits >= 6; bits -= 6) text += kDigits[held >> (bits - 6) & 63];
  }
  if (bits > 0) text += kDigits[held << (6 - bits) & 63];
  return text;
}

}  // namespace dory::kafka::protocol
