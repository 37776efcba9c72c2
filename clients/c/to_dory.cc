// to_dory: sends messages to Dory from the command line.
//
// Errors: exit 0 when every message was sent, 1 when one was not (why is on stderr; earlier ones
//         were sent), 2 for wrong options. It waits while Dory takes no more.

#include <sys/types.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "clients/c/dory_client.h"

namespace dory::client {
namespace {

constexpr int kExitSent = 0;
constexpr int kExitNotSent = 1;
constexpr int kExitUsage = 2;

struct Options {
  std::string socket_path;
  std::string stream_socket_path;
  uint16_t port = 0;
  std::string topic;
  std::optional<int32_t> partition_key;
  std::string key;
  std::string value;
  bool from_stdin = false;
  bool lines = false;
  std::optional<uint64_t> count;
  uint64_t interval_us = 0;
  bool sequence = false;
  size_t sequence_width = 0;
  bool bad = false;
  uint64_t print_every = 0;
};

struct ClientCloser {
  void operator()(dory_client* client) const { dory_client_close(client); }
};
using Client = std::unique_ptr<dory_client, ClientCloser>;

int FailToSend(std::string_view what, dory_code code) {
  std::cerr << "to_dory: " << what << ": " << dory_code_text(code);
  if (code == DORY_SYSTEM_ERROR || code == DORY_NOT_RUNNING) {
    std::cerr << " (" << std::strerror(errno) << ")";
  } else if (code == DORY_TOO_LARGE && errno == EMSGSIZE) {
    std::cerr << " for a datagram socket (net.core.wmem_max limits it)";
  } else if (code == DORY_TOO_LARGE && errno == ENOBUFS) {
    std::cerr << " for a datagram socket (the kernel holds one in one piece, about 4 MiB at most)";
  }
  std::cerr << "\n";
  return kExitNotSent;
}

std::string NameAddress(const Options& options) {
  if (!options.socket_path.empty()) return options.socket_path;
  if (!options.stream_socket_path.empty()) return options.stream_socket_path;
  return "TCP port " + std::to_string(options.port);
}

dory_code OpenClient(const Options& options, Client& client) {
  dory_client* opened = nullptr;
  dory_code code = DORY_OK;
  if (!options.socket_path.empty()) {
    code = dory_client_open_datagram(options.socket_path.c_str(), &opened);
  } else if (!options.stream_socket_path.empty()) {
    code = dory_client_open_stream(options.stream_socket_path.c_str(), &opened);
  } else {
    code = dory_client_open_tcp(options.port, &opened);
  }
  client.reset(opened);
  return code;
}

bool ReadAll(std::string& content) {
  char part[64 * 1024];
  for (;;) {
    const ssize_t size = read(STDIN_FILENO, part, sizeof(part));
    if (size == 0) return true;
    if (size > 0) content.append(part, static_cast<size_t>(size));
    if (size < 0 && errno != EINTR) return false;
  }
}

// The values in turn: one of them `count` times, or the lines of standard input.
class ValueSource {
 public:
  explicit ValueSource(const Options& options) : options_(options), value_(options.value) {}

  // Returns false with a message to stderr.
  bool Prepare() {
    if (!options_.from_stdin || ReadAll(value_)) return true;
    std::cerr << "to_dory: standard input: " << std::strerror(errno) << "\n";
    return false;
  }

  // The value of message `number`, which counts from 1; false when there are no more.
  bool Next(uint64_t number, std::string& value) {
    const uint64_t limit = options_.count.value_or(options_.lines ? UINT64_MAX : 1);
    if (number > limit) return false;
    if (options_.lines && !std::getline(std::cin, value_)) return false;
    value.clear();
    if (options_.sequence) AppendSequence(number, value);
    value += value_;
    return true;
  }

 private:
  void AppendSequence(uint64_t number, std::string& value) const {
    const std::string digits = std::to_string(number);
    if (digits.size() < options_.sequence_width) {
      value.append(options_.sequence_width - digits.size(), '0');
    }
    value += digits;
    value += ' ';
  }

  const Options& options_;
  std::string value_;
};

dory_code Compose(const Options& options, const std::string& value, std::vector<char>& buffer) {
  const dory_message message = {
      .topic = options.topic.data(),
      .topic_size = options.topic.size(),
      .timestamp_ms = dory_now_ms(),
      .key = options.key.data(),
      .key_size = options.key.size(),
      .value = value.data(),
      .value_size = value.size(),
  };
  const dory_kind kind = options.partition_key ? DORY_PARTITION_KEY : DORY_ANY_PARTITION;
  size_t size = 0;
  const dory_code code = dory_message_size(kind, &message, &size);
  if (code != DORY_OK) return code;
  buffer.resize(size);
  if (options.partition_key) {
    return dory_write_partition_key(buffer.data(), size, *options.partition_key, &message, &size);
  }
  return dory_write_any_partition(buffer.data(), size, &message, &size);
}

// Makes the Size field one less than the message's size.
void Spoil(std::vector<char>& buffer) {
  const size_t size = buffer.size() - 1;
  for (size_t i = 0; i < 4; ++i) buffer[i] = static_cast<char>(size >> (24 - 8 * i) & 0xff);
}

int SendAll(const Options& options, dory_client* client) {
  ValueSource values(options);
  std::string value;
  std::vector<char> buffer;
  auto due = std::chrono::steady_clock::now();
  if (!values.Prepare()) return kExitNotSent;
  for (uint64_t number = 1; values.Next(number, value); ++number) {
    std::this_thread::sleep_until(due);
    due = std::chrono::steady_clock::now() + std::chrono::microseconds(options.interval_us);
    dory_code code = Compose(options, value, buffer);
    if (code == DORY_OK && options.bad) Spoil(buffer);
    if (code == DORY_OK) code = dory_client_send(client, buffer.data(), buffer.size(), 0);
    if (code != DORY_OK) {
      return FailToSend("message " + std::to_string(number) + " to " + NameAddress(options), code);
    }
    if (options.print_every > 0 && number % options.print_every == 0) {
      std::cout << number << " messages written" << std::endl;
    }
  }
  return kExitSent;
}

bool IsKafkaTopic(std::string_view topic) {
  const auto is_legal = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '.' || c == '_' || c == '-';
  };
  return !topic.empty() && topic.size() <= 249 && topic != "." && topic != ".." &&
         std::ranges::all_of(topic, is_legal);
}

int Run(const Options& options) {
  if (!IsKafkaTopic(options.topic)) {
    std::cerr << "to_dory: warning: Kafka has no topics with such a name; Dory will reject it\n";
  }
  Client client;
  const dory_code code = OpenClient(options, client);
  if (code != DORY_OK) return FailToSend(NameAddress(options), code);
  return SendAll(options, client.get());
}

void AddOptions(CLI::App& app, Options& options) {
  auto* where = app.add_option_group("where", "Dory's socket");
  where->add_option("--socket-path", options.socket_path, "UNIX datagram socket");
  where->add_option("--stream-socket-path", options.stream_socket_path, "UNIX stream socket");
  where->add_option("--port", options.port, "TCP port of this host")->check(CLI::Range(1, 65535));
  where->require_option(1);

  app.add_option("--topic", options.topic, "Kafka topic")->required();
  app.add_option("--partition-key", options.partition_key,
                 "send to the partition of this number, modulo their count (default: any)");
  app.add_option("--key", options.key, "message key");

  auto* what = app.add_option_group("what", "the value; empty without any of these");
  what->add_option("--value", options.value, "this text");
  what->add_flag("--stdin", options.from_stdin, "all of standard input");
  what->add_flag("--lines", options.lines, "a message for each line of standard input");
  what->require_option(0, 1);

  app.add_option("--count", options.count, "messages to send (1; with --lines: at most, all)");
  app.add_option("--interval", options.interval_us, "microseconds from message to message (0)");
  app.add_flag("--seq", options.sequence, "put the message's number, from 1, and a space first");
  app.add_option("--pad", options.sequence_width, "zeros before that number, to so many digits")
      ->check(CLI::Range(0, 1000));
  app.add_flag("--bad", options.bad, "spoil the message's Size field, to test Dory's answer");
  app.add_option("--print", options.print_every, "say so after every so many messages");
  app.set_version_flag("--version", DORY_VERSION);
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Sends messages to Dory.", "to_dory");
  AddOptions(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitSent : kExitUsage;
  }
  std::ios::sync_with_stdio(false);
  return Run(options);
}

}  // namespace
}  // namespace dory::client

int main(int argc, char** argv) {
  return dory::client::Main(argc, argv);
}
