#include "status_http/listener.h"

#include <netdb.h>
#include <sys/socket.h>

#include <memory>
#include <string>

namespace dory::status_http {
namespace {

constexpr int kBacklog = 64;

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Result<AddressList> Resolve(const HostPort& address) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (error != 0) return Status::Error(::gai_strerror(error));
  return AddressList(found, &::freeaddrinfo);
}

Result<FileDescriptor> BindAndListen(const addrinfo& address) {
  FileDescriptor fd(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return Status::Errno("socket");
  const int on = 1;
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.ai_family == AF_INET6) (void)::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  if (::bind(fd.get(), address.ai_addr, address.ai_addrlen) != 0) return Status::Errno("bind");
  if (::listen(fd.get(), kBacklog) != 0) return Status::Errno("listen");
  return fd;
}

}  // namespace

Result<FileDescriptor> ListenOn(const HostPort& address) {
  const Result<AddressList> found = Resolve(address);
  if (!found.ok()) return found.status().Context(FormatHostPort(address));
  Result<FileDescriptor> fd = BindAndListen(*found.value());
  if (!fd.ok()) return fd.status().Context(FormatHostPort(address));
  return fd;
}

}  // namespace dory::status_http
