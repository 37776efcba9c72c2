// What the sweep sends, and what has to become of each message.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shm/layout.h"
#include "tests/unit/intake_worker/client_message.h"

namespace dory::intake {

using shm::Reject;

inline constexpr uint32_t kSweepSlotSize = 256;

struct Sent {
  std::string bytes;
  std::string topic;
  std::string value;               // of a good one: says who it is
  std::optional<Reject> fate;      // nothing: it is kept
  bool may_be_rejected = false;    // no room, or no topic row: it depends
};

inline Sent Good(size_t socket, int number, const std::string& topic, size_t padding = 0) {
  const std::string value = std::to_string(socket) + ":" + std::to_string(number) + ":" + std::string(padding, 'v');
  return {ClientMessage{.topic = topic, .value = value}.Bytes(), topic, value, {}};
}

inline Sent Bad(const ClientMessage& message, Reject fate) { return {message.Bytes(), "", "", fate}; }

// What the kernel keeps beside a datagram, at most.
inline constexpr size_t kDatagramOverhead = 512;

inline Sent Filling(size_t size) { return {std::string(size, 'f'), "", "", Reject::kTooLong}; }

// A life's messages: two sockets, good ones between bad ones, new topics in between.
inline std::vector<Sent> ComposeFor(size_t socket, int from, int count) {
  static const std::vector<Sent> kBad = {
      {"", "", "", Reject::kMalformed},
      Bad({.api_version = 3}, Reject::kUnsupportedVersion),
      Bad({.topic = "no topic"}, Reject::kBadTopic),
      Bad({.value = std::string(2 * kSweepSlotSize, 'v')}, Reject::kTooLong),
      Bad({.api_version = 4}, Reject::kUnsupportedVersion),
  };
  std::vector<Sent> messages;
  for (int i = from; i < from + count; ++i) {
    if (i % 3 == 1) messages.push_back(kBad[static_cast<size_t>(i) / 3 % kBad.size()]);
    messages.push_back(Good(socket, i, "t" + std::to_string(static_cast<size_t>(i) / 2 % 4), static_cast<size_t>(i) * 41 % 130));
    messages.back().may_be_rejected = messages.back().topic == "t3" || messages.back().topic == "t2";
  }
  return messages;
}

}  // namespace dory::intake
