#include "supervisor/options.h"

#include <CLI/CLI.hpp>

namespace dory::supervisor {

std::optional<Options> ParseOptions(int argc, const char* const* argv, int* exit_status) {
  CLI::App app{"Takes messages from local sockets and delivers them to Kafka.", "dory"};
  Options options;
  app.add_option("--config", options.config_path, "Configuration file; see etc/dory.conf")
      ->required()
      ->type_name("FILE");
  app.add_flag("--daemon", options.daemon, "Run in the background; returns once Dory runs");
  app.add_flag("--check", options.check, "Check the configuration and exit");
  app.set_version_flag("--version", std::string("dory " DORY_VERSION));
  app.footer(
      "Signals: TERM and INT deliver what is buffered for at most stop_timeout and end; a second one ends at\n"
      "once. USR1 reopens the logs.\n"
      "Exit status: 0 asked to stop, nothing left; 1 an error; 2 usage; 3 asked to stop, messages are left in\n"
      "the buffer, and the next start delivers them.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    *exit_status = app.exit(error) == 0 ? 0 : 2;
    return std::nullopt;
  }
  return options;
}

}  // namespace dory::supervisor
