// Where a running Dory keeps its files: names that the supervisor and doryctl have to agree on.

#pragma once

#include <string>

#include "common/config.h"

namespace dory {

inline std::string LockPath(const std::string& run_dir) { return run_dir + "/lock"; }
inline std::string PidPath(const std::string& run_dir) { return run_dir + "/dory.pid"; }
inline std::string ControlSocketPath(const std::string& run_dir) { return run_dir + "/control.sock"; }

// A second name of an input's socket.
inline std::string KeptSocketPath(const std::string& run_dir, const std::string& input) {
  return run_dir + "/." + input + ".socket";
}

inline bool UsesMemfd(const Config& config) { return config.segment_dir == "memfd"; }

// Folder of the segment and its lock; with a memfd, which has no name, that of the lock alone.
inline std::string SegmentFolder(const Config& config) {
  return UsesMemfd(config) ? config.run_dir : config.segment_dir + "/dory." + config.instance;
}
inline std::string SegmentLockPath(const Config& config) {
  return SegmentFolder(config) + (UsesMemfd(config) ? "/segment.lock" : "/lock");
}
inline std::string SegmentFilePath(const Config& config) { return SegmentFolder(config) + "/segment"; }

}  // namespace dory
