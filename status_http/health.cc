#include "status_http/health.h"

#include <fmt/core.h>

namespace dory::status_http {
namespace {

// "kafka-0 is parked", "intake-0 is up after 6 deaths"; nothing for a worker that is well.
std::string DescribeTrouble(const Json& worker) {
  const std::string state = Text(worker, "state");
  if (Flag(worker, "degraded")) {
    return fmt::format("{} is {} after {} deaths", Text(worker, "name"), state, Number(worker, "deaths"));
  }
  return state == "up" ? "" : fmt::format("{} is {}", Text(worker, "name"), state);
}

}  // namespace

Health JudgeHealth(const Json& status) {
  const std::string state = Text(status, "state");
  if (state == "up") return {kOk, "ok\n"};
  std::string text = state;
  const char* separator = ": ";
  for (const Json& worker : Part(status, "workers")) {
    const std::string trouble = Text(worker, "name") == "status" ? "" : DescribeTrouble(worker);
    if (trouble.empty()) continue;
    text += separator + trouble;
    separator = ", ";
  }
  return {kUnavailable, text + "\n"};
}

}  // namespace dory::status_http
