// What /proc says about a process.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace dory::supervisor {

struct ProcessFacts {
  uint64_t start_time = 0;  // clock ticks since the boot: tells a reused pid apart
  double cpu_s = 0;
  uint64_t rss_bytes = 0;
};

// Of the text of /proc/PID/stat; nothing where it can't be that.
std::optional<ProcessFacts> ParseProcessStat(std::string_view text);

// Nothing where there is no such process.
std::optional<ProcessFacts> ReadProcessFacts(pid_t pid);

}  // namespace dory::supervisor
