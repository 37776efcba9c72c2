#include "supervisor/room.h"

#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

#include "common/paths.h"
#include "shm/segment.h"

namespace dory::supervisor {
namespace {

constexpr uint64_t kSmallAlign = 64 * 1024;
constexpr const char* kCgroups = "/sys/fs/cgroup";

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::optional<uint64_t> ReadNumber(const std::string& path) {
  std::ifstream file(path);
  uint64_t number = 0;
  if (file >> number) return number;
  return std::nullopt;  // missing, or "max"
}

// Our cgroup's path below kCgroups, of the line "0::/path" of /proc/self/cgroup.
std::string FindCgroup() {
  std::istringstream lines(ReadText("/proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("0::/")) return line.substr(3);
  }
  return "/";
}

// What a limit leaves; page cache of files goes when memory is needed.
std::optional<uint64_t> LeftOfCgroup(const std::string& folder) {
  const std::optional<uint64_t> limit = ReadNumber(folder + "/memory.max");
  const std::optional<uint64_t> used = ReadNumber(folder + "/memory.current");
  if (!limit || !used) return std::nullopt;
  const std::string stat = ReadText(folder + "/memory.stat");
  const uint64_t cache = FindBytes(stat, "inactive_file") + FindBytes(stat, "active_file");
  const uint64_t kept = *used - std::min(*used, cache);
  return *limit - std::min(*limit, kept);
}

void Lower(Room* room, uint64_t bytes, const std::string& where) {
  if (bytes >= room->bytes) return;
  room->bytes = bytes;
  room->where = where;
}

}  // namespace

uint64_t FindBytes(std::string_view text, std::string_view key) {
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    std::string unit;
    uint64_t number = 0;
    words >> name >> number >> unit;
    if (name == key) return unit == "kB" ? number * 1024 : number;
  }
  return 0;
}

Result<Room> MeasureRoomFor(const Config& config, const std::string& folder) {
  Room room{UINT64_MAX, kSmallAlign, "memfd"};
  bool is_memory = true;  // huge pages are set aside beforehand and belong to no limit
  if (!UsesMemfd(config)) {
    const Result<shm::SegmentRoom> found = shm::MeasureRoom(folder);
    if (!found.ok()) return found.status();
    room = {found.value().free_bytes, found.value().align, folder};
    is_memory = found.value().align == kSmallAlign;
  }
  if (!is_memory) return room;
  const uint64_t available = FindBytes(ReadText("/proc/meminfo"), "MemAvailable:");
  if (available > 0) Lower(&room, available, "memory available on this machine");
  for (std::string path = FindCgroup(); ; path.resize(path.rfind('/'))) {
    const std::optional<uint64_t> left = LeftOfCgroup(kCgroups + path);
    if (left) Lower(&room, *left, "memory limit of cgroup " + (path.empty() ? "/" : path));
    if (path.empty() || path == "/") break;
  }
  return room;
}

}  // namespace dory::supervisor
