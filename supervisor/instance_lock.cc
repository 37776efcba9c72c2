#include "supervisor/instance_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "common/file_lock.h"
#include "common/paths.h"

namespace dory::supervisor {
namespace {

std::string ReadPid(const std::string& run_dir) {
  std::ifstream file(PidPath(run_dir));
  std::string pid;
  file >> pid;
  return pid.empty() ? "unknown" : pid;
}

}  // namespace

Status PrepareFolder(const std::string& folder, mode_t mode, const Identity& owner) {
  if (::mkdir(folder.c_str(), mode) == 0) {
    if (::chown(folder.c_str(), owner.uid, owner.gid) != 0) return Status::Errno(folder + ": chown");
    return ::chmod(folder.c_str(), mode) == 0 ? Status::Ok() : Status::Errno(folder + ": chmod");
  }
  if (errno != EEXIST) return Status::Errno(folder);
  const FileDescriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!opened.valid()) return Status::Errno(folder);
  struct stat found;
  if (::fstat(opened.get(), &found) != 0) return Status::Errno(folder);
  const bool is_private = mode == 0700;
  if (found.st_uid != owner.uid && (is_private || found.st_uid != 0)) {
    return Status::Error(folder + ": belongs to uid " + std::to_string(found.st_uid) + ", Dory runs as uid " +
                         std::to_string(owner.uid));
  }
  if (is_private && ::fchmod(opened.get(), mode) != 0) return Status::Errno(folder + ": chmod");
  return Status::Ok();
}

Result<InstanceLock> InstanceLock::Take(const std::string& run_dir) {
  bool busy = false;
  Result<FileDescriptor> lock = TryLockFile(LockPath(run_dir), &busy);
  if (!lock.ok()) return lock.status();
  if (busy) return Status::Error("another dory (pid " + ReadPid(run_dir) + ") runs on " + run_dir);
  return InstanceLock(run_dir, lock.Take());
}

Status InstanceLock::WritePid(const Identity& owner) const {
  const std::string path = PidPath(run_dir_);
  ::unlink(path.c_str());
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!file.valid()) return Status::Errno(path);
  const std::string text = std::to_string(::getpid()) + "\n";
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return Status::Errno(path);
  return ::fchown(file.get(), owner.uid, owner.gid) == 0 ? Status::Ok() : Status::Errno(path);
}

void InstanceLock::RemovePid() const { ::unlink(PidPath(run_dir_).c_str()); }

}  // namespace dory::supervisor
