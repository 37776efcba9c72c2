#include "doryctl/commands.h"

#include <cstdio>

#include "doryctl/exit_codes.h"
#include "doryctl/status_text.h"

namespace dory::doryctl {
namespace {

constexpr int64_t kLongestStopMs = 24 * 3600 * 1000 + 120'000;  // stop_timeout is at most a day
constexpr int64_t kEndLimitMs = 10'000;

int Print(const Result<std::string>& text) {
  if (!text.ok()) return Fail(text.status());
  std::fputs(text.value().c_str(), stdout);
  return kDone;
}

// The status as JSON; none: why was said.
std::optional<std::string> AskStatus(const Options& options, int* exit_code) {
  std::optional<ControlClient> client = OpenSession(options, exit_code);
  if (!client) return std::nullopt;
  control::Request request;
  request.set_status(true);
  const Result<control::Response> answer = client->Ask(request);
  if (answer.ok()) return answer.value().status_json();
  *exit_code = Fail(answer.status());
  return std::nullopt;
}

}  // namespace

int Fail(const Status& status) {
  std::fprintf(stderr, "doryctl: %s\n", status.message().c_str());
  return kError;
}

Result<std::string> FindRunDir(const Options& options) {
  if (options.config_path.empty()) return options.run_dir;
  const Result<Config> config = LoadConfig(options.config_path);
  if (config.ok()) return config.value().run_dir;
  return Status::Error(config.status().message() + "\n--run-dir DIR reaches a dory that runs with what the file was");
}

std::optional<ControlClient> OpenSession(const Options& options, int* exit_code) {
  const Result<std::string> run_dir = FindRunDir(options);
  if (!run_dir.ok()) {
    *exit_code = Fail(run_dir.status());
    return std::nullopt;
  }
  bool not_running = false;
  Result<ControlClient> client = ControlClient::Connect(run_dir.value(), &not_running);
  if (client.ok()) return client.Take();
  *exit_code = Fail(client.status());
  if (not_running) *exit_code = kNotRunning;
  return std::nullopt;
}

int ShowStatus(const Options& options) {
  int exit_code = kDone;
  const std::optional<std::string> json = AskStatus(options, &exit_code);
  if (!json) return exit_code;
  return Print(options.json ? IndentJson(*json) : FormatStatus(*json));
}

int ShowWorkers(const Options& options) {
  int exit_code = kDone;
  const std::optional<std::string> json = AskStatus(options, &exit_code);
  if (!json) return exit_code;
  return Print(options.json ? IndentPart(*json, "workers") : FormatWorkers(*json));
}

int StopDory(const Options& options) {
  int exit_code = kDone;
  std::optional<ControlClient> client = OpenSession(options, &exit_code);
  if (!client) return exit_code;
  control::Request request;
  request.set_stop(true);
  const Result<control::Response> begun = client->Ask(request);
  if (!begun.ok()) return Fail(begun.status());
  if (options.no_wait) return kDone;
  const Result<control::Response> last = client->WaitForAnswer(kLongestStopMs);
  const Status ended = client->WaitForEnd(kEndLimitMs);
  if (!last.ok()) return Fail(last.status().Context("dory ended without last words"));
  std::printf("%s\n", last.value().text().c_str());
  if (!ended.ok()) return Fail(ended);
  return last.value().nothing_left() ? kDone : kMessagesLeft;
}

int CheckConfig(const Options& options) {
  const Result<Config> config = LoadConfig(options.file);
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", config.status().message().c_str());
    return kError;
  }
  std::printf("%s: the configuration is fine\n", options.file.c_str());
  return kDone;
}

}  // namespace dory::doryctl
