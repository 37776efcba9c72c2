// What is said of rejects beside their counters: windows, timestamps and the beginnings of bad messages for the
// discard report (shm/report.h), and the discard log's lines.
//
// A reject is noted while its burst is decided, before P4. Nothing of this is asked of a good message.

#pragma once

#include <cstdint>

#include "common/config.h"
#include "common/discard_log.h"
#include "intake_worker/admit.h"
#include "intake_worker/burst.h"
#include "intake_worker/lane_memory.h"
#include "intake_worker/parse.h"
#include "intake_worker/recent_prefixes.h"
#include "shm/report_writer.h"

namespace dory::intake {

class RejectReport {
 public:
  RejectReport(const LaneMemory& memory, const Config& config);

  void Configure(const Config& config);

  // REQUIRES: no burst is half finished. `now_ns`: CLOCK_BOOTTIME.
  void RollIfDue(int64_t now_ns) {
    if (writer_.IsDue(now_ns)) writer_.Roll(now_ns);
  }

  // REQUIRES: the admission is a refusal, of what was parsed so.
  void Note(const RawMessage& message, const ParseResult& parsed, const Admission& refusal);

  DiscardLog& log() { return log_; }

 private:
  void AddLine(const RawMessage& message, const ParseResult& parsed, shm::Reject reason);

  shm::ReportWriter writer_;
  RecentPrefixes prefixes_;
  DiscardLog log_;
};

}  // namespace dory::intake
