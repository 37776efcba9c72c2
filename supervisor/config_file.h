// The configuration file of this dory: as it was read, and as it runs.
//
// They differ where the command line says so: with --daemon nobody reads stderr.

#pragma once

#include <string>

#include "common/config.h"
#include "common/status.h"

namespace dory::supervisor {

class ConfigFile {
 public:
  static Result<ConfigFile> Load(const std::string& path, bool daemon);

  // The same file as it is now, for a reload.
  Result<ConfigFile> ReadAgain() const { return Load(path_, daemon_); }

  const Config& as_read() const { return as_read_; }
  Config MakeRunning() const;
  const std::string& hash() const { return hash_; }

 private:
  ConfigFile(std::string path, bool daemon, Config config);

  std::string path_;  // absolute: a daemon's folder is /
  bool daemon_;
  Config as_read_;
  std::string hash_;
};

}  // namespace dory::supervisor
