#include "intake_worker/parse.h"

#include <array>

namespace dory::intake {
namespace {

using shm::Reject;

constexpr size_t kSmallestMessage = 8;  // Size, ApiKey, ApiVersion: whose it is can be told

constexpr std::array<bool, 256> MakeTopicCharacters() {
  std::array<bool, 256> allowed{};
  for (unsigned char c = 'a'; c <= 'z'; ++c) allowed[c] = true;
  for (unsigned char c = 'A'; c <= 'Z'; ++c) allowed[c] = true;
  for (unsigned char c = '0'; c <= '9'; ++c) allowed[c] = true;
  allowed['.'] = allowed['_'] = allowed['-'] = true;
  return allowed;
}
constexpr std::array<bool, 256> kTopicCharacters = MakeTopicCharacters();

constexpr int16_t kNewestVersion = 1;
constexpr int16_t kAsksForReceipt = 1;  // of Flags

// A field with its size before it. A size below `smallest` fails the reader.
template <typename Size>
ByteSpan ReadSized(ByteReader& reader, Size smallest) {
  const Size size = reader.Read<Size>();
  if (size < smallest) reader.Fail();
  return reader.ReadBytes(static_cast<size_t>(size));
}

// A field whose size is -1 where it is null.
std::optional<ByteSpan> ReadNullable(ByteReader& reader) {
  const auto size = reader.Read<int32_t>();
  if (size == -1) return std::nullopt;
  if (size < 0) reader.Fail();
  return reader.ReadBytes(static_cast<size_t>(size));
}

void ReadHeaders(ByteReader& reader, ByteSpan bytes, ParsedMessage* message) {
  message->header_count = reader.Read<int16_t>();
  if (message->header_count < 0) reader.Fail();
  const size_t begin = reader.offset();
  for (int16_t i = 0; reader.ok() && i < message->header_count; ++i) {
    ReadSized<int16_t>(reader, 0);
    ReadNullable(reader);
  }
  message->headers = bytes.subspan(begin, reader.offset() - begin);
}

// What follows ApiVersion in `bytes`, which is the whole message. False: malformed.
bool ReadBody(ByteReader& reader, ByteSpan bytes, bool may_ask, ParsedMessage* message) {
  const int16_t flags = reader.Read<int16_t>();
  if (flags != 0 && (flags != kAsksForReceipt || !may_ask || !message->knows_null)) return false;
  if (message->kind == shm::MessageKind::kPartitionKey) message->partition_key = reader.Read<uint32_t>();
  if (flags == kAsksForReceipt) message->receipt_id = reader.Read<int64_t>();
  message->topic = AsText(ReadSized<int16_t>(reader, 1));
  message->timestamp_ms = reader.Read<int64_t>();
  if (message->knows_null) {
    ReadHeaders(reader, bytes, message);
    message->key = ReadNullable(reader);
    message->value = ReadNullable(reader);
  } else {
    message->key = ReadSized<int32_t>(reader, 0);
    if (message->key->empty()) message->key.reset();
    message->value = ReadSized<int32_t>(reader, 0);
  }
  return reader.ok() && reader.remaining() == 0;
}

ParseResult Refuse(ParseResult& result, Reject reason) {
  result.reject = reason;
  return result;
}

}  // namespace

bool IsTopicName(std::string_view name) {
  if (name.empty() || name.size() > shm::kMaxTopicName || name == "." || name == "..") return false;
  bool allowed = true;
  for (const char c : name) allowed &= kTopicCharacters[static_cast<unsigned char>(c)];
  return allowed;
}

ParseResult Parse(ByteSpan bytes, bool truncated, size_t limit, bool may_ask) {
  ParseResult result;
  if (truncated || bytes.size() > limit) return Refuse(result, Reject::kTooLong);
  if (bytes.size() < kSmallestMessage) return Refuse(result, Reject::kMalformed);
  ByteReader reader(bytes);
  const auto size = reader.Read<int32_t>();
  if (size < 0 || static_cast<size_t>(size) != bytes.size()) return Refuse(result, Reject::kMalformed);

  result.api_key = reader.Read<int16_t>();
  result.api_version = reader.Read<int16_t>();
  if (result.api_key != kAnyPartitionKey && result.api_key != kPartitionKeyKey) {
    return Refuse(result, Reject::kUnsupportedKey);
  }
  if (result.api_version < 0 || result.api_version > kNewestVersion) {
    return Refuse(result, Reject::kUnsupportedVersion);
  }

  ParsedMessage& message = result.message;
  message.kind = result.api_key == kAnyPartitionKey ? shm::MessageKind::kAnyPartition
                                                    : shm::MessageKind::kPartitionKey;
  message.knows_null = result.api_version > 0;
  if (!ReadBody(reader, bytes, may_ask, &message)) {
    message.receipt_id.reset();
    return Refuse(result, Reject::kMalformed);
  }
  if (!IsTopicName(message.topic)) return Refuse(result, Reject::kBadTopic);
  return result;
}

}  // namespace dory::intake
