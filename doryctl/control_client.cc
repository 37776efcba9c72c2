#include "doryctl/control_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "common/file_descriptor.h"
#include "common/paths.h"

namespace dory::doryctl {
namespace {

constexpr uint32_t kVersion = 1;

pid_t PeerOf(int fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

}  // namespace

ControlClient::ControlClient(int fd) : loop_(std::make_unique<EventLoop>()), peer_(PeerOf(fd)) {
  link_ = std::make_unique<ControlLink>(*loop_, fd, [](const std::string&) {}, [](const std::string&) {});
}

Result<ControlClient> ControlClient::Connect(const std::string& run_dir, bool* not_running) {
  const std::string path = ControlSocketPath(run_dir);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return Status::Error(path + ": too long for a socket");
  std::memcpy(address.sun_path, path.data(), path.size());
  FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return Status::Errno("socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    return ControlClient(fd.Release());
  }
  *not_running = errno == ENOENT || errno == ECONNREFUSED;
  return *not_running ? Status::Error("no dory runs on " + run_dir) : Status::Errno(path);
}

Result<control::Response> ControlClient::Ask(control::Request request, int64_t timeout_ms) {
  request.set_version(kVersion);
  link_->Send(request);
  return WaitForAnswer(timeout_ms);
}

Result<control::Response> ControlClient::WaitForAnswer(int64_t timeout_ms) {
  std::string frame;
  const Result<bool> read = link_->WaitForFrame(timeout_ms, &frame);
  if (!read.ok()) return read.status().Context("control socket");
  if (!read.value()) return Status::Error("dory does not answer");
  control::Response response;
  if (!response.ParseFromString(frame)) return Status::Error("an answer that can't be read");
  if (!response.error().empty()) return Status::Error(response.error());
  return response;
}

Status ControlClient::WaitForEnd(int64_t timeout_ms) const {
  if (peer_ <= 0) return Status::Ok();  // in a pid namespace that we can't see
  const FileDescriptor process(static_cast<int>(::syscall(SYS_pidfd_open, peer_, 0)));
  if (!process.valid()) return errno == ESRCH ? Status::Ok() : Status::Errno("pidfd_open");
  pollfd ended{process.get(), POLLIN, 0};
  const int ready = ::poll(&ended, 1, static_cast<int>(timeout_ms));
  return ready == 1 ? Status::Ok() : Status::Error("dory (pid " + std::to_string(peer_) + ") has not ended");
}

}  // namespace dory::doryctl
