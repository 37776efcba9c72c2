// dory: reads its configuration, sets the instance up, supervises.

#include <limits.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "common/log.h"
#include "supervisor/config_file.h"
#include "supervisor/daemonize.h"
#include "supervisor/instance.h"
#include "supervisor/options.h"
#include "supervisor/spawn.h"
#include "supervisor/supervisor.h"

namespace dory::supervisor {
namespace {

Result<std::string> FindProgramFolder(const Config& config) {
  char path[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof(path));
  if (size <= 0) return Status::Errno("/proc/self/exe");
  std::string folder(path, static_cast<size_t>(size));
  folder.resize(folder.rfind('/'));
  for (const char* program : {"/dory-intake", "/dory-kafka", "/dory-status"}) {
    if (program == std::string_view("/dory-status") && config.http_listen.port == 0) continue;
    if (::access((folder + program).c_str(), X_OK) != 0) return Status::Errno(folder + program);
  }
  return folder;
}

// To the log, and to who started us where that is somewhere else.
int Fail(const Status& status, const std::string& log_to) {
  LogError("{}", status.message());
  if (log_to != "stderr") std::fprintf(stderr, "dory: %s\n", status.message().c_str());
  return kExitError;
}

Result<shm::Segment> MapSegment(const Instance& instance) {
  Result<shm::Segment> segment = shm::Segment::Map(instance.segment.get(), shm::Role::kSupervisor, 0);
  if (!segment.ok()) RemoveFiles(instance);
  return segment;
}

int Supervise(ConfigFile file, Background* background) {
  const Config config = file.MakeRunning();
  const Status opened = OpenLog("dory", config.log_to, config.log_level);
  if (!opened.ok()) return Fail(opened, "stderr");
  const Result<std::string> program_folder = FindProgramFolder(config);
  if (!program_folder.ok()) return Fail(program_folder.status(), config.log_to);
  Result<Instance> instance = SetUpInstance(config);
  if (!instance.ok()) return Fail(instance.status(), config.log_to);
  Result<shm::Segment> segment = MapSegment(instance.value());
  if (!segment.ok()) return Fail(segment.status(), config.log_to);
  LogInfo("dory {} starts: instance {}, run_dir {}, configuration {}", DORY_VERSION, config.instance,
          config.run_dir, file.hash());
  Supervisor supervisor(std::move(file), instance.Take(), segment.Take(), program_folder.value());
  background->Detach();
  return supervisor.Run();
}

int Main(int argc, char** argv) {
  ReserveDescriptors();
  int exit_status = 0;
  const std::optional<Options> options = ParseOptions(argc, argv, &exit_status);
  if (!options) return exit_status;
  Result<ConfigFile> file = ConfigFile::Load(options->config_path, options->daemon);
  if (!file.ok()) {
    std::fprintf(stderr, "%s\n", file.status().message().c_str());
    return kExitError;
  }
  if (options->check) {
    std::printf("%s: the configuration is fine\n", options->config_path.c_str());
    return kExitDone;
  }
  Background background;
  const Status entered = options->daemon ? background.Enter() : Status::Ok();
  if (!entered.ok()) return Fail(entered, "stderr");
  return Supervise(file.Take(), &background);
}

}  // namespace
}  // namespace dory::supervisor

int main(int argc, char** argv) { return dory::supervisor::Main(argc, argv); }
