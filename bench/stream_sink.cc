// stream_sink: the least that a program can do to receive streams, to hold Dory's figures against.
//
// Accepts connections on a UNIX path or a TCP port, reads each with recvmmsg into one private buffer of 64 KiB when
// epoll says so, looks at nothing, and ends once `bytes` have come.

#include <arpa/inet.h>
#include <netinet/in.h>
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

namespace {

struct Options {
  std::string path;
  int port = 0;
  uint64_t bytes = 0;
};

int Fail(const char* what) {
  std::perror(what);
  return 1;
}

int Listen(const Options& options) {
  const bool is_unix = !options.path.empty();
  const int fd = ::socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un path{};
  path.sun_family = AF_UNIX;
  options.path.copy(path.sun_path, sizeof(path.sun_path) - 1);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(options.port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int bound = is_unix ? ::bind(fd, reinterpret_cast<sockaddr*>(&path), sizeof(path))
                            : ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  return bound == 0 && ::listen(fd, 4096) == 0 ? fd : -1;
}

class Sink {
 public:
  Sink() {
    buffer_ = {bytes_.data(), bytes_.size()};
    message_.msg_hdr.msg_iov = &buffer_;
    message_.msg_hdr.msg_iovlen = 1;
  }

  // Reads until the connection is empty. How many bytes there were.
  uint64_t Empty(int fd) {
    uint64_t received = 0;
    while (::recvmmsg(fd, &message_, 1, MSG_DONTWAIT, nullptr) == 1 && message_.msg_len > 0) {
      received += message_.msg_len;
      if (message_.msg_len < bytes_.size()) break;
    }
    return received;
  }

 private:
  std::vector<char> bytes_ = std::vector<char>(64 * 1024);
  iovec buffer_{};
  mmsghdr message_{};
};

int Run(const Options& options) {
  rlimit files;
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  const int listener = Listen(options);
  if (listener < 0) return Fail("listen");
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  const auto watch = [epoll](int fd) {
    epoll_event wanted{.events = EPOLLIN, .data = {.fd = fd}};
    return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &wanted) == 0;
  };
  if (!watch(listener)) return Fail("epoll_ctl");
  Sink sink;
  for (uint64_t received = 0; received < options.bytes;) {
    std::array<epoll_event, 64> ready;
    const int count = ::epoll_wait(epoll, ready.data(), ready.size(), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = ready[static_cast<size_t>(i)].data.fd;
      if (fd != listener) {
        received += sink.Empty(fd);
      } else if (const int accepted = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC); accepted >= 0) {
        if (!watch(accepted)) return Fail("epoll_ctl");
      }
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Receives streams and does nothing with them.");
  app.add_option("--path", options.path, "UNIX stream socket to bind");
  app.add_option("--port", options.port, "or TCP port of 127.0.0.1");
  app.add_option("--bytes", options.bytes, "ends after so many")->required();
  CLI11_PARSE(app, argc, argv);
  return Run(options);
}
