// Any keys, values and timestamps as messages of formats 0 and 1: what a broker reads is what was written. And bytes
// as a message set, for the reader with which tests stand in a broker's place.

#include "kafka_worker/protocol/message_set.h"

#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/fuzz/target.h"
#include "tests/support/message_set.h"

namespace {

using namespace dory;
using namespace dory::kafka::protocol;

struct Message {
  int64_t offset;
  int64_t timestamp;
  std::optional<std::string> key;
  std::optional<std::string> value;
};

std::optional<std::string> TakeText(FuzzedDataProvider* input) {
  if (input->ConsumeBool()) return std::nullopt;
  return input->ConsumeRandomLengthString();
}

std::optional<ByteSpan> View(const std::optional<std::string>& text) {
  return text ? std::optional(AsBytes(*text)) : std::nullopt;
}

void Append(int8_t format, const Message& message, std::vector<std::byte>* set) {
  const MessagePieces encoded(format, {message.offset, message.timestamp, View(message.key), View(message.value)});
  for (const ByteSpan piece : encoded.pieces()) set->insert(set->end(), piece.begin(), piece.end());
}

bool IsSame(const std::optional<ByteSpan>& found, const std::optional<std::string>& text) {
  return found.has_value() == text.has_value() && AsText(found.value_or(ByteSpan())) == text.value_or("");
}

void Check(int8_t format, const Message& message, const tests::PlainMessage& found) {
  fuzz::Require(found.magic == format && found.attributes == 0 && found.offset == message.offset);
  fuzz::Require(format == 0 || found.timestamp == std::max<int64_t>(message.timestamp, -1));
  fuzz::Require(IsSame(found.key, message.key) && IsSame(found.value, message.value));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)tests::ReadMessageSet(fuzz::AsInput(data, size));
  FuzzedDataProvider input(data, size);
  const auto format = input.ConsumeIntegralInRange<int8_t>(0, 1);
  std::vector<Message> messages;
  std::vector<std::byte> set;
  while (input.remaining_bytes() > 0) {
    const auto offset = input.ConsumeIntegral<int64_t>();
    const auto timestamp = input.ConsumeIntegral<int64_t>();
    auto key = TakeText(&input);
    messages.push_back({offset, timestamp, std::move(key), TakeText(&input)});
    Append(format, messages.back(), &set);
  }
  const auto found = tests::ReadMessageSet(set);
  fuzz::Require(found && found->size() == messages.size());
  for (size_t i = 0; i < messages.size(); ++i) Check(format, messages[i], (*found)[i]);
  return 0;
}
