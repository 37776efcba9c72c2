// doryctl check-buffer: offline on a segment that nobody uses, or live while all workers stand still.

#include <fcntl.h>
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/file_descriptor.h"
#include "common/file_lock.h"
#include "common/paths.h"
#include "doryctl/commands.h"
#include "doryctl/control_client.h"
#include "doryctl/exit_codes.h"
#include "doryctl/text_table.h"
#include "shm/check_buffer.h"
#include "shm/segment.h"
#include "shm/soundness.h"

namespace dory::doryctl {
namespace {

using Json = nlohmann::ordered_json;
using Checks = std::vector<shm::BufferCheck>;  // by lane

// A pause may prove too short for a large pool on a busy machine.
constexpr uint64_t kPausesMs[] = {1000, 3000, 10'000};

Result<Checks> CountFile(const std::string& path) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return Status::Errno(path);
  const Result<shm::Segment> segment = shm::Segment::Map(fd.get(), shm::Role::kCheck, 0);
  if (!segment.ok()) return segment.status().Context(path);
  Checks checks;
  for (uint32_t lane = 0; lane < segment.value().geometry().lanes; ++lane) {
    const Status sound = shm::CheckSound(segment.value(), lane);
    if (!sound.ok()) return sound.Context(path + ": lane " + std::to_string(lane));
    checks.push_back(shm::CheckBuffer(segment.value(), lane));
  }
  return checks;
}

Result<Checks> CountOffline(const Options& options) {
  if (options.config_path.empty()) return Status::Error("check-buffer needs --config, or --live");
  const Result<Config> config = LoadConfig(options.config_path);
  if (!config.ok()) return config.status();
  if (UsesMemfd(config.value())) return Status::Error("a memfd has no name: only --live can check it");
  const std::string path = SegmentFilePath(config.value());
  if (::access(path.c_str(), F_OK) != 0) return Status::Errno(path);
  bool busy = false;
  const Result<FileDescriptor> lock = TryLockFile(SegmentLockPath(config.value()), &busy);
  if (!lock.ok()) return lock.status();
  if (busy) return Status::Error(path + ": Dory runs with it; use --live");
  return CountFile(path);
}

// One try. `*too_late`: the pause ended before the count did, so the count says nothing.
Result<Checks> CountInPause(ControlClient* client, uint64_t pause_ms, bool* too_late) {
  control::Request pause;
  pause.set_pause(pause_ms);
  const Result<control::Response> paused = client->Ask(pause);
  if (!paused.ok()) return paused.status();
  Result<Checks> checks = CountFile(paused.value().segment_file());
  control::Request resume;
  resume.set_resume(true);
  const Result<control::Response> resumed = client->Ask(resume);
  *too_late = !resumed.ok();
  return *too_late ? resumed.status() : checks;
}

Result<Checks> CountLive(ControlClient* client) {
  Status last = Status::Ok();
  for (const uint64_t pause_ms : kPausesMs) {
    bool too_late = false;
    Result<Checks> checks = CountInPause(client, pause_ms, &too_late);
    if (checks.ok() || !too_late) return checks;
    last = checks.status();
  }
  return last;
}

Json ToJson(const shm::BufferCheck& check) {
  return {{"received", check.books.Received()},
          {"rejected", check.books.Rejected()},
          {"appended", check.books.Appended()},
          {"delivered", check.books.Delivered()},
          {"discarded", check.books.Discarded()},
          {"buffered_counted", check.buffered_counted},
          {"ring_records", check.ring_records},
          {"batch_records", check.batch_records},
          {"damaged_records", check.damaged_records},
          {"balances", check.balances},
          {"findings", check.findings}};
}

void PrintJson(const Checks& checks, bool balances) {
  Json lanes = Json::array();
  for (const shm::BufferCheck& check : checks) lanes.push_back(ToJson(check));
  std::printf("%s\n", Json({{"balances", balances}, {"lanes", lanes}}).dump(2).c_str());
}

void PrintText(const Checks& checks, bool balances) {
  std::vector<std::vector<std::string>> rows = {{"lane", "appended", "delivered", "discarded", "counted", "in ring",
                                                 "in batches", "damaged", "balances"}};
  for (size_t lane = 0; lane < checks.size(); ++lane) {
    const shm::BufferCheck& check = checks[lane];
    const auto count = [](uint64_t number) { return fmt::format("{}", number); };
    rows.push_back({count(lane), count(check.books.Appended()), count(check.books.Delivered()),
                    count(check.books.Discarded()), count(check.buffered_counted), count(check.ring_records),
                    count(check.batch_records), count(check.damaged_records), check.balances ? "yes" : "NO"});
  }
  std::fputs(FormatTable(rows).c_str(), stdout);
  for (size_t lane = 0; lane < checks.size(); ++lane) {
    for (const std::string& finding : checks[lane].findings) std::printf("lane %zu: %s\n", lane, finding.c_str());
  }
  std::printf("%s\n", balances ? "the books balance" : "THE BOOKS DO NOT BALANCE");
}

int PrintChecks(const Checks& checks, bool json) {
  bool balances = true;
  for (const shm::BufferCheck& check : checks) balances = balances && check.balances;
  json ? PrintJson(checks, balances) : PrintText(checks, balances);
  return balances ? kDone : kError;
}

}  // namespace

int CheckBuffers(const Options& options) {
  if (!options.live) {
    const Result<Checks> checks = CountOffline(options);
    return checks.ok() ? PrintChecks(checks.value(), options.json) : Fail(checks.status());
  }
  int exit_code = kDone;
  std::optional<ControlClient> client = OpenSession(options, &exit_code);
  if (!client) return exit_code;
  const Result<Checks> checks = CountLive(&*client);
  return checks.ok() ? PrintChecks(checks.value(), options.json) : Fail(checks.status());
}

}  // namespace dory::doryctl
