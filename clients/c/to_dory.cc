// to_dory: sends messages to Dory from the command line.
//
// Errors: exit 0 when every message was sent, and with --receipt delivered; 1 when one was not (why
//         is on stderr; earlier ones were sent), 2 for wrong options. It waits while Dory takes no
//         more.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "clients/c/dory_client.h"
#include "clients/c/to_dory_options.h"
#include "clients/c/to_dory_receipts.h"
#include "clients/c/to_dory_send.h"
#include "clients/c/to_dory_values.h"

namespace dory::client {
namespace {

struct ClientCloser {
  void operator()(dory_client* client) const { dory_client_close(client); }
};
using Client = std::unique_ptr<dory_client, ClientCloser>;

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
    dory_code code = Compose(options, number, value, buffer);
    if (code == DORY_OK && options.bad) Spoil(buffer);
    if (code == DORY_OK) code = dory_client_send(client, buffer.data(), buffer.size(), 0);
    if (code != DORY_OK) return FailToSend(NameMessage(options, number), code);
    PrintProgress(options, number);
  }
  return values.has_failed() ? kExitNotSent : kExitSent;
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
  return options.receipt ? SendWithReceipts(options, client.get())
                         : SendAll(options, client.get());
}

// Throws CLI::ValidationError, as what reads options does.
std::pair<std::string, std::string> SplitHeader(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) {
    throw CLI::ValidationError("--header", "'" + text + "' has no '='; allowed is NAME=VALUE");
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
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
  app.add_option("--key", options.key, "message key (default: null)");
  app.add_option_function<std::vector<std::string>>(
         "--header",
         [&options](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) options.headers.push_back(SplitHeader(text));
         },
         "a header, NAME=VALUE, as often as there are headers")
      ->expected(1)
      ->take_all()
      ->trigger_on_parse(false);

  auto* what = app.add_option_group("what", "the value; empty without any of these");
  what->add_option("--value", options.value, "this text");
  auto* null_value = what->add_flag("--null-value", options.null_value,
                                    "null, which a compacted topic takes for a deletion");
  what->add_flag("--stdin", options.from_stdin, "all of standard input");
  what->add_flag("--lines", options.lines, "a message for each line of standard input");
  what->require_option(0, 1);

  app.add_option("--count", options.count, "messages to send (1; with --lines: at most, all)");
  app.add_option("--interval", options.interval_us, "microseconds from message to message (0)");
  app.add_flag("--seq", options.sequence, "put the message's number, from 1, and a space first")
      ->excludes(null_value);
  app.add_option("--pad", options.sequence_width, "zeros before that number, to so many digits")
      ->check(CLI::Range(0, 1000));
  auto* receipt = app.add_flag("--receipt", options.receipt,
                               "ask what becomes of each message, and wait for all answers");
  app.add_flag("--bad", options.bad, "spoil the message's Size field, to test Dory's answer")
      ->excludes(receipt);
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
  if (options.receipt && !options.socket_path.empty()) {
    std::cerr << "to_dory: --receipt: a datagram socket has no way back; "
                 "use --stream-socket-path or --port\n";
    return kExitUsage;
  }
  std::ios::sync_with_stdio(false);
  return Run(options);
}

}  // namespace
}  // namespace dory::client

int main(int argc, char** argv) {
  return dory::client::Main(argc, argv);
}
