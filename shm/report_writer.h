// What a worker writes into its report region: windows, and the timestamps of what it counts.
//
//     R1  empty the place of the next window
//     R2  its base: the counters as they are now
//     R3  number: it is the running one from here on
//
// Owner: the region's worker, alone.
// Order: Roll only between two bursts or passes, so that the base is of counters that are all set.
// On crash: before R3 the old window runs on; its successor does it again.

#pragma once

#include <cstdint>
#include <span>

#include "shm/report.h"

namespace dory::shm {

// Where a worker's books have the kReportCounters of each row, one behind the other.
struct CounterRows {
  const std::byte* first;     // of row 0
  size_t stride;              // from row to row, bytes
  const uint64_t* no_topic;   // of what has no row
  const IntakeBooks* topics;  // says how many rows there are
  const VersionTally* tallies = nullptr;  // kVersionTallies of them, or none
};

CounterRows IntakeCounters(const IntakeBooks* books);
CounterRows KafkaCounters(const KafkaTopicRow* books, const IntakeBooks* topics, uint32_t max_topics);

class ReportWriter {
 public:
  ReportWriter(std::span<std::byte> region, uint32_t max_topics, const CounterRows& counters);

  void SetInterval(int64_t interval_ms);

  // Whether a window begins now (CLOCK_BOOTTIME).
  bool IsDue(int64_t now_ns) const { return now_ns >= next_ns_; }

  // Begins it. REQUIRES: IsDue(now_ns).
  void Roll(int64_t now_ns);

  // That messages with these timestamps are counted in the running window.
  void NoteTimes(uint32_t row, uint32_t counter, int64_t first_ms, int64_t last_ms);

  // The running window.
  ReportWindow& window() { return page_->windows[page_->number % kReportWindows]; }

 private:
  void BeginWindow(uint64_t number, int64_t now_ns, int64_t begin_ns);
  void CopyBase(uint64_t number);
  ReportSpan* FindSpan(uint64_t key);

  ReportPage* page_;
  ReportCounters* bases_;
  uint32_t max_topics_;
  CounterRows counters_;
  int64_t interval_ns_ = INT64_MAX;
  int64_t next_ns_ = 0;
};

}  // namespace dory::shm
