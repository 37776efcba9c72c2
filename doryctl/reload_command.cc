// doryctl reload: what has changed, or why nothing has.

#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/config_change.h"
#include "doryctl/commands.h"
#include "doryctl/exit_codes.h"

namespace dory::doryctl {
namespace {

using Json = nlohmann::ordered_json;

void PrintJson(const control::Response& answer) {
  Json changes = Json::array();
  for (const control::ConfigChange& change : answer.changes()) {
    changes.push_back({{"section", change.section()}, {"key", change.key()}, {"from", change.from()}, {"to", change.to()}});
  }
  std::printf("%s\n", Json({{"changes", changes}}).dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

void PrintText(const control::Response& answer) {
  if (answer.changes().empty()) std::printf("nothing has changed\n");
  for (const control::ConfigChange& change : answer.changes()) {
    const ConfigChange described{change.section(), change.key(), change.from(), change.to(), true};
    std::printf("%s\n", DescribeChange(described).c_str());
  }
}

}  // namespace

int ReloadConfig(const Options& options) {
  int exit_code = kDone;
  std::optional<ControlClient> client = OpenSession(options, &exit_code);
  if (!client) return exit_code;
  control::Request request;
  request.set_reload(true);
  const Result<control::Response> answer = client->Ask(request);
  if (!answer.ok()) return Fail(answer.status().Context("reload"));
  options.json ? PrintJson(answer.value()) : PrintText(answer.value());
  return kDone;
}

}  // namespace dory::doryctl
