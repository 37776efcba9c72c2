#include "supervisor/input_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "common/credentials.h"
#include "common/log.h"
#include "common/paths.h"
#include "supervisor/tcp_listener.h"

namespace dory::supervisor {
namespace {

constexpr int kGoodQueueLength = 256;

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof(address.sun_path) - 1));
  return address;
}

Status GiveTo(const std::string& path, const InputConfig& input, const Identity& identity) {
  const Result<uid_t> uid = input.owner.empty() ? Result<uid_t>(identity.uid) : FindUser(input.owner);
  if (!uid.ok()) return uid.status();
  const Result<gid_t> gid = input.group.empty() ? Result<gid_t>(identity.gid) : FindGroup(input.group);
  if (!gid.ok()) return gid.status();
  if (::lchown(path.c_str(), uid.value(), gid.value()) != 0) return Status::Errno(path + ": chown");
  if (::chmod(path.c_str(), static_cast<mode_t>(input.mode)) != 0) return Status::Errno(path + ": chmod");
  return Status::Ok();
}

// `ask`: what is sent before an intake reads it says who sent it, too.
Result<FileDescriptor> BindUnixInput(const InputConfig& input, const Identity& identity, bool ask) {
  const int type = input.IsStream() ? SOCK_STREAM : SOCK_DGRAM;
  const Status removed = RemoveStaleSocket(input.path, type);
  if (!removed.ok()) return removed;
  Result<FileDescriptor> fd = BindUnixSocket(input.path, type);
  if (!fd.ok()) return fd.status();
  if (!input.IsStream() && ask) PassCredentials(fd.value().get(), true);
  Status status = Status::Ok();
  if (input.IsStream() && ::listen(fd.value().get(), SOMAXCONN) != 0) status = Status::Errno(input.path + ": listen");
  if (status.ok()) status = GiveTo(input.path, input, identity);
  if (status.ok()) return fd;
  ::unlink(input.path.c_str());
  return status;
}

// Binds one input after the other; what was bound before one fails is taken back.
class InputBinder {
 public:
  InputBinder(const Config& config, const Identity& identity, std::vector<Warning>* warnings)
      : config_(config), identity_(identity), warnings_(warnings) {}

  Result<std::vector<InputSocket>> BindAll() {
    for (uint32_t index = 0; index < config_.inputs.size(); ++index) {
      const InputConfig& input = config_.inputs[index];
      const Status status = input.IsUnix() ? BindUnix(input, index) : BindTcp(input, index);
      if (status.ok()) continue;
      RemoveSocketFiles(sockets_);
      return status.Context("[input:" + input.name + "]");
    }
    return std::move(sockets_);
  }

 private:
  Status BindUnix(const InputConfig& input, uint32_t index) {
    Result<FileDescriptor> fd = BindUnixInput(input, identity_, !config_.clients.empty());
    if (!fd.ok()) return fd.status();
    sockets_.push_back({input.name, input.type, input.path, index, static_cast<uint32_t>(input.lane), fd.Take(),
                        0, 0, ""});
    NoteFile(&sockets_.back());
    return Status::Ok();
  }

  // Without a second name (another file system, a file system without links) it is all the same.
  void NoteFile(InputSocket* socket) const {
    struct stat found;
    if (::lstat(socket->path.c_str(), &found) != 0) return;
    socket->device = found.st_dev;
    socket->inode = found.st_ino;
    const std::string kept = KeptSocketPath(config_.run_dir, socket->name);
    ::unlink(kept.c_str());  // of a supervisor that was killed
    if (::link(socket->path.c_str(), kept.c_str()) == 0) socket->kept = kept;
  }

  Status BindTcp(const InputConfig& input, uint32_t index) {
    Status missing = Status::Ok();
    bool any = false;
    for (const std::string& address : input.bind) {
      bool no_address = false;
      Result<FileDescriptor> fd = ListenTcp({address, static_cast<uint16_t>(input.port)}, &no_address);
      if (fd.ok()) {
        any = true;
        sockets_.push_back({input.name, input.type, "", index, 0, fd.Take(), 0, 0, ""});
      } else if (no_address && !config_.IsSet("input:" + input.name, "bind")) {
        missing = fd.status();
      } else {
        return fd.status();
      }
    }
    if (missing.ok()) return missing;
    if (!any) return missing;
    warnings_->push_back({"bind", "[input:" + input.name + "] does not listen at " + missing.message()});
    LogWarning("{}", warnings_->back().text);
    return Status::Ok();
  }

  const Config& config_;
  const Identity& identity_;
  std::vector<Warning>* warnings_;
  std::vector<InputSocket> sockets_;
};

}  // namespace

Status RemoveStaleSocket(const std::string& path, int type) {
  struct stat found;
  if (::lstat(path.c_str(), &found) != 0) return errno == ENOENT ? Status::Ok() : Status::Errno(path);
  if (!S_ISSOCK(found.st_mode)) return Status::Error(path + ": exists and is no socket; it is left alone");
  const FileDescriptor probe(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.valid()) return Status::Errno("socket");
  const sockaddr_un address = AddressOf(path);
  const int connected = ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  if (connected == 0 || errno != ECONNREFUSED) {
    return Status::Error(path + ": a socket that another process has open; it is left alone");
  }
  LogInfo("{}: stale socket file removed", path);
  return ::unlink(path.c_str()) == 0 || errno == ENOENT ? Status::Ok() : Status::Errno(path);
}

Result<FileDescriptor> BindUnixSocket(const std::string& path, int type) {
  const sockaddr_un address = AddressOf(path);
  if (path.size() >= sizeof(address.sun_path)) return Status::Error(path + ": too long for a socket");
  FileDescriptor fd(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return Status::Errno("socket");
  const mode_t mask = ::umask(0777);  // nobody gets in before the owner and the mode are set
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = errno;
  ::umask(mask);
  if (bound != 0) return Status::Errno(path, error);
  return fd;
}

Result<std::vector<InputSocket>> BindInputs(const Config& config, const Identity& identity,
                                            std::vector<Warning>* warnings) {
  return InputBinder(config, identity, warnings).BindAll();
}

void RemoveSocketFiles(const std::vector<InputSocket>& sockets) {
  for (const InputSocket& socket : sockets) {
    if (!socket.path.empty()) ::unlink(socket.path.c_str());
    if (!socket.kept.empty()) ::unlink(socket.kept.c_str());
  }
}

std::vector<Warning> CheckQueueLength() {
  std::ifstream file("/proc/sys/net/unix/max_dgram_qlen");
  int length = 0;
  if (!(file >> length) || length >= kGoodQueueLength) return {};
  return {{"max_dgram_qlen",
           fmt::format("net.unix.max_dgram_qlen is {}: senders of datagrams wait for Dory far more often than with "
                       "{} (sysctl net.unix.max_dgram_qlen={})", length, kGoodQueueLength, kGoodQueueLength)}};
}

}  // namespace dory::supervisor
