#include "doryctl/options.h"

#include <CLI/CLI.hpp>

#include "doryctl/exit_codes.h"

namespace dory::doryctl {
namespace {

constexpr const char* kExitStatus =
    "Exit status: 0 done; 1 an error, or check-buffer found that the books do not balance; 2 usage;\n"
    "3 no dory runs there; 4 stopped or drained, and messages are left in the buffer.\n"
    "Of health: 0 OK, 1 WARNING, 2 CRITICAL (also where no dory runs), 3 UNKNOWN.";

void AddHealth(CLI::App* app, Options* options) {
  CLI::App* const health = app->add_subcommand("health", "One word and its reasons, for people and for monitoring");
  CLI::Option* const nagios = health->add_flag("--nagios", options->nagios, "One line with performance data");
  health->add_flag("--json", options->json, "As JSON")->excludes(nagios);
  HealthLimits* const limits = &options->health_limits;
  const auto add = [health](const char* name, double* limit, const char* what, const char* unit) {
    health->add_option(name, *limit, what)->type_name(unit)->check(CLI::NonNegativeNumber)->capture_default_str();
  };
  add("--oldest-warning", &limits->oldest_warning_s, "WARNING from this age of the oldest message on", "SECONDS");
  add("--oldest-critical", &limits->oldest_critical_s, "CRITICAL likewise", "SECONDS");
  add("--buffer-warning", &limits->buffer_warning, "WARNING from this fill of ring or pool on", "PERCENT");
  add("--buffer-critical", &limits->buffer_critical, "CRITICAL likewise", "PERCENT");
}

void AddControl(CLI::App* app, Options* options) {
  CLI::App* const reload = app->add_subcommand("reload", "Apply the configuration file; on any fault nothing changes");
  reload->add_flag("--json", options->json, "As JSON");
  CLI::App* const drain =
      app->add_subcommand("drain", "Read no input, so that senders wait, and deliver what is buffered");
  drain->add_option("--timeout", options->timeout, "How long to wait for it")->type_name("TIME")->capture_default_str();
  drain->add_flag("--json", options->json, "As JSON");
  app->add_subcommand("resume", "Read the inputs again after a drain");
  CLI::App* const restart = app->add_subcommand("restart", "Replace a worker by a successor; senders do not notice");
  restart->add_option("worker", options->worker, "Its name, as in workers")->required()->type_name("WORKER");
}

void AddCommands(CLI::App* app, Options* options) {
  CLI::App* const status = app->add_subcommand("status", "Books, buffer, workers, brokers and topics");
  status->add_flag("--json", options->json, "As JSON");
  CLI::App* const workers = app->add_subcommand("workers", "The worker processes and their restarts");
  workers->add_flag("--json", options->json, "As JSON");
  AddHealth(app, options);
  AddControl(app, options);
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
