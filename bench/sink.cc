// sink: the least that a program can do to receive datagrams, to hold Dory's figures against.
//
// 64 slots of private memory, epoll and recvmmsg with MSG_DONTWAIT; nothing is looked at. It binds the
// socket, receives until `count` messages have come, and prints what that cost it.

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "common/clock.h"

namespace {

constexpr unsigned kSlots = 64;

struct Options {
  std::string path;
  uint64_t count = 1'000'000;
  size_t slot_size = 64 * 1024;
};

int Fail(const char* what) {
  std::perror(what);
  return 1;
}

int BindSocket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return -1;
  std::memcpy(address.sun_path, path.data(), path.size());
  ::unlink(path.c_str());
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return -1;
  return fd;
}

class Sink {
 public:
  explicit Sink(size_t slot_size) : bytes_(kSlots * slot_size) {
    for (unsigned i = 0; i < kSlots; ++i) {
      buffers_[i] = {bytes_.data() + i * slot_size, slot_size};
      messages_[i].msg_hdr.msg_iov = &buffers_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
  }

  // Reads until the socket is empty. How many there were.
  uint64_t Empty(int fd) {
    uint64_t received = 0;
    for (;;) {
      const int got = ::recvmmsg(fd, messages_.data(), kSlots, MSG_DONTWAIT, nullptr);
      if (got > 0) received += static_cast<uint64_t>(got);
      if (got < static_cast<int>(kSlots)) return received;
    }
  }

 private:
  std::vector<char> bytes_;
  std::array<iovec, kSlots> buffers_{};
  std::array<mmsghdr, kSlots> messages_{};
};

double CpuSeconds() {
  rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

int Run(const Options& options) {
  const int fd = BindSocket(options.path);
  if (fd < 0) return Fail(options.path.c_str());
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event wanted{.events = EPOLLIN, .data = {}};
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &wanted) != 0) return Fail("epoll_ctl");
  Sink sink(options.slot_size);
  uint64_t received = 0;
  int64_t began_ns = 0;
  const double cpu_before = CpuSeconds();
  while (received < options.count) {
    epoll_event ready;
    if (::epoll_wait(epoll, &ready, 1, -1) < 0) return Fail("epoll_wait");
    if (began_ns == 0) began_ns = dory::BoottimeNs();
    received += sink.Empty(fd);
  }
  const double cpu = CpuSeconds() - cpu_before;
  const double seconds = static_cast<double>(dory::BoottimeNs() - began_ns) / 1e9;
  const auto count = static_cast<double>(received);
  std::printf("sink: %llu messages, %.3f s, %.0f messages/s, %.3f s of CPU a million\n",
              static_cast<unsigned long long>(received), seconds, count / seconds, cpu * 1e6 / count);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Receives datagrams and does nothing with them.");
  app.add_option("--path", options.path, "UNIX datagram socket to bind")->required();
  app.add_option("--count", options.count, "ends after so many messages");
  app.add_option("--slot-size", options.slot_size, "bytes of each of the 64 slots");
  CLI11_PARSE(app, argc, argv);
  return Run(options);
}
