// stream_load: sends messages over stream connections as fast as they take them, or at a rate.
//
// The same bytes again and again: the sender is to cost as little as it can. Each write holds `batch` messages;
// connections are written in turn, with blocking sends.

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "clients/c/dory_client.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string path;
  int port = 0;
  std::string topic = "bench";
  uint64_t count = 1'000'000;
  size_t size = 200;
  uint32_t batch = 1;
  uint32_t connections = 1;
  uint32_t idle = 0;
  double rate = 0;
};

std::string Compose(const Options& options) {
  const std::string value(options.size, 'v');
  dory_message message{};
  message.topic = options.topic.data();
  message.topic_size = options.topic.size();
  message.timestamp_ms = dory_now_ms();
  message.value = value.data();
  message.value_size = value.size();
  std::string bytes(DORY_PARTITION_KEY_OVERHEAD + options.topic.size() + value.size(), '\0');
  size_t size = 0;
  if (dory_write_any_partition(bytes.data(), bytes.size(), &message, &size) != DORY_OK) return "";
  bytes.resize(size);
  return bytes;
}

// -1: nobody is there.
int Connect(const Options& options) {
  dory_client* client = nullptr;  // lives as long as this process
  const dory_code code = options.path.empty()
                             ? dory_client_open_tcp(static_cast<uint16_t>(options.port), &client)
                             : dory_client_open_stream(options.path.c_str(), &client);
  return code == DORY_OK ? dory_client_fd(client) : -1;
}

bool SendAll(int fd, const char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t sent = ::send(fd, bytes, size, MSG_NOSIGNAL);
    if (sent < 0) return false;
    bytes += sent;
    size -= static_cast<size_t>(sent);
  }
  return true;
}

int Run(const Options& options) {
  rlimit files;
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  std::vector<int> fds;
  for (uint32_t i = 0; i < options.connections + options.idle; ++i) {
    fds.push_back(Connect(options));
    if (fds.back() < 0) {
      std::perror("stream_load: connect");
      return 1;
    }
  }
  const std::string one = Compose(options);
  std::string many;
  for (uint32_t i = 0; i < options.batch; ++i) many += one;
  const Clock::time_point began = Clock::now();
  for (uint64_t sent = 0, turn = 0; sent < options.count; sent += options.batch, ++turn) {
    const size_t left = std::min<uint64_t>(options.batch, options.count - sent);
    if (!SendAll(fds[turn % options.connections], many.data(), left * one.size())) {
      std::perror("stream_load: send");
      return 1;
    }
    // Not for each one: a sleep is at least 50 us long.
    if (options.rate > 0 && turn % 16 == 15) {
      std::this_thread::sleep_until(began + std::chrono::nanoseconds(static_cast<int64_t>(
                                                static_cast<double>(sent) / options.rate * 1e9)));
    }
  }
  std::printf("%zu\n", one.size());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Sends messages over stream connections as fast as they take them. Prints the bytes of one.");
  app.add_option("--path", options.path, "UNIX stream socket");
  app.add_option("--port", options.port, "or TCP port of 127.0.0.1");
  app.add_option("--topic", options.topic, "send to this topic");
  app.add_option("--count", options.count, "messages to send");
  app.add_option("--size", options.size, "bytes of a value");
  app.add_option("--batch", options.batch, "messages a write")->check(CLI::Range(1, 4096));
  app.add_option("--connections", options.connections, "that are written to, in turn");
  app.add_option("--idle", options.idle, "connections besides");
  app.add_option("--rate", options.rate, "messages a second over all (0: as many as possible)");
  CLI11_PARSE(app, argc, argv);
  return Run(options);
}
