// Bytes as a client's message. What is taken lies inside of them, and its topic is one that Kafka allows.

#include "intake_worker/parse.h"
#include "tests/fuzz/target.h"

namespace {

using namespace dory;

constexpr size_t kLimit = 4096;

bool LiesInside(ByteSpan part, ByteSpan whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteSpan bytes = fuzz::AsInput(data, size);
  const intake::ParseResult parsed = intake::Parse(bytes, false, kLimit, true);
  const bool asks = parsed.message.receipt_id.has_value();
  if (!asks) fuzz::Require(intake::Parse(bytes, false, kLimit).reject == parsed.reject);
  fuzz::Require(intake::Parse(bytes, true, kLimit).reject.has_value());
  if (parsed.reject) return 0;
  const intake::ParsedMessage& message = parsed.message;
  fuzz::Require(intake::IsTopicName(message.topic) && size <= kLimit);
  const ByteSpan key = message.key.value_or(ByteSpan());
  const ByteSpan value = message.value.value_or(ByteSpan());
  fuzz::Require(LiesInside(AsBytes(message.topic), bytes) && LiesInside(key, bytes) && LiesInside(value, bytes));
  size_t headers_size = 0;
  intake::ForEachHeader(message, [&](ByteSpan name, std::optional<ByteSpan> header_value) {
    headers_size += sizeof(int16_t) + name.size() + sizeof(int32_t);
    if (header_value) headers_size += header_value->size();
    fuzz::Require(LiesInside(name, bytes) && LiesInside(header_value.value_or(ByteSpan()), bytes));
  });
  fuzz::Require(headers_size == message.headers.size());
  fuzz::Require(message.topic.size() + headers_size + key.size() + value.size() < size);
  return 0;
}
