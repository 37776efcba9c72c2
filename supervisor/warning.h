// A degraded mode that an operator should know of: one list in status, metrics and health.

#pragma once

#include <string>

namespace dory::supervisor {

struct Warning {
  std::string name;  // "max_dgram_qlen": stable, for monitoring
  std::string text;

  bool operator==(const Warning&) const = default;
};

}  // namespace dory::supervisor
