// doryctl restart WORKER: done once the successor is up.

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/clock.h"
#include "doryctl/commands.h"
#include "doryctl/exit_codes.h"

namespace dory::doryctl {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kUpLimitMs = 30'000;
constexpr std::chrono::milliseconds kPoll{50};

struct WorkerLife {
  std::string state = "unknown";
  int64_t generation = 0;
  int64_t pid = 0;
};

Result<WorkerLife> AskWorker(ControlClient* client, const std::string& name) {
  control::Request request;
  request.set_status(true);
  const Result<control::Response> answer = client->Ask(request);
  if (!answer.ok()) return answer.status();
  const Json status = Json::parse(answer.value().status_json(), nullptr, false);
  WorkerLife life;
  if (status.is_discarded()) return Status::Error("a status that can't be read");
  for (const Json& worker : status.value("workers", Json::array())) {
    if (worker.value("name", "") != name) continue;
    life = {worker.value("state", ""), worker.value("generation", int64_t{0}), worker.value("pid", int64_t{0})};
  }
  return life;
}

int WaitForSuccessor(ControlClient* client, const std::string& name, int64_t before) {
  const int64_t until_ms = MonotonicMs() + kUpLimitMs;
  WorkerLife life;
  while (MonotonicMs() < until_ms) {
    const Result<WorkerLife> found = AskWorker(client, name);
    if (!found.ok()) return Fail(found.status());
    life = found.value();
    if (life.generation > before && life.state == "up") {
      std::printf("%s is up (pid %lld, generation %lld)\n", name.c_str(), static_cast<long long>(life.pid),
                  static_cast<long long>(life.generation));
      return kDone;
    }
    std::this_thread::sleep_for(kPoll);
  }
  return Fail(Status::Error(name + " is " + life.state + ", and not up again in " + std::to_string(kUpLimitMs / 1000) + " s"));
}

}  // namespace

int RestartWorker(const Options& options) {
  int exit_code = kDone;
  std::optional<ControlClient> client = OpenSession(options, &exit_code);
  if (!client) return exit_code;
  const Result<WorkerLife> before = AskWorker(&*client, options.worker);
  if (!before.ok()) return Fail(before.status());
  control::Request request;
  request.set_restart(options.worker);
  const Result<control::Response> answer = client->Ask(request);
  if (!answer.ok()) return Fail(answer.status().Context("restart"));
  return WaitForSuccessor(&*client, options.worker, before.value().generation);
}

}  // namespace dory::doryctl
