#include "common/rotated_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <vector>

#include "common/clock.h"

namespace dory {
namespace {

struct Archive {
  int64_t time_ms;
  std::string path;
  uint64_t size;
};

std::vector<Archive> ListArchives(const std::string& path) {
  const std::filesystem::path file(path);
  const std::string prefix = file.filename().string() + ".";
  std::vector<Archive> archives;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(file.parent_path(), error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix)) continue;
    const std::string time = name.substr(prefix.size());
    int64_t time_ms = 0;
    const auto read = std::from_chars(time.data(), time.data() + time.size(), time_ms);
    if (read.ec != std::errc() || read.ptr != time.data() + time.size() || time_ms < 0) continue;
    const uint64_t size = entry.file_size(error);
    if (!error) archives.push_back({time_ms, entry.path().string(), size});
  }
  std::sort(archives.begin(), archives.end(),
            [](const Archive& left, const Archive& right) { return left.time_ms < right.time_ms; });
  return archives;
}

}  // namespace

Status RotatedFile::Fail(const char* what) const {
  return Status::Error(path_ + ": " + what + ": " + std::strerror(errno));
}

Status RotatedFile::Append(std::string_view lines) {
  Status status = EnsureOpen();
  if (status.ok()) status = RotateIfFull(lines.size());
  if (status.ok() && line_is_cut_) status = Write("\n");
  if (status.ok()) status = Write(lines);
  return status;
}

// Whether the open file is the one of that path: nobody has renamed or deleted it.
bool RotatedFile::HasName() const {
  struct stat opened;
  struct stat named;
  return ::fstat(file_.get(), &opened) == 0 && ::stat(path_.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

Status RotatedFile::EnsureOpen() {
  if (file_.get() >= 0 && HasName()) return Status::Ok();
  file_.Reset(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (file_.get() < 0) return Fail("open");
  line_is_cut_ = false;
  return Status::Ok();
}

Status RotatedFile::RotateIfFull(size_t more) {
  struct stat opened;
  if (::fstat(file_.get(), &opened) != 0) return Fail("stat");
  const auto size = static_cast<uint64_t>(opened.st_size);
  if (size == 0 || size + more <= limits_.file_size) return Status::Ok();
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) return Status::Ok();  // somebody else is renaming it
  if (HasName()) {
    // Later than all others, whatever the clock says: the oldest are told by their names.
    const std::vector<Archive> archives = ListArchives(path_);
    const int64_t time_ms = archives.empty() ? WallClockMs() : std::max(WallClockMs(), archives.back().time_ms + 1);
    const std::string name = path_ + "." + std::to_string(time_ms);
    if (::rename(path_.c_str(), name.c_str()) != 0) return Fail("rename");
    DeleteOldest();
  }
  return EnsureOpen();
}

void RotatedFile::DeleteOldest() const {
  const std::vector<Archive> archives = ListArchives(path_);
  uint64_t sum = 0;
  for (const Archive& archive : archives) sum += archive.size;
  for (const Archive& archive : archives) {
    if (sum <= limits_.archive_size) return;
    if (::unlink(archive.path.c_str()) == 0) sum -= archive.size;
  }
}

Status RotatedFile::Write(std::string_view bytes) {
  const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
  if (written < 0) return Fail("write");
  line_is_cut_ = static_cast<size_t>(written) < bytes.size() && written > 0;
  if (static_cast<size_t>(written) == bytes.size()) return Status::Ok();
  errno = ENOSPC;
  return Fail("write");
}

}  // namespace dory
