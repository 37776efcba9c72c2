// The run directory, and that there is one Dory on it.
//
// On crash: the lock ends with the process; the pid file is then stale and says nothing.
// Errors: a busy lock is a second instance: told with the first one's pid, nothing touched.

#pragma once

#include <sys/types.h>

#include <string>

#include "common/file_descriptor.h"
#include "common/status.h"
#include "supervisor/identity.h"

namespace dory::supervisor {

// Creates `folder` with this mode and owner where it is missing; where it is there, it must be a
// folder (not a link) that belongs to this owner or, unless it is to be private (0700), to root.
Status PrepareFolder(const std::string& folder, mode_t mode, const Identity& owner);

class InstanceLock {
 public:
  static Result<InstanceLock> Take(const std::string& run_dir);

  // Our pid into the pid file, for this owner.
  Status WritePid(const Identity& owner) const;
  void RemovePid() const;

 private:
  InstanceLock(std::string run_dir, FileDescriptor lock) : run_dir_(std::move(run_dir)), lock_(std::move(lock)) {}

  std::string run_dir_;
  FileDescriptor lock_;  // close-on-exec: the supervisor's alone
};

}  // namespace dory::supervisor
