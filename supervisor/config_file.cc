#include "supervisor/config_file.h"

#include <filesystem>

namespace dory::supervisor {

ConfigFile::ConfigFile(std::string path, bool daemon, Config config)
    : path_(std::move(path)), daemon_(daemon), as_read_(std::move(config)), hash_(HashConfig(as_read_)) {}

Result<ConfigFile> ConfigFile::Load(const std::string& path, bool daemon) {
  Result<Config> config = LoadConfig(path);
  if (!config.ok()) return config.status();
  std::error_code failed;
  const std::filesystem::path absolute = std::filesystem::absolute(path, failed);
  if (failed) return Status::Error(path + ": " + failed.message());
  return ConfigFile(absolute.string(), daemon, config.Take());
}

Config ConfigFile::MakeRunning() const {
  Config config = as_read_;
  if (daemon_ && config.log_to == "stderr") config.log_to = "syslog";
  return config;
}

}  // namespace dory::supervisor
