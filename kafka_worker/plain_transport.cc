#include "kafka_worker/plain_transport.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace dory::kafka {

Result<size_t> PlainTransport::Write(std::span<const iovec> pieces) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = std::min<size_t>(pieces.size(), IOV_MAX);
  const ssize_t written = ::sendmsg(fd(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);  // C8
  if (written >= 0) return static_cast<size_t>(written);
  if (errno == EAGAIN || errno == EINTR) return size_t{0};
  return Status::Errno("write");
}

Result<size_t> PlainTransport::Read(std::span<std::byte> room) {
  const ssize_t got = ::recv(fd(), room.data(), room.size(), MSG_DONTWAIT);
  if (got > 0) return static_cast<size_t>(got);
  if (got == 0) return Status::Error(kClosedByBroker);
  if (errno == EAGAIN || errno == EINTR) return size_t{0};
  return Status::Errno("read");
}

}  // namespace dory::kafka
