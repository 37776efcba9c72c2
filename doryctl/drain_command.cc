// doryctl drain and resume: inputs unread and all delivered, and back.

#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/units.h"
#include "doryctl/commands.h"
#include "doryctl/exit_codes.h"

namespace dory::doryctl {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kGraceMs = 5000;  // for an answer that comes when the time is over

}  // namespace

int DrainBuffer(const Options& options) {
  const Result<int64_t> timeout_ms = ParseDuration(options.timeout);
  if (!timeout_ms.ok()) {
    std::fprintf(stderr, "doryctl: --timeout %s: %s; allowed: 500ms, 10s, 5m, 2h\n", options.timeout.c_str(),
                 timeout_ms.status().message().c_str());
    return kUsage;
  }
  int exit_code = kDone;
  std::optional<ControlClient> client = OpenSession(options, &exit_code);
  if (!client) return exit_code;
  control::Request request;
  request.set_drain(static_cast<uint64_t>(timeout_ms.value()));
  const Result<control::Response> answer = client->Ask(request, timeout_ms.value() + kGraceMs);
  if (!answer.ok()) return Fail(answer.status().Context("drain"));
  const unsigned long long left = answer.value().messages_left();
  if (options.json) {
    std::printf("%s\n", Json({{"messages_left", left}}).dump(2).c_str());
  } else if (left == 0) {
    std::printf("everything is delivered; senders wait until doryctl resume\n");
  } else {
    std::printf("%llu messages are left in the buffer and go on being delivered; senders wait until doryctl resume\n",
                left);
  }
  return left == 0 ? kDone : kMessagesLeft;
}

int ResumeInputs(const Options& options) {
  int exit_code = kDone;
  std::optional<ControlClient> client = OpenSession(options, &exit_code);
  if (!client) return exit_code;
  control::Request request;
  request.set_undrain(true);
  const Result<control::Response> answer = client->Ask(request);
  if (!answer.ok()) return Fail(answer.status().Context("resume"));
  std::printf("%s\n", answer.value().text().c_str());
  return kDone;
}

}  // namespace dory::doryctl
