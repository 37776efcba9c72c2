// doryctl: one command, one answer, an exit code.

#include <array>
#include <string_view>

#include "doryctl/commands.h"
#include "doryctl/exit_codes.h"
#include "doryctl/options.h"

namespace dory::doryctl {
namespace {

struct Command {
  std::string_view name;
  int (*run)(const Options&);
};

constexpr std::array<Command, 10> kCommands = {{
    {"status", ShowStatus},
    {"workers", ShowWorkers},
    {"health", ShowHealth},
    {"reload", ReloadConfig},
    {"drain", DrainBuffer},
    {"resume", ResumeInputs},
    {"restart", RestartWorker},
    {"stop", StopDory},
    {"check", CheckConfig},
    {"check-buffer", CheckBuffers},
}};

}  // namespace
}  // namespace dory::doryctl

int main(int argc, char** argv) {
  using namespace dory::doryctl;
  int exit_status = 0;
  const std::optional<Options> options = ParseOptions(argc, argv, &exit_status);
  if (!options) return exit_status;
  for (const Command& command : kCommands) {
    if (command.name == options->command) return command.run(*options);
  }
  return kUsage;
}
