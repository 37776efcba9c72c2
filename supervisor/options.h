// The command line of dory.

#pragma once

#include <optional>
#include <string>

namespace dory::supervisor {

struct Options {
  std::string config_path;
  bool daemon = false;
  bool check = false;
};

// Nothing where the process is to end with `*exit_status` (--help, --version, a fault that was said).
std::optional<Options> ParseOptions(int argc, const char* const* argv, int* exit_status);

}  // namespace dory::supervisor
