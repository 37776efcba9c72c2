// What a numbered sender sends: the messages in order, a pure function of the options.
//
// Message i is of kind i mod 2 (both kinds) or of the one asked for; the sequence of its kind chooses its key
// (sequence mod keys), its topic (sequence [/ keys] mod topics) and its size.

#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "clients/c/dory_client.h"
#include "tests/support/numbered_message.h"

namespace dory::tests {

struct SourceOptions {
  std::vector<std::string> topics;
  uint32_t sender = 0;
  std::vector<size_t> sizes = {200};
  std::vector<std::string> kinds = {"any", "key"};
  uint32_t keys = 16;
};

// The messages in order; a pure function of the options.
class MessageSource {
 public:
  explicit MessageSource(const SourceOptions& options) : options_(options) {
    for (const std::string& kind : options.kinds) {
      kinds_.push_back(kind == "any" ? Kind::kAny : Kind::kKey);
    }
  }

  // How many of a kind have been accepted.
  uint64_t accepted(Kind kind) const { return next_[static_cast<size_t>(kind)]; }

  // Composes the message that is due. The same again until Accept().
  std::string_view Compose() {
    const Kind kind = kinds_[turn_];
    NumberedMessage message{options_.sender, kind, 0, accepted(kind)};
    uint64_t topic_turn = message.sequence;
    if (kind == Kind::kKey) {
      message.key = static_cast<uint32_t>(message.sequence % options_.keys);
      topic_turn /= options_.keys;
    }
    value_.resize(options_.sizes[(options_.sender + message.sequence) % options_.sizes.size()]);
    WriteNumbered(message, value_);
    return Write(message, options_.topics[topic_turn % options_.topics.size()]);
  }

  void Accept() {
    ++next_[static_cast<size_t>(kinds_[turn_])];
    turn_ = (turn_ + 1) % kinds_.size();
  }

 private:
  std::string_view Write(const NumberedMessage& numbered, const std::string& topic) {
    const bool keyed = numbered.kind == Kind::kKey;
    std::array<char, 16> key;
    char* const key_end = std::to_chars(key.data(), key.data() + key.size(), numbered.key).ptr;
    const dory_message message = {
        .topic = topic.data(),
        .topic_size = topic.size(),
        .timestamp_ms = dory_now_ms(),
        .key = key.data(),
        .key_size = keyed ? static_cast<size_t>(key_end - key.data()) : 0,
        .value = value_.data(),
        .value_size = value_.size(),
    };
    buffer_.resize(DORY_PARTITION_KEY_OVERHEAD + topic.size() + message.key_size + value_.size());
    size_t size = 0;
    const dory_code code =
        keyed ? dory_write_partition_key(buffer_.data(), buffer_.size(),
                                         static_cast<int32_t>(numbered.key), &message, &size)
              : dory_write_any_partition(buffer_.data(), buffer_.size(), &message, &size);
    return {buffer_.data(), code == DORY_OK ? size : 0};
  }

  const SourceOptions& options_;
  std::vector<Kind> kinds_;
  std::vector<char> value_;
  std::vector<char> buffer_;
  std::array<uint64_t, 2> next_ = {};
  size_t turn_ = 0;
};

}  // namespace dory::tests
