#include "supervisor/leftover_workers.h"

#include <csignal>
#include <vector>

#include "common/file_lock.h"
#include "common/log.h"
#include "common/paths.h"
#include "shm/segment.h"
#include "shm/store.h"
#include "supervisor/process_facts.h"

namespace dory::supervisor {
namespace {

// Of the workers that the segment's slots name those that are still running.
std::vector<pid_t> FindLeftovers(const Config& config) {
  std::vector<pid_t> found;
  if (UsesMemfd(config)) return found;
  shm::SegmentFault fault{};
  const Result<int> opened = shm::OpenSegment(SegmentFolder(config), &fault);
  if (!opened.ok()) return found;
  const FileDescriptor fd(opened.value());
  const Result<shm::Segment> segment = shm::Segment::Map(fd.get(), shm::Role::kSupervisor, 0);
  if (!segment.ok()) return found;
  const auto* slots = segment.value().Get<shm::WorkerSlot>(shm::RegionKind::kWorkerSlots, 0);
  for (uint32_t i = 0; i < 2 * segment.value().geometry().lanes; ++i) {
    const pid_t pid = shm::Load(slots[i].pid);
    if (pid <= 0) continue;
    const std::optional<ProcessFacts> facts = ReadProcessFacts(pid);
    if (facts && facts->start_time == shm::Load(slots[i].start_time)) found.push_back(pid);
  }
  return found;
}

}  // namespace

Result<FileDescriptor> TakeSegmentLock(const Config& config) {
  const std::string path = SegmentLockPath(config);
  bool busy = false;
  Result<FileDescriptor> lock = TryLockFile(path, &busy);
  if (!lock.ok() || !busy) return lock;
  LogInfo("{} is held: waiting for the workers of a supervisor that died", path);
  if (WaitForLock(lock.value(), kLeftoverPatienceMs)) return lock;
  for (const pid_t pid : FindLeftovers(config)) {
    LogWarning("worker {} of a supervisor that died did not end within {} s: killed", pid,
               kLeftoverPatienceMs / 1000);
    ::kill(pid, SIGKILL);
  }
  if (WaitForLock(lock.value(), kLeftoverPatienceMs)) return lock;
  return Status::Error(path + ": held by somebody who is in no worker slot (doryctl check-buffer?)");
}

}  // namespace dory::supervisor
