#include "doryctl/commands.h"

#include <cstdio>

#include "doryctl/control_client.h"
#include "doryctl/exit_codes.h"
#include "doryctl/status_text.h"

namespace dory::doryctl {
namespace {

constexpr int64_t kLongestStopMs = 24 * 3600 * 1000 + 120'000;  // stop_timeout is at most a day
constexpr int64_t kEndLimitMs = 10'000;

}  // namespace

int Fail(const Status& status) {
  std::fprintf(stderr, "doryctl: %s\n", status.message().c_str());
  return kError;
}

int FailConnect(const Status& status, bool not_running) {
  Fail(status);
  return not_running ? kNotRunning : kError;
}

Result<std::string> FindRunDir(const Options& options) {
  if (options.config_path.empty()) return options.run_dir;
  const Result<Config> config = LoadConfig(options.config_path);
  if (!config.ok()) return config.status();
  return config.value().run_dir;
}

int ShowStatus(const Options& options) {
  const Result<std::string> run_dir = FindRunDir(options);
  if (!run_dir.ok()) return Fail(run_dir.status());
  bool not_running = false;
  Result<ControlClient> client = ControlClient::Connect(run_dir.value(), &not_running);
  if (!client.ok()) return FailConnect(client.status(), not_running);
  control::Request request;
  request.set_status(true);
  const Result<control::Response> answer = client.value().Ask(request);
  if (!answer.ok()) return Fail(answer.status());
  const std::string& json = answer.value().status_json();
  const Result<std::string> text = options.json ? IndentJson(json) : FormatStatus(json);
  if (!text.ok()) return Fail(text.status());
  std::fputs(text.value().c_str(), stdout);
  return kDone;
}

int StopDory(const Options& options) {
  const Result<std::string> run_dir = FindRunDir(options);
  if (!run_dir.ok()) return Fail(run_dir.status());
  bool not_running = false;
  Result<ControlClient> client = ControlClient::Connect(run_dir.value(), &not_running);
  if (!client.ok()) return FailConnect(client.status(), not_running);
  control::Request request;
  request.set_stop(true);
  const Result<control::Response> begun = client.value().Ask(request);
  if (!begun.ok()) return Fail(begun.status());
  if (options.no_wait) return kDone;
  const Result<control::Response> last = client.value().WaitForAnswer(kLongestStopMs);
  const Status ended = client.value().WaitForEnd(kEndLimitMs);
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
