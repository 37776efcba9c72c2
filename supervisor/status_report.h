// The status as JSON: what `doryctl status --json` and /status.json show, a pure function of facts.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/config.h"
#include "common/control.pb.h"
#include "shm/books.h"
#include "shm/report.h"
#include "supervisor/warning.h"

namespace dory::supervisor {

struct LaneFacts {
  shm::Books books;
  uint64_t ring_bytes = 0;
  uint64_t ring_used = 0;
  uint64_t pool_bytes = 0;
  uint64_t overflow_bytes = 0;  // of the final drain, beside the segment
  shm::WorkerReport intake_report;  // these two were read before the books
  shm::WorkerReport kafka_report;
};

struct WorkerFacts {
  std::string name;
  pid_t pid = 0;  // 0: none
  std::string state;
  uint64_t generation = 0;
  uint64_t deaths = 0;
  bool degraded = false;
  double cpu_s = 0;
  uint64_t rss_bytes = 0;
};

struct InputFacts {
  std::string name;
  InputType type{};
  uint64_t connections = 0;  // open ones; of streams
  uint64_t accepted = 0;     // this and the next since this supervisor started
  uint64_t restored = 0;     // its socket's file was removed and made again
};

struct StatusFacts {
  std::string instance;
  std::string state;  // starting, up, degraded, draining, stopping
  std::string config_hash;
  pid_t pid = 0;
  int64_t started_at = 0;     // seconds since 1970
  int64_t counted_since = 0;  // when the segment, and so the counters, began
  double uptime_s = 0;
  int64_t report_interval_ms = 0;
  std::vector<LaneFacts> lanes;
  std::vector<InputFacts> inputs;
  std::vector<WorkerFacts> workers;
  std::map<std::string, control::WorkerStatus> answers;  // by the worker's name
  std::vector<std::string> silent;                       // workers that did not answer in time
  std::vector<Warning> warnings;
};

std::string MakeStatusJson(const StatusFacts& facts);

}  // namespace dory::supervisor
