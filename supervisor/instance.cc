#include "supervisor/instance.h"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/paths.h"
#include "shm/segment.h"
#include "supervisor/leftover_workers.h"
#include "supervisor/segment_setup.h"

namespace dory::supervisor {
namespace {

constexpr mode_t kRunDirMode = 0755;
constexpr mode_t kSegmentFolderMode = 0700;
constexpr mode_t kControlMode = 0600;
constexpr int kControlBacklog = 16;

// Receive slots are locked into memory, and every stream connection is a descriptor.
void RaiseLimits() {
  rlimit memory{RLIM_INFINITY, RLIM_INFINITY};
  (void)::setrlimit(RLIMIT_MEMLOCK, &memory);  // where we may; the intake warns where it can't lock
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &files);
}

// As somebody else for a while: what is created belongs to them.
class ActingAs {
 public:
  explicit ActingAs(const Identity& identity) : uid_(::geteuid()), gid_(::getegid()) {
    ok_ = ::setegid(identity.gid) == 0 && ::seteuid(identity.uid) == 0;
  }
  ~ActingAs() {
    if (::seteuid(uid_) != 0 || ::setegid(gid_) != 0) std::abort();
  }
  bool ok() const { return ok_; }

 private:
  uid_t uid_;
  gid_t gid_;
  bool ok_;
};

class InstanceSetup {
 public:
  InstanceSetup(const Config& config, const Identity& identity) : config_(config), identity_(identity) {}

  Result<Instance> Run() {
    Status status = TakeRunDir();
    if (!status.ok()) return status;
    RaiseLimits();
    ShareLog();
    status = SetUpMemory();
    if (status.ok()) status = BindSockets();
    if (status.ok()) status = MakeDoorbells();
    if (status.ok()) status = BecomeIdentity(identity_);
    if (status.ok()) return std::move(instance_);
    RemoveFiles(instance_);
    return status;
  }

 private:
  Status TakeRunDir() {
    Status status = PrepareFolder(config_.run_dir, kRunDirMode, identity_);
    if (!status.ok()) return status.Context("[dory] run_dir");
    Result<InstanceLock> lock = InstanceLock::Take(config_.run_dir);
    if (!lock.ok()) return lock.status();
    status = lock.value().WritePid(identity_);
    instance_.lock.emplace(lock.Take());
    return status;
  }

  // The log was opened by who we are; workers open it anew as who we become.
  void ShareLog() const {
    if (!config_.log_to.starts_with('/') || identity_.uid == ::geteuid()) return;
    if (::lchown(config_.log_to.c_str(), identity_.uid, identity_.gid) != 0) {
      LogWarning("{}", Status::Errno(config_.log_to + ": chown").message());
    }
  }

  Status SetUpMemory() {
    const ActingAs somebody(identity_);
    if (!somebody.ok()) return Status::Errno("becoming [dory] user");
    if (!UsesMemfd(config_)) {
      const Result<shm::SegmentRoom> room = shm::MeasureRoom(config_.segment_dir);
      if (!room.ok()) return room.status().Context("[buffer] segment_dir");
      instance_.segment_folder = SegmentFolder(config_);
      const Status status = PrepareFolder(instance_.segment_folder, kSegmentFolderMode, identity_);
      if (!status.ok()) return status.Context("[buffer] segment_dir");
    }
    Result<FileDescriptor> lock = TakeSegmentLock(config_);
    if (!lock.ok()) return lock.status();
    instance_.segment_lock = lock.Take();
    Result<SegmentSetup> setup = SetUpSegment(config_);
    if (!setup.ok()) return setup.status().Context("[buffer]");
    instance_.segment = std::move(setup.value().fd);
    instance_.config = std::move(setup.value().config);
    instance_.warnings = std::move(setup.value().warnings);
    return Status::Ok();
  }

  Status BindSockets() {
    for (Warning& warning : CheckQueueLength()) {
      LogWarning("{}", warning.text);
      instance_.warnings.push_back(std::move(warning));
    }
    Result<std::vector<InputSocket>> inputs = BindInputs(instance_.config, identity_, &instance_.warnings);
    if (!inputs.ok()) return inputs.status();
    instance_.inputs = inputs.Take();
    return BindControl();
  }

  Status BindControl() {
    const std::string path = ControlSocketPath(config_.run_dir);
    const Status removed = RemoveStaleSocket(path, SOCK_STREAM);
    if (!removed.ok()) return removed;
    Result<FileDescriptor> fd = BindUnixSocket(path, SOCK_STREAM);
    if (!fd.ok()) return fd.status();
    instance_.control = fd.Take();
    instance_.has_control_socket = true;
    if (::lchown(path.c_str(), identity_.uid, identity_.gid) != 0) return Status::Errno(path + ": chown");
    if (::listen(instance_.control.get(), kControlBacklog) != 0) return Status::Errno(path + ": listen");
    return ::chmod(path.c_str(), kControlMode) == 0 ? Status::Ok() : Status::Errno(path + ": chmod");
  }

  Status MakeDoorbells() {
    for (int32_t lane = 0; lane < instance_.config.lanes; ++lane) {
      Doorbells doorbells{FileDescriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
                          FileDescriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC))};
      if (!doorbells.data.valid() || !doorbells.room.valid()) return Status::Errno("eventfd");
      instance_.doorbells.push_back(std::move(doorbells));
    }
    return Status::Ok();
  }

  const Config& config_;
  const Identity identity_;
  Instance instance_;
};

}  // namespace

Result<Instance> SetUpInstance(const Config& config) {
  const Result<Identity> identity = ChooseIdentity(config.user, config.group);
  if (!identity.ok()) return identity.status();
  return InstanceSetup(config, identity.value()).Run();
}

void RemoveSocketFiles(const Instance& instance) {
  RemoveSocketFiles(instance.inputs);
  if (instance.has_control_socket) ::unlink(ControlSocketPath(instance.config.run_dir).c_str());
}

void RemoveFiles(const Instance& instance) {
  RemoveSocketFiles(instance);
  if (instance.lock) instance.lock->RemovePid();
}

}  // namespace dory::supervisor
