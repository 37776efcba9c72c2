// numbered_streams: the load of crash tests over many stream connections, each a numbered sender of its own.
//
// One process, each connection with its own messages (numbered_source.h), written back to back as the socket takes
// them, in the middle of a message, too. A message whose last byte was taken is accepted. Connections are made once:
// one that ends, or a write that fails, is a failure.
//
// Order: after SIGTERM each connection ends the message that it is in, says so by its end, and is done.
// Errors: 1 where a connection failed; 2 for a wrong option.

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/file_descriptor.h"
#include "tests/support/numbered_source.h"

namespace dory::tests {
namespace {

using Clock = std::chrono::steady_clock;

volatile std::sig_atomic_t stop_asked = 0;

void AskToStop(int) {
  stop_asked = 1;
}

struct Options : SourceOptions {
  std::string path;
  int port = 0;
  uint32_t connections = 1;
  double rate = 0;
  std::string reports;
};

int Fail(const std::string& what) {
  std::cerr << "numbered_streams: " << what << ": " << std::strerror(errno) << "\n";
  return 1;
}

FileDescriptor Connect(const Options& options) {
  dory_client* client = nullptr;
  const dory_code code = options.path.empty()
                             ? dory_client_open_tcp(static_cast<uint16_t>(options.port), &client)
                             : dory_client_open_stream(options.path.c_str(), &client);
  FileDescriptor fd(code == DORY_OK ? ::dup(dory_client_fd(client)) : -1);
  dory_client_close(client);
  return fd;
}

// One sender: what is left to be written of the message at hand.
class Connection {
 public:
  Connection(const Options& options, uint32_t sender, FileDescriptor fd)
      : options_(options), fd_(std::move(fd)), due_(Clock::now()) {
    options_.sender = sender;
    source_ = std::make_unique<MessageSource>(options_);
  }

  int fd() const { return fd_.get(); }
  bool done() const { return !fd_.valid(); }

  bool IsDue(Clock::time_point now) const { return !rest_.empty() || stop_asked || now >= due_; }

  // Writes what the socket takes. False: it failed.
  bool Write(Clock::time_point now) {
    if (rest_.empty() && stop_asked) {
      fd_.Reset();
      return true;
    }
    if (rest_.empty()) {
      rest_ = source_->Compose();
      if (options_.rate > 0) due_ = now + Clock::duration(static_cast<int64_t>(1e9 / options_.rate));
    }
    const ssize_t written = ::send(fd_.get(), rest_.data(), rest_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (written < 0) return errno == EAGAIN || errno == EINTR;
    rest_.remove_prefix(static_cast<size_t>(written));
    if (rest_.empty()) source_->Accept();
    return true;
  }

  bool WriteReport() const {
    const std::string file = options_.reports + std::to_string(options_.sender) + ".json";
    const nlohmann::json report = {
        {"sender", options_.sender}, {"sent_any", source_->accepted(Kind::kAny)},
        {"sent_key", source_->accepted(Kind::kKey)}, {"topics", options_.topics}, {"keys", options_.keys},
        {"again", 0}, {"refused", 0},
    };
    std::ofstream(file + ".new") << report.dump() << "\n";
    return std::rename((file + ".new").c_str(), file.c_str()) == 0;
  }

 private:
  Options options_;
  FileDescriptor fd_;
  std::unique_ptr<MessageSource> source_;
  std::string_view rest_;
  Clock::time_point due_;
};

class Senders {
 public:
  explicit Senders(const Options& options) : options_(options) {}

  int Run() {
    for (uint32_t i = 0; i < options_.connections; ++i) {
      FileDescriptor fd = Connect(options_);
      if (!fd.valid()) return Fail("connect");
      connections_.push_back(std::make_unique<Connection>(options_, options_.sender + i, std::move(fd)));
    }
    int failed = 0;
    while (failed == 0 && Turn(&failed)) {
    }
    for (const auto& connection : connections_) {
      if (!connection->WriteReport()) return Fail(options_.reports);
    }
    return failed;
  }

 private:
  static constexpr int kTurnMs = 5;

  // False: all are done.
  bool Turn(int* failed) {
    std::vector<pollfd> polled;
    std::vector<Connection*> which;
    const Clock::time_point now = Clock::now();
    bool some = false;
    for (const auto& connection : connections_) {
      some |= !connection->done();
      if (connection->done() || !connection->IsDue(now)) continue;
      polled.push_back({connection->fd(), POLLOUT, 0});
      which.push_back(connection.get());
    }
    ::poll(polled.data(), polled.size(), kTurnMs);
    for (size_t i = 0; i < which.size(); ++i) {
      if (polled[i].revents != 0 && !which[i]->Write(now)) *failed = Fail("send");
    }
    return some;
  }

  const Options& options_;
  std::vector<std::unique_ptr<Connection>> connections_;
};

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Sends numbered messages over many stream connections to Dory, and reports how many were accepted.");
  auto* path = app.add_option("--path", options.path, "UNIX stream socket of Dory");
  app.add_option("--port", options.port, "its TCP port on 127.0.0.1")->excludes(path);
  app.add_option("--topic", options.topics, "send to these topics, in turn")->required();
  app.add_option("--sender", options.sender, "number of the first connection's sender");
  app.add_option("--connections", options.connections, "how many, each a sender");
  app.add_option("--rate", options.rate, "messages a second of each (0: as many as possible)");
  app.add_option("--sizes", options.sizes, "bytes of values, in turn")
      ->delimiter(',')
      ->check(CLI::Range(kNumberedTextSize, size_t{100} << 20));
  app.add_option("--keys", options.keys, "partition keys 0 ... K-1")->check(CLI::Range(1u, 1u << 31));
  app.add_option("--reports", options.reports, "beginning of the names of the JSON reports, one a sender")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  struct sigaction action = {};
  action.sa_handler = AskToStop;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  return Senders(options).Run();
}

}  // namespace
}  // namespace dory::tests

int main(int argc, char** argv) {
  return dory::tests::Main(argc, argv);
}
