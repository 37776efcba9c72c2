// stream_load: sends messages over stream connections as fast as they take them, or at a rate.
//
// The same bytes again and again: the sender is to cost as little as it can. Each write holds `batch` messages;
// connections are written in turn, with blocking sends. With --topics N they go to the topics NAME0 ... NAME<N-1>,
// in turn, and with --keys K to each topic's partition keys 0 ... K-1; several K: of topics in turn.

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "clients/c/dory_client.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string path;
  int port = 0;
  std::string topic = "bench";
  uint32_t topics = 0;  // 0: the one
  std::vector<int32_t> keys;  // none: AnyPartition
  uint64_t count = 1'000'000;
  size_t size = 200;
  uint32_t batch = 1;
  uint32_t connections = 1;
  uint32_t idle = 0;
  double rate = 0;
};

constexpr int32_t kNoKey = -1;

std::string Compose(const Options& options, const std::string& topic, int32_t key) {
  const std::string value(options.size, 'v');
  dory_message message{};
  message.topic = topic.data();
  message.topic_size = topic.size();
  message.timestamp_ms = dory_now_ms();
  message.value = value.data();
  message.value_size = value.size();
  std::string bytes(DORY_PARTITION_KEY_OVERHEAD + topic.size() + value.size(), '\0');
  size_t size = 0;
  const dory_code code = key == kNoKey ? dory_write_any_partition(bytes.data(), bytes.size(), &message, &size)
                                       : dory_write_partition_key(bytes.data(), bytes.size(), key, &message, &size);
  bytes.resize(code == DORY_OK ? size : 0);
  return bytes;
}

// Messages in a row, and then again, so that each write is of one piece.
class Messages {
 public:
  explicit Messages(const Options& options) {
    for (uint32_t i = 0; i < std::max(options.topics, 1u); ++i) {
      const std::string topic = options.topics == 0 ? options.topic : options.topic + std::to_string(i);
      const int32_t keys = options.keys.empty() ? 0 : options.keys[i % options.keys.size()];
      for (int32_t key = keys == 0 ? kNoKey : 0; key < keys; ++key) Add(Compose(options, topic, key));
    }
    count_ = ends_.size() - 1;
    while (ends_.size() - 1 < count_ + options.batch) Add(std::string(At(ends_.size() - 1 - count_, 1)));
  }

  size_t first_size() const { return ends_[1]; }

  // So many of them, from that one on.
  std::string_view At(uint64_t number, size_t how_many) const {
    const size_t first = number % count_;
    return std::string_view(bytes_).substr(ends_[first], ends_[first + how_many] - ends_[first]);
  }

 private:
  void Add(const std::string& message) {
    bytes_ += message;
    ends_.push_back(bytes_.size());
  }

  std::string bytes_;
  std::vector<size_t> ends_ = {0};
  size_t count_ = 0;
};

// -1: nobody is there.
int Connect(const Options& options) {
  dory_client* client = nullptr;  // lives as long as this process
  const dory_code code = options.path.empty()
                             ? dory_client_open_tcp(static_cast<uint16_t>(options.port), &client)
                             : dory_client_open_stream(options.path.c_str(), &client);
  return code == DORY_OK ? dory_client_fd(client) : -1;
}

bool SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
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
  const Messages messages(options);
  const Clock::time_point began = Clock::now();
  for (uint64_t sent = 0, turn = 0; sent < options.count; sent += options.batch, ++turn) {
    const size_t left = std::min<uint64_t>(options.batch, options.count - sent);
    if (!SendAll(fds[turn % options.connections], messages.At(sent, left))) {
      std::perror("stream_load: send");
      return 1;
    }
    // Not for each one: a sleep is at least 50 us long.
    if (options.rate > 0 && turn % 16 == 15) {
      std::this_thread::sleep_until(began + std::chrono::nanoseconds(static_cast<int64_t>(
                                                static_cast<double>(sent) / options.rate * 1e9)));
    }
  }
  std::printf("%zu\n", messages.first_size());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Sends messages over stream connections as fast as they take them. Prints the bytes of one.");
  app.add_option("--path", options.path, "UNIX stream socket");
  app.add_option("--port", options.port, "or TCP port of 127.0.0.1");
  app.add_option("--topic", options.topic, "send to this topic");
  app.add_option("--topics", options.topics, "or to those that begin so and end in a number");
  app.add_option("--keys", options.keys, "partition keys 0 ... K-1; several K: of topics in turn")->delimiter(',');
  app.add_option("--count", options.count, "messages to send");
  app.add_option("--size", options.size, "bytes of a value");
  app.add_option("--batch", options.batch, "messages a write")->check(CLI::Range(1, 4096));
  app.add_option("--connections", options.connections, "that are written to, in turn");
  app.add_option("--idle", options.idle, "connections besides");
  app.add_option("--rate", options.rate, "messages a second over all (0: as many as possible)");
  CLI11_PARSE(app, argc, argv);
  return Run(options);
}
