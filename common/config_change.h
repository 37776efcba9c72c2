// What a new configuration changes of the one that runs, option by option, and which of it a reload
// can apply. Pure functions over the option table.

#pragma once

#include <string>
#include <vector>

#include "common/config.h"

namespace dory {

// One option. Where a whole [input:NAME] comes or goes, `key` is empty and the texts say so.
struct ConfigChange {
  std::string section;  // "[topic:orders]"
  std::string key;
  std::string from;     // as FormatOption writes it
  std::string to;
  bool live = false;    // a reload applies it; otherwise a restart does

  bool operator==(const ConfigChange&) const = default;
};

// In the option table's order; topics by their effective options.
std::vector<ConfigChange> CompareConfigs(const Config& running, const Config& fresh);

// "[topic:orders] batch_time: 100ms -> 200ms"
std::string DescribeChange(const ConfigChange& change);

// `running` with every option of `fresh` that a reload can apply.
Config ApplyLiveOptions(const Config& running, const Config& fresh);

}  // namespace dory
