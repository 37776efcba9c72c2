#include "supervisor/tcp_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

namespace dory::supervisor {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  int family = AF_INET;
};

SocketAddress MakeAddress(const HostPort& address) {
  SocketAddress made;
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&made.storage);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&made.storage);
  if (::inet_pton(AF_INET, address.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    made.size = sizeof(*v4);
  } else if (::inet_pton(AF_INET6, address.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    made.size = sizeof(*v6);
    made.family = AF_INET6;
  }
  return made;
}

bool SetOn(int fd, int level, int option) {
  const int on = 1;
  return ::setsockopt(fd, level, option, &on, sizeof(on)) == 0;
}

}  // namespace

Result<FileDescriptor> ListenTcp(const HostPort& address, bool* no_address) {
  const auto fail = [&](const char* what) {
    *no_address = errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT;
    return Status::Errno(FormatHostPort(address) + ": " + what);
  };
  const SocketAddress place = MakeAddress(address);
  FileDescriptor fd(::socket(place.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail("socket");
  // Keep-alive goes on to accepted connections: one whose host has gone does not keep its slot for ever.
  if (!SetOn(fd.get(), SOL_SOCKET, SO_REUSEADDR) || !SetOn(fd.get(), SOL_SOCKET, SO_KEEPALIVE)) return fail("option");
  if (place.family == AF_INET6 && !SetOn(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY)) return fail("option");
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&place.storage), place.size) != 0) return fail("bind");
  if (::listen(fd.get(), SOMAXCONN) != 0) return fail("listen");
  return fd;
}

}  // namespace dory::supervisor
