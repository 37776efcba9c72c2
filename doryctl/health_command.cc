// doryctl health: one word, its reasons, and an exit code of 0 to 3 for monitoring.

#include <cstdio>
#include <nlohmann/json.hpp>

#include "doryctl/commands.h"
#include "doryctl/exit_codes.h"
#include "doryctl/health.h"

namespace dory::doryctl {
namespace {

using Json = nlohmann::ordered_json;

Health AskHealth(const Options& options) {
  const auto fail = [](HealthLevel level, const Status& status) { return Health{level, {status.message()}, ""}; };
  const Result<std::string> run_dir = FindRunDir(options);
  if (!run_dir.ok()) return fail(HealthLevel::kUnknown, run_dir.status());
  bool not_running = false;
  Result<ControlClient> client = ControlClient::Connect(run_dir.value(), &not_running);
  if (!client.ok()) return fail(not_running ? HealthLevel::kCritical : HealthLevel::kUnknown, client.status());
  control::Request request;
  request.set_status(true);
  const Result<control::Response> answer = client.value().Ask(request);
  if (!answer.ok()) return fail(HealthLevel::kCritical, answer.status());
  return JudgeHealth(answer.value().status_json(), options.health_limits);
}

std::string JoinReasons(const Health& health) {
  std::string text;
  for (const std::string& reason : health.reasons) text += (text.empty() ? "" : "; ") + reason;
  return text.empty() ? "all is well" : text;
}

// A plugin's line may hold no '|' of its own.
void PrintNagios(const Health& health) {
  std::string reasons = JoinReasons(health);
  for (char& c : reasons) c = c == '|' || c == '\n' ? ' ' : c;
  std::printf("DORY %s - %s%s%s\n", NameOf(health.level), reasons.c_str(), health.performance.empty() ? "" : " | ",
              health.performance.c_str());
}

void PrintJson(const Health& health) {
  const Json json = {{"health", NameOf(health.level)}, {"reasons", health.reasons}};
  std::printf("%s\n", json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

void PrintText(const Health& health) {
  std::printf("%s\n", NameOf(health.level));
  for (const std::string& reason : health.reasons) std::printf("  %s\n", reason.c_str());
}

}  // namespace

int ShowHealth(const Options& options) {
  const Health health = AskHealth(options);
  if (options.nagios) {
    PrintNagios(health);
  } else if (options.json) {
    PrintJson(health);
  } else {
    PrintText(health);
  }
  return static_cast<int>(health.level);
}

}  // namespace dory::doryctl
