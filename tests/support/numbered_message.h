// The message that says who sent it and which one it is: written by numbered_sender, read by judge.
//
//     value = "S<sender> <A|K><key> <sequence> xxx….",  e.g. "S3 A 17 xxxx." or "S3 K12 9 xxxx."
//
// A is for AnyPartition (no key), K for PartitionKey. The sequence counts from 0, one count for each
// sender and kind. The padding is optional, but if there is any it is of 'x' and ends with '.', so
// that a value that was cut or overwritten is seen. A K message may carry its key in decimal as the
// Kafka message's key too.

#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dory::tests {

enum class Kind : uint8_t { kAny = 0, kKey = 1 };

inline constexpr uint64_t kMaxSequence = uint64_t{1} << 33;

struct NumberedMessage {
  uint32_t sender = 0;
  Kind kind = Kind::kAny;
  uint32_t key = 0;  // kAny: 0
  uint64_t sequence = 0;

  bool operator==(const NumberedMessage&) const = default;
};

// The longest text before the padding.
inline constexpr size_t kNumberedTextSize = 48;

// Writes the value, exactly value.size() bytes. REQUIRES: value.size() >= kNumberedTextSize.
inline void WriteNumbered(const NumberedMessage& message, std::span<char> value) {
  char* at = value.data();
  char* const end = at + value.size();
  *at++ = 'S';
  at = std::to_chars(at, end, message.sender).ptr;
  *at++ = ' ';
  *at++ = message.kind == Kind::kAny ? 'A' : 'K';
  if (message.kind == Kind::kKey) at = std::to_chars(at, end, message.key).ptr;
  *at++ = ' ';
  at = std::to_chars(at, end, message.sequence).ptr;
  *at++ = ' ';
  std::memset(at, 'x', static_cast<size_t>(end - at - 1));
  end[-1] = '.';
}

inline std::string NumberedText(const NumberedMessage& message) {
  const std::string key = message.kind == Kind::kAny ? "A" : "K" + std::to_string(message.key);
  return "S" + std::to_string(message.sender) + " " + key + " " + std::to_string(message.sequence);
}

// Nothing or " xxx.", with any number of x.
inline bool IsPadding(std::string_view text) {
  if (text.empty()) return true;
  if (text.size() < 2 || text.front() != ' ' || text.back() != '.') return false;
  const std::string_view middle = text.substr(1, text.size() - 2);
  if (middle.empty()) return true;
  return middle[0] == 'x' &&
         std::memcmp(middle.data(), middle.data() + 1, middle.size() - 1) == 0;
}

// A cursor over the text; after the first failure everything fails.
class NumberedReader {
 public:
  explicit NumberedReader(std::string_view text) : rest_(text) {}

  bool ok() const { return ok_; }
  std::string_view rest() const { return rest_; }

  bool Take(char wanted) {
    if (!ok_ || rest_.empty() || rest_[0] != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void Expect(char wanted) { ok_ = Take(wanted); }

  template <typename T>
  T TakeNumber() {
    T number{};
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
    ok_ = ok_ && error == std::errc();
    if (ok_) rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return number;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// The message in `value`, or nothing if it is not one, or not whole.
inline std::optional<NumberedMessage> ReadNumbered(std::string_view value) {
  NumberedMessage message;
  NumberedReader reader(value);
  reader.Expect('S');
  message.sender = reader.TakeNumber<uint32_t>();
  reader.Expect(' ');
  if (reader.Take('K')) {
    message.kind = Kind::kKey;
    message.key = reader.TakeNumber<uint32_t>();
  } else {
    reader.Expect('A');
  }
  reader.Expect(' ');
  message.sequence = reader.TakeNumber<uint64_t>();
  if (!reader.ok() || message.sequence >= kMaxSequence || !IsPadding(reader.rest())) return {};
  return message;
}

}  // namespace dory::tests
