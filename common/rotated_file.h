// A file of lines that is bounded: full, it is renamed to PATH.<ms since 1970>, and the oldest of those are
// deleted first.
//
// Several processes may append to one path, each with a RotatedFile: lines are appended whole (O_APPEND, one
// write), a file is renamed by whoever has its flock and finds that it still has the name, and each looks
// whether its file still has it before it writes. So it may as well be moved away by others.
//
// On crash: nothing but the lines that were not written is lost; a flock ends with its process.
// Errors: a full or failing disk fails Append, and the next one tries again.

#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "common/file_descriptor.h"
#include "common/status.h"

namespace dory {

struct RotatedFileLimits {
  uint64_t file_size = 0;     // bytes of the file in use
  uint64_t archive_size = 0;  // of all that were renamed

  bool operator==(const RotatedFileLimits&) const = default;
};

class RotatedFile {
 public:
  RotatedFile(std::string path, const RotatedFileLimits& limits) : path_(std::move(path)), limits_(limits) {}

  // Whole lines. The file is made with mode 0600.
  Status Append(std::string_view lines);

 private:
  Status EnsureOpen();
  bool HasName() const;
  Status RotateIfFull(size_t more);
  Status Write(std::string_view bytes);
  void DeleteOldest() const;
  Status Fail(const char* what) const;

  std::string path_;
  RotatedFileLimits limits_;
  FileDescriptor file_;
  bool line_is_cut_ = false;  // the last write was short
};

}  // namespace dory
