// Which partitions are suspect, and how long their requests may take. Pure decisions.
//
// Kafka serves one request of a connection at a time and answers it when the slowest partition in it is
// done, so a partition that may be slow goes alone and over a connection of its own kind, until an
// attempt succeeds in time. One cut connection says nothing of a partition; a second in a row may be
// its own doing (a batch larger than socket.request.max.bytes is cut off without a word).

#pragma once

#include <algorithm>
#include <cstdint>

namespace dory::kafka {

inline constexpr int64_t kSlowMs = 1000;
inline constexpr int64_t kLongestRequestTimeoutMs = 30'000;
inline constexpr uint32_t kSuspiciousCuts = 2;  // in a row

enum class Attempt {
  kInTime,    // acknowledged
  kSlow,      // acknowledged, after more than kSlowMs
  kTimedOut,  // REQUEST_TIMED_OUT, or our own deadline
  kReplicas,  // NOT_ENOUGH_REPLICAS, before or after the append
  kCut,       // the connection ended
  kOther,     // any other answer, which says nothing of how quick this partition is
};

struct Suspicion {
  bool suspect = false;
  uint32_t timeouts = 0;  // since it was last in time; each doubles what a request may take
  uint32_t cuts = 0;      // in a row

  bool operator==(const Suspicion&) const = default;
};

constexpr Suspicion Suspect(Suspicion before, Attempt attempt) {
  switch (attempt) {
    case Attempt::kInTime:
      return {};
    case Attempt::kSlow:
    case Attempt::kReplicas:
      return {true, before.timeouts, 0};
    case Attempt::kTimedOut:
      return {true, before.timeouts + 1, 0};
    case Attempt::kCut:
      return {before.suspect || before.cuts + 1 >= kSuspiciousCuts, before.timeouts, before.cuts + 1};
    case Attempt::kOther:
      return {before.suspect, before.timeouts, 0};
  }
  return before;
}

// How long the broker may take for the next attempt. A configured timeout above the longest stays.
constexpr int64_t ChooseRequestTimeoutMs(const Suspicion& suspicion, int64_t configured_ms) {
  const int64_t longest = std::max(configured_ms, kLongestRequestTimeoutMs);
  return std::min(configured_ms << std::min(suspicion.timeouts, 10u), longest);
}

}  // namespace dory::kafka
