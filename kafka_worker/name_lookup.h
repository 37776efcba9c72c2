// The addresses of a name, looked up on a thread of its own, so that a lookup that hangs stops nobody.
//
// By getaddrinfo(), which asks whatever this host is set up to ask; a resolver of our own loop (c-ares)
// knows files and DNS, not what else nsswitch.conf names. It can't be ended, so a lookup that nobody
// waits for any more goes on, and the next one of this object joins it.
// Errors: as the system says them.

#pragma once

#include <sys/socket.h>

#include <functional>
#include <string>
#include <vector>

#include "common/event_loop.h"
#include "common/status.h"
#include "common/units.h"
#include "kafka_worker/off_loop.h"

namespace dory::kafka {

struct SocketAddress {
  sockaddr_storage bytes;
  socklen_t size;
};

// In the order in which they are to be tried; never empty.
using SocketAddresses = std::vector<SocketAddress>;

// "127.0.0.1", "::1"
std::string ShowHost(const SocketAddress& address);

class NameLookup {
 public:
  using Callback = std::function<void(Result<SocketAddresses> found)>;
  using Function = std::function<Result<SocketAddresses>(const HostPort&)>;

  // `look_up` is what a thread calls.
  NameLookup(EventLoop& loop, HostPort name, Callback callback, Function look_up = &AskSystem);

  // Calls back once, from the loop; for a host that is an address, before it returns.
  void Start();
  // No call any more.
  void Cancel() { waiting_ = false; }

  static Result<SocketAddresses> AskSystem(const HostPort& name);

 private:
  void OnFound(Result<SocketAddresses> found);

  HostPort name_;
  Callback callback_;
  Function look_up_;
  bool waiting_ = false;
  OffLoop<Result<SocketAddresses>> off_loop_;
};

}  // namespace dory::kafka
