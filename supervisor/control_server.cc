#include "supervisor/control_server.h"

#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"

namespace dory::supervisor {
namespace {

constexpr int64_t kAcceptAgainMs = 200;
constexpr size_t kMostSessions = 64;
constexpr uint32_t kVersion = 1;

bool MayControl(int connection) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

}  // namespace

ControlServer::ControlServer(EventLoop& loop, FileDescriptor listener,
                             std::function<void(SessionId, const control::Request&)> on_request,
                             std::function<void(SessionId)> on_session_end)
    : loop_(loop), listener_(std::move(listener)), on_request_(std::move(on_request)),
      on_session_end_(std::move(on_session_end)), watcher_(loop, listener_.get(), [this](int) { Accept(); }),
      accept_again_(loop, [this] { watcher_.Watch(kReadable); }), bury_(loop, [this] { ended_.clear(); }) {
  watcher_.Watch(kReadable);
}

void ControlServer::Accept() {
  FileDescriptor connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (connection.valid()) return Open(std::move(connection));
  if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
  LogWarning("control socket: {}", Status::Errno("accept").message());
  watcher_.Watch(0);
  accept_again_.StartOnce(kAcceptAgainMs);
}

void ControlServer::Open(FileDescriptor connection) {
  const bool allowed = MayControl(connection.get());
  const bool full = sessions_.size() >= kMostSessions;
  const SessionId session = next_session_++;
  auto link = std::make_unique<ControlLink>(
      loop_, connection.Release(), [this, session](const std::string& frame) { OnFrame(session, frame); },
      [this, session](const std::string&) { End(session); });
  ControlLink* const opened = link.get();
  sessions_.emplace(session, std::move(link));
  if (allowed && !full) return;
  ReplyError(session, allowed ? "too many sessions at once" : "not allowed: your uid is neither root's nor Dory's");
  opened->Shutdown();
  End(session);
}

void ControlServer::OnFrame(SessionId session, const std::string& frame) {
  control::Request request;
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  if (!request.ParseFromString(frame)) return found->second->Fail("a request that can't be read");
  if (request.version() != kVersion) {
    return ReplyError(session, "request of version " + std::to_string(request.version()) + ", this dory speaks " +
                                   std::to_string(kVersion));
  }
  on_request_(session, request);
}

void ControlServer::Reply(SessionId session, const control::Response& response) {
  const auto found = sessions_.find(session);
  if (found != sessions_.end()) found->second->Send(response);
}

void ControlServer::ReplyError(SessionId session, const std::string& error) {
  control::Response response;
  response.set_error(error);
  Reply(session, response);
}

void ControlServer::End(SessionId session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  ended_.push_back(std::move(found->second));
  sessions_.erase(found);
  bury_.StartOnce(0);
  on_session_end_(session);
}

}  // namespace dory::supervisor
