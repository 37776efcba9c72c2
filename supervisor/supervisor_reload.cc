// The supervisor's reload: the file is read, checked and compared before anything changes.

#include "common/config_change.h"
#include "common/log.h"
#include "supervisor/supervisor.h"

namespace dory::supervisor {
namespace {

// One line a change, for the log and for doryctl.
Status RequireLive(const std::vector<ConfigChange>& changes) {
  std::string text;
  for (const ConfigChange& change : changes) {
    if (!change.live) text += "\n" + DescribeChange(change);
  }
  if (text.empty()) return Status::Ok();
  return Status::Error("needs a restart, so nothing was changed:" + text);
}

}  // namespace

Result<std::vector<ConfigChange>> Supervisor::Reload() {
  if (stop_asked_) return Status::Error("Dory is stopping");
  Result<ConfigFile> fresh = file_.ReadAgain();
  if (!fresh.ok()) return fresh.status();
  std::vector<ConfigChange> changes = CompareConfigs(file_.as_read(), fresh.value().as_read());
  Status status = RequireLive(changes);
  if (!status.ok()) return status;
  Config running = ApplyLiveOptions(instance_.config, fresh.value().MakeRunning());
  status = OpenLog("dory", running.log_to, running.log_level);  // the last thing that can fail
  if (!status.ok()) return status;
  instance_.config = std::move(running);
  file_ = fresh.Take();
  TellConfig();
  return changes;
}

void Supervisor::TellConfig() {
  host_.config = DumpConfig(instance_.config);
  control::ToWorker message;
  message.set_config(host_.config);
  for (const auto& worker : workers_) {
    worker->Send(message);
    worker->Handle(WorkerEvent::kReload);  // one that was parked tries again
  }
}

Result<std::vector<ConfigChange>> Supervisor::ReloadAndSay(const char* who) {
  Result<std::vector<ConfigChange>> changes = Reload();
  if (!changes.ok()) {
    LogError("reload ({}): refused: {}", who, changes.status().message());
    return changes;
  }
  LogInfo("reload ({}): {} changes, configuration {}", who, changes.value().size(), file_.hash());
  for (const ConfigChange& change : changes.value()) LogInfo("reload: {}", DescribeChange(change));
  return changes;
}

}  // namespace dory::supervisor
