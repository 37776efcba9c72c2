#include "supervisor/socket_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/log.h"
#include "common/status.h"

namespace dory::supervisor {
namespace {

constexpr int64_t kLookMs = 5000;

}  // namespace

SocketFiles::SocketFiles(EventLoop& loop, const std::vector<InputSocket>& sockets)
    : sockets_(sockets), timer_(loop, [this] { Look(); }), restored_(sockets.size()) {}

void SocketFiles::Start() { timer_.StartEvery(kLookMs); }

void SocketFiles::Look() {
  std::vector<Warning> warnings;
  for (size_t i = 0; i < sockets_.size(); ++i) {
    const InputSocket& socket = sockets_[i];
    std::string trouble;
    if (socket.path.empty()) continue;
    if (LookAt(socket, &trouble)) {
      ++restored_[i];
      LogWarning("[input:{}] {}: the socket's file was removed; it is there again", socket.name, socket.path);
    }
    if (trouble.empty()) continue;
    warnings.push_back({"socket_file", "[input:" + socket.name + "] " + socket.path + ": " + trouble +
                                           ": nobody can connect; a restart of Dory makes it anew"});
  }
  if (warnings != warnings_) {
    for (const Warning& warning : warnings) LogWarning("{}", warning.text);
  }
  warnings_ = std::move(warnings);
}

// Whether the name had to be made again, and was.
bool SocketFiles::LookAt(const InputSocket& socket, std::string* trouble) {
  struct stat found;
  if (::lstat(socket.path.c_str(), &found) == 0) {
    if (found.st_dev != socket.device || found.st_ino != socket.inode) *trouble = "another file is in its place";
    return false;
  }
  if (errno != ENOENT) {
    *trouble = Status::Errno("stat").message();
    return false;
  }
  if (!socket.kept.empty() && ::link(socket.kept.c_str(), socket.path.c_str()) == 0) return true;
  *trouble = "the socket's file was removed";
  return false;
}

uint64_t SocketFiles::CountRestored(uint32_t input) const {
  uint64_t count = 0;
  for (size_t i = 0; i < sockets_.size(); ++i) count += sockets_[i].input == input ? restored_[i] : 0;
  return count;
}

}  // namespace dory::supervisor
