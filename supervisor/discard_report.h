// The discard report as part of the status: windows of all workers put together, a pure function.
//
// Windows of one length begin at the same time in all workers (shm/report.h), so those that began together
// are one. A worker that has not begun the newest one yet counted nothing in it: its running window is
// finished for the others.

#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "shm/books.h"
#include "shm/report.h"

namespace dory::supervisor {

struct LaneReport {
  const shm::Books* books;  // read after the two
  const shm::WorkerReport* intake;
  const shm::WorkerReport* kafka;
};

// {"interval_s", "unfinished": {...}, "finished": {...}}; the last only where there is one.
nlohmann::ordered_json MakeDiscardReport(const std::vector<LaneReport>& lanes, int64_t interval_ms);

}  // namespace dory::supervisor
