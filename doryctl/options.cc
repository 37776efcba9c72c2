#include "doryctl/options.h"

#include <CLI/CLI.hpp>

#include "doryctl/exit_codes.h"

namespace dory::doryctl {
namespace {

constexpr const char* kExitStatus =
    "Exit status: 0 done; 1 an error, or check-buffer found that the books do not balance; 2 usage;\n"
    "3 no dory runs there; 4 stopped, and messages are left in the buffer.";

void AddCommands(CLI::App* app, Options* options) {
  CLI::App* const status = app->add_subcommand("status", "Books, buffer, workers, brokers and topics");
  status->add_flag("--json", options->json, "As JSON");
  CLI::App* const stop = app->add_subcommand("stop", "Deliver what is buffered, then end; waits for it");
  stop->add_flag("--no-wait", options->no_wait, "Only ask for it");
  CLI::App* const check = app->add_subcommand("check", "Check a configuration file, without any dory");
  check->add_option("file", options->file, "Configuration file")->required()->type_name("FILE");
  CLI::App* const buffer =
      app->add_subcommand("check-buffer", "Count what is buffered and hold it against the books");
  buffer->add_flag("--live", options->live, "While Dory runs: its workers stand still for a moment");
  buffer->add_flag("--json", options->json, "As JSON");
}

}  // namespace

std::optional<Options> ParseOptions(int argc, const char* const* argv, int* exit_status) {
  CLI::App app{"Looks after a running dory.", "doryctl"};
  Options options;
  CLI::Option* const config =
      app.add_option("--config", options.config_path, "Configuration file of that dory")->type_name("FILE");
  app.add_option("--run-dir", options.run_dir, "Its run_dir")->type_name("DIR")->excludes(config)->capture_default_str();
  app.set_version_flag("--version", std::string("doryctl " DORY_VERSION));
  app.require_subcommand(1);
  app.fallthrough();  // --config may stand behind the command as well
  app.footer(kExitStatus);
  AddCommands(&app, &options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    *exit_status = app.exit(error) == 0 ? kDone : kUsage;
    return std::nullopt;
  }
  options.command = app.get_subcommands().front()->get_name();
  return options;
}

}  // namespace dory::doryctl
