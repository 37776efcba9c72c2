// A client's bytes as a message, or the reason why they are none. Pure.
//
// Only version 0 of both kinds is known. A message's layout, in wire order and big-endian:
//
//     int32 Size | int16 ApiKey | int16 ApiVersion | int16 Flags | [int32 PartitionKey] |
//     int16 TopicSize, Topic | int64 Timestamp | int32 KeySize, Key | int32 ValueSize, Value

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/bytes.h"
#include "shm/layout.h"
#include "shm/record.h"

namespace dory::intake {

inline constexpr int16_t kAnyPartitionKey = 256;
inline constexpr int16_t kPartitionKeyKey = 257;

// The smallest message beside its topic, key and value.
inline constexpr size_t kMessageOverhead = 28;

struct ParsedMessage {
  shm::MessageKind kind{};
  uint32_t partition_key = 0;  // of kind PartitionKey
  std::string_view topic;      // a name that Kafka allows
  int64_t timestamp_ms = 0;
  ByteSpan key;    // of size 0: null
  ByteSpan value;  // of size 0: null or empty, by the topic's option
};

struct ParseResult {
  std::optional<shm::Reject> reject;  // nothing: `message` is one
  int16_t api_key = 0;                // these two where they could be read
  int16_t api_version = 0;
  ParsedMessage message;  // its bytes are those that were parsed
};

// `bytes` is a whole datagram, or what a slot could hold of it: then `truncated`. `limit` is the
// largest message allowed.
ParseResult Parse(ByteSpan bytes, bool truncated, size_t limit);

// Kafka's rule: 1 to 249 of [a-zA-Z0-9._-], neither "." nor "..".
bool IsTopicName(std::string_view name);

}  // namespace dory::intake
