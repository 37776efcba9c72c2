// A client's bytes as a message, or the reason why they are none. Pure.
//
// A message's layout, in wire order and big-endian; Headers are of version 1:
//
//     int32 Size | int16 ApiKey | int16 ApiVersion | int16 Flags | [int32 PartitionKey] | [int64 ReceiptId] |
//     int16 TopicSize, Topic | int64 Timestamp | [Headers] | int32 KeySize, Key | int32 ValueSize, Value
//
//     Headers: int16 Count | Count times: int16 NameSize, Name | int32 ValueSize, Value
//
// In version 1 a size of -1 is null: of a key, a value, a header's value. Version 0 can't say it, so there
// a key of size 0 is null, and the topic's option says what a value of size 0 is.
//
// Bit 0 of Flags, in version 1 and of a stream, says that ReceiptId is there and a receipt wanted. All other bits
// are 0.

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
  ByteSpan headers;  // as on the wire, behind their count
  int16_t header_count = 0;
  std::optional<ByteSpan> key;    // none: null
  std::optional<ByteSpan> value;  // none: null
  bool knows_null = false;        // else a value of size 0 is what the topic's option says
  std::optional<int64_t> receipt_id;  // a receipt is wanted
};

struct ParseResult {
  std::optional<shm::Reject> reject;  // nothing: `message` is one
  int16_t api_key = 0;                // these two where they could be read
  int16_t api_version = 0;
  ParsedMessage message;  // its bytes are those that were parsed; of kBadTopic it is whole as well
};

// `bytes` is a whole datagram, or what a slot could hold of it: then `truncated`. `limit` is the
// largest message allowed. `may_ask`: it came by a stream, where a receipt can be given.
ParseResult Parse(ByteSpan bytes, bool truncated, size_t limit, bool may_ask = false);

// Calls `each(name, value)` for the headers of a parsed message, in their order.
template <typename Each>
void ForEachHeader(const ParsedMessage& message, Each each) {
  ByteReader reader(message.headers);
  for (int16_t i = 0; i < message.header_count; ++i) {
    const ByteSpan name = reader.ReadBytes(static_cast<size_t>(reader.Read<int16_t>()));
    const auto size = reader.Read<int32_t>();
    each(name, size < 0 ? std::nullopt : std::optional(reader.ReadBytes(static_cast<size_t>(size))));
  }
}

// Kafka's rule: 1 to 249 of [a-zA-Z0-9._-], neither "." nor "..".
bool IsTopicName(std::string_view name);

}  // namespace dory::intake
