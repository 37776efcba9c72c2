// The command line of doryctl.

#pragma once

#include <optional>
#include <string>

#include "doryctl/health.h"

namespace dory::doryctl {

struct Options {
  std::string command;      // "status"
  std::string config_path;  // empty: --run-dir, or its default
  std::string run_dir = "/run/dory";
  bool json = false;
  bool live = false;
  bool no_wait = false;
  bool nagios = false;
  HealthLimits health_limits;
  std::string timeout = "30s";  // of drain
  std::string worker;           // of restart
  std::string file;         // of check
};

// Nothing where the process is to end with `*exit_status` (--help, --version, a fault that was said).
std::optional<Options> ParseOptions(int argc, const char* const* argv, int* exit_status);

}  // namespace dory::doryctl
