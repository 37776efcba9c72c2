// How a Dory is doing, in one word and its reasons: a pure function of its status.
//
// The words and their numbers are those of monitoring plugins (Nagios plugin API, return codes), and so
// is the line of performance data.

#pragma once

#include <string>
#include <vector>

namespace dory::doryctl {

enum class HealthLevel { kOk = 0, kWarning = 1, kCritical = 2, kUnknown = 3 };

struct HealthLimits {
  double oldest_warning_s = 60;    // age of the oldest message that is not delivered
  double oldest_critical_s = 600;
  double buffer_warning = 80;      // percent of the ring or of the pool
  double buffer_critical = 95;
};

struct Health {
  HealthLevel level = HealthLevel::kOk;
  std::vector<std::string> reasons;  // empty where all is well
  std::string performance;           // 'buffered=0;;;0 oldest=0s;60;600;0 ...'
};

Health JudgeHealth(const std::string& status_json, const HealthLimits& limits);

// "OK", "WARNING", "CRITICAL", "UNKNOWN"
const char* NameOf(HealthLevel level);

}  // namespace dory::doryctl
