#include "supervisor/moved_aside.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <vector>

#include "common/file_descriptor.h"
#include "common/log.h"
#include "shm/books.h"
#include "shm/segment.h"
#include "shm/store.h"

namespace dory::supervisor {
namespace {

constexpr const char* kSegment = "segment";
constexpr const char* kAside = ".aside.";
constexpr size_t kMaxNamed = 10;  // topics of a segment, and segments, that are named

std::string OverflowName(uint32_t lane) { return "overflow." + std::to_string(lane); }

bool IsThere(const std::string& path) {
  struct stat found;
  return ::lstat(path.c_str(), &found) == 0;
}

std::string FormatUtcNow() {
  const time_t now = ::time(nullptr);
  tm parts;
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &parts);
  return text;
}

// One that neither a segment nor an overflow file has.
std::string ChooseSuffix(const std::string& folder) {
  const std::string time = kAside + FormatUtcNow();
  std::string suffix = time;
  const auto is_used = [&] {
    bool used = IsThere(folder + "/" + kSegment + suffix);
    for (uint32_t lane = 0; lane < shm::kMaxLanes; ++lane) {
      used = used || IsThere(folder + "/" + OverflowName(lane) + suffix);
    }
    return used;
  };
  for (int number = 2; is_used(); ++number) suffix = time + "-" + std::to_string(number);
  return suffix;
}

uint64_t MeasureFile(const std::string& path) {
  struct stat found;
  return ::lstat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode) ? static_cast<uint64_t>(found.st_size) : 0;
}

std::string DescribeBooks(const shm::Segment& segment, uint64_t* overflow) {
  std::vector<std::pair<std::string, uint64_t>> topics;
  for (uint32_t lane = 0; lane < segment.geometry().lanes; ++lane) {
    for (const shm::TopicBooks& topic : shm::ReadBooks(segment, lane).topics) {
      const uint64_t settled = topic.delivered + topic.Discarded();
      if (settled > topic.appended) return "";  // books that can't be
      if (topic.appended > settled) topics.emplace_back(topic.name, topic.appended - settled);
    }
    const auto* page = segment.Get<shm::ProducerPage>(shm::RegionKind::kProducer, lane);
    *overflow += shm::Load(page->overflow_in) - shm::Load(page->overflow_out);
  }
  uint64_t sum = 0;
  std::string named;
  for (size_t i = 0; i < topics.size(); ++i) {
    sum += topics[i].second;
    if (i < kMaxNamed) named += fmt::format("{}{} {}", i == 0 ? "" : ", ", topics[i].first, topics[i].second);
  }
  if (topics.size() > kMaxNamed) named += fmt::format(", and {} topics more", topics.size() - kMaxNamed);
  return sum == 0 ? "0 messages" : fmt::format("{} messages ({})", sum, named);
}

// "holds 7 messages (t 5, u 2)", where that can be told.
std::string DescribeContent(const std::string& path) {
  constexpr const char* kUncounted = "what it holds can't be counted";
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return kUncounted;
  const Result<shm::Segment> segment = shm::Segment::MapDamaged(fd.get());
  if (!segment.ok()) return kUncounted;
  uint64_t overflow = 0;
  const std::string messages = DescribeBooks(segment.value(), &overflow);
  if (messages.empty()) return kUncounted;
  return "holds " + messages + (overflow == 0 ? "" : fmt::format(" and {} bytes in an overflow file", overflow));
}

// Paths of segments that are kept, the oldest first.
std::vector<std::string> ListMovedAside(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    if (entry.path().filename().string().starts_with(std::string(kSegment) + kAside)) {
      paths.push_back(entry.path().string());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

// The segment last: a death before it leaves one that is moved aside by the next start.
Status MoveAside(const std::string& folder, const Status& why) {
  const std::string suffix = ChooseSuffix(folder);
  for (uint32_t lane = 0; lane < shm::kMaxLanes; ++lane) {
    const std::string overflow = folder + "/" + OverflowName(lane);
    if (::rename(overflow.c_str(), (overflow + suffix).c_str()) != 0 && errno != ENOENT) {
      return Status::Errno(overflow + ": moving it aside");
    }
  }
  const std::string path = folder + "/" + kSegment;
  const std::string content = DescribeContent(path);
  if (::rename(path.c_str(), (path + suffix).c_str()) != 0) return Status::Errno(path + ": moving it aside");
  LogError("THE SEGMENT CAN'T BE USED: {}; it is kept as {}{} and not delivered from, {}; a new one is created",
           why.message(), path, suffix, content);
  return Status::Ok();
}

std::string DescribeMovedAside(const std::string& folder) {
  const std::vector<std::string> paths = ListMovedAside(folder);
  if (paths.empty()) return "";
  std::string text = "segments that could not be used are kept, nothing of them is delivered:";
  for (size_t i = 0; i < std::min(paths.size(), kMaxNamed); ++i) {
    text += fmt::format("{} {} ({} bytes, {})", i == 0 ? "" : ",", paths[i], MeasureFile(paths[i]),
                        DescribeContent(paths[i]));
  }
  if (paths.size() > kMaxNamed) text += fmt::format(", and {} more", paths.size() - kMaxNamed);
  return text + "; this is said until they are removed";
}

std::string DescribeMovedAsideSizes(const std::string& folder, const std::string& also) {
  std::vector<std::string> paths = ListMovedAside(folder);
  if (!also.empty()) paths.push_back(also);
  std::string text;
  for (const std::string& path : paths) {
    const uint64_t bytes = MeasureFile(path);
    if (bytes > 0) text += fmt::format("{}{} has {} bytes", text.empty() ? "" : ", ", path, bytes);
  }
  return text;
}

}  // namespace dory::supervisor
