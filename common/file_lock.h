// A whole-file flock: how a second instance, workers of a dead supervisor and an offline check find
// out that a file's owner is still there. A lock is held as long as any copy of its descriptor is open.

#pragma once

#include <cstdint>
#include <string>

#include "common/file_descriptor.h"
#include "common/status.h"

namespace dory {

// Opens `path` (created with mode 0600, never followed as a link) and tries to take its lock.
// Ok with `*busy`: somebody else has it; the descriptor is open all the same.
Result<FileDescriptor> TryLockFile(const std::string& path, bool* busy);

// Waits up to `timeout_ms` for a lock that was busy. False: it still is.
bool WaitForLock(const FileDescriptor& file, int64_t timeout_ms);

}  // namespace dory
