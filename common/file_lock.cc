#include "common/file_lock.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>

#include "common/clock.h"

namespace dory {
namespace {

constexpr int kLookEveryMs = 20;

}  // namespace

Result<FileDescriptor> TryLockFile(const std::string& path, bool* busy) {
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return Status::Errno(path);
  *busy = ::flock(file.get(), LOCK_EX | LOCK_NB) != 0;
  if (*busy && errno != EWOULDBLOCK) return Status::Errno(path);
  return file;
}

bool WaitForLock(const FileDescriptor& file, int64_t timeout_ms) {
  const int64_t deadline_ms = MonotonicMs() + timeout_ms;
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (MonotonicMs() >= deadline_ms) return false;
    ::poll(nullptr, 0, kLookEveryMs);
  }
  return true;
}

}  // namespace dory
