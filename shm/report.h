// The report region: what a worker keeps for the discard report beside its books. One a worker, and read by
// the supervisor.
//
//     page | window | window | window | base | base | base
//
// Time is cut into windows of one length that begin where CLOCK_BOOTTIME is a multiple of it, so that all
// workers of the host have the same ones. What was counted in a window is what the books say at its end less
// its base, what they said at its beginning: nothing is counted twice. Window number n is in place n % 3, its
// base likewise: the running one, the one before it, and one that is being made.
//
// Beside the counts a window has the first and last timestamps of a topic and reason, and the beginnings of
// messages that were refused: tables of fixed size. Of a topic and reason more than they have room for no
// timestamps are known.
//
// Owner: the worker, by shm::ReportWriter (of prefixes: the intake, by RecentPrefixes).
// Order: a window and its base are complete before `number` names it. A span's times are stored before its
//   key, a prefix's bytes before `seen`.
// On crash: the window is as it was, or is begun anew. A message that is decided again may have left its time
//   and its prefix before.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "shm/layout.h"
#include "shm/segment.h"

namespace dory::shm {

// Of a row: the intake's rejects by reason; the kafka worker's possible duplicates, then discards by reason.
inline constexpr size_t kReportCounters = 15;
static_assert(kReportCounters == kRejectRoom && kReportCounters == 1 + kDiscardRoom);
inline constexpr uint32_t kPossibleDuplicates = 0;
inline constexpr uint32_t ReportCounterOf(Reject reason) { return static_cast<uint32_t>(reason); }
inline constexpr uint32_t ReportCounterOf(Discard reason) { return 1 + static_cast<uint32_t>(reason); }

using ReportCounters = std::array<uint64_t, kReportCounters>;

inline constexpr uint32_t kReportWindows = 3;
inline constexpr size_t kReportSpans = 256;
inline constexpr size_t kRecentPrefixes = 25;  // of a kind, the last distinct ones
inline constexpr size_t kPrefixRoom = 256;     // bytes

// The kinds of messages whose beginnings are kept.
enum class PrefixKind : uint32_t { kMalformed, kTooLong, kBadTopic, kUncleanUnix, kUncleanTcp, kCount };
inline constexpr size_t kPrefixKinds = static_cast<size_t>(PrefixKind::kCount);

const char* NameOf(PrefixKind kind);

// The timestamps of one counter.
struct ReportSpan {
  uint64_t key;  // row << 32 | counter + 1; 0: none
  int64_t first_ms;
  int64_t last_ms;
};
static_assert(offsetof(ReportSpan, first_ms) == 8 && sizeof(ReportSpan) == 24);

constexpr uint64_t SpanKey(uint32_t row, uint32_t counter) { return uint64_t{row} << 32 | (counter + 1); }

struct ReportPrefix {
  uint64_t seen;  // it grows with each message that began so; 0: none
  uint64_t size;
  std::byte bytes[kPrefixRoom];
};
static_assert(offsetof(ReportPrefix, bytes) == 16 && sizeof(ReportPrefix) == 272);

struct alignas(kLine) ReportWindow {
  uint64_t id;        // how many windows of this length BOOTTIME had before
  int64_t begin_ns;   // CLOCK_BOOTTIME, a multiple of the length
  int64_t start_ms;   // CLOCK_REALTIME, for display
  uint64_t reserved;
  uint64_t version_base[kVersionTallies];
  ReportSpan spans[kReportSpans];
  ReportPrefix prefixes[kPrefixKinds][kRecentPrefixes];
};
static_assert(offsetof(ReportWindow, begin_ns) == 8 && offsetof(ReportWindow, start_ms) == 16);
static_assert(offsetof(ReportWindow, version_base) == 32 && offsetof(ReportWindow, spans) == 288);
static_assert(offsetof(ReportWindow, prefixes) == 6432);

struct alignas(kLine) ReportPage {
  uint64_t number;  // of the running window, from 1 on; 0: there was none yet
  ReportWindow windows[kReportWindows];
  // ReportCounters bases[kReportWindows][max_topics + 1] follow; the last row is of no topic
};
static_assert(offsetof(ReportPage, windows) == kLine);

constexpr uint64_t ReportSize(uint32_t max_topics) {
  return sizeof(ReportPage) + kReportWindows * (uint64_t{max_topics} + 1) * sizeof(ReportCounters);
}

// ---- as somebody reads it who writes nothing

struct WindowView {
  uint64_t id = 0;
  int64_t begin_ns = 0;
  int64_t start_ms = 0;
  std::vector<ReportCounters> base;  // by row; 0 of a row that is not there
  ReportCounters no_topic_base{};
  std::array<uint64_t, kVersionTallies> version_base{};
  std::vector<ReportSpan> spans;
  std::array<std::vector<std::string>, kPrefixKinds> prefixes;  // the newest first
};

// The windows of one worker, the running one first; at most two.
using WorkerReport = std::vector<WindowView>;

// Of a lane's intake or kafka worker. To be read before the books: then these have at least as much.
// REQUIRES: the segment is mapped by a role that sees the region.
WorkerReport ReadReport(const Segment& segment, Role worker, uint32_t lane);

}  // namespace dory::shm
