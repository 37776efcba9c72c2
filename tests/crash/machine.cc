#include "tests/crash/machine.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <random>

namespace dory::crash {
namespace {

constexpr int64_t kLookNs = 1'000;  // what a look costs: a timer that is due is not due without it

Machine* machine = nullptr;

int ConnectTo(int fd, const sockaddr* address) {
  sockaddr_in plain;
  std::memcpy(&plain, address, sizeof(plain));
  const int end = machine->Connect(ntohs(plain.sin_port));
  if (end < 0) {
    errno = ECONNREFUSED;
    return -1;
  }
  ::dup2(end, fd);
  ::close(end);
  return 0;
}

}  // namespace

void SetMachine(Machine* one) { machine = one; }

}  // namespace dory::crash

// ---- what the libraries find instead of the system's -------------------------------------------

using dory::crash::kLookNs;
using dory::crash::machine;

extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  if (machine == nullptr) return static_cast<int>(::syscall(SYS_clock_gettime, clock, now));
  constexpr int64_t kSecond = 1'000'000'000;
  *now = {machine->NowNs() / kSecond, machine->NowNs() % kSecond};
  return 0;
}

extern "C" int epoll_wait(int fd, epoll_event* events, int room, int wait_ms) {
  const auto wait = [&](int ms) {
    return static_cast<int>(::syscall(SYS_epoll_pwait, fd, events, room, ms, nullptr, 0));
  };
  if (machine == nullptr) return wait(wait_ms);
  machine->OnWait();
  const int ready = wait(0);
  if (ready != 0) return ready;
  if (wait_ms != 0) machine->OnIdle(wait_ms);
  machine->NowNs() += int64_t{std::max(wait_ms, 0)} * 1'000'000 + kLookNs;
  return 0;
}

extern "C" int connect(int fd, const sockaddr* address, socklen_t size) {
  if (machine == nullptr || address->sa_family != AF_INET) {
    return static_cast<int>(::syscall(SYS_connect, fd, address, size));
  }
  return dory::crash::ConnectTo(fd, address);
}

extern "C" ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  const ssize_t written = ::syscall(SYS_sendmsg, fd, message, flags);
  if (written > 0 && machine != nullptr) machine->OnWritten();
  return written;
}

std::random_device::result_type std::random_device::_M_getval() { return 1; }
