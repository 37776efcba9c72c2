#include "kafka_worker/name_lookup.h"

#include <netdb.h>

#include <cstring>
#include <utility>

namespace dory::kafka {
namespace {

// `flags`: AI_NUMERICHOST asks nobody.
Result<SocketAddresses> Ask(const HostPort& name, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* first = nullptr;
  const std::string port = std::to_string(name.port);
  if (const int error = ::getaddrinfo(name.host.c_str(), port.c_str(), &hints, &first)) {
    return Status::Error(error == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(error)).Context("resolve");
  }
  SocketAddresses found;
  for (const addrinfo* at = first; at != nullptr; at = at->ai_next) {
    SocketAddress& address = found.emplace_back();
    std::memcpy(&address.bytes, at->ai_addr, at->ai_addrlen);
    address.size = at->ai_addrlen;
  }
  ::freeaddrinfo(first);
  if (found.empty()) return Status::Error("no addresses").Context("resolve");
  return found;
}

}  // namespace

std::string ShowHost(const SocketAddress& address) {
  char host[NI_MAXHOST];
  const auto* const plain = reinterpret_cast<const sockaddr*>(&address.bytes);
  if (::getnameinfo(plain, address.size, host, sizeof(host), nullptr, 0, NI_NUMERICHOST) != 0) return "?";
  return host;
}

NameLookup::NameLookup(EventLoop& loop, HostPort name, Callback callback, Function look_up)
    : name_(std::move(name)),
      callback_(std::move(callback)),
      look_up_(std::move(look_up)),
      off_loop_(loop, [this](Result<SocketAddresses> found) { OnFound(std::move(found)); }) {}

Result<SocketAddresses> NameLookup::AskSystem(const HostPort& name) { return Ask(name, 0); }

void NameLookup::Start() {
  if (Result<SocketAddresses> address = Ask(name_, AI_NUMERICHOST); address.ok()) {
    callback_(std::move(address));
    return;
  }
  waiting_ = true;
  if (off_loop_.running()) return;
  const Status status = off_loop_.Start([name = name_, look_up = look_up_] { return look_up(name); });
  if (!status.ok()) OnFound(status.Context("resolve"));
}

void NameLookup::OnFound(Result<SocketAddresses> found) {
  if (std::exchange(waiting_, false)) callback_(std::move(found));
}

}  // namespace dory::kafka
