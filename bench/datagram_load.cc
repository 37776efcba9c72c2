// datagram_load: sends messages to a datagram socket as fast as it takes them.
//
// One connected socket a process, blocking sends, the same bytes again and again: the sender is to cost
// as little as it can. Topics are t0 ... t<N-1>, in turn, or the one that is named.

#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "clients/c/dory_client.h"
#include "common/clock.h"

namespace {

struct Options {
  std::string path;
  uint64_t count = 1'000'000;
  size_t size = 200;
  uint32_t topic_count = 1;
  std::string topic;
  bool keyed = false;
};

std::string Compose(const Options& options, const std::string& topic, uint32_t number) {
  const std::string value(options.size, 'v');
  dory_message message{};
  message.topic = topic.data();
  message.topic_size = topic.size();
  message.timestamp_ms = dory_now_ms();
  message.value = value.data();
  message.value_size = value.size();
  std::string bytes(DORY_PARTITION_KEY_OVERHEAD + topic.size() + value.size(), '\0');
  size_t size = 0;
  const dory_code code =
      options.keyed ? dory_write_partition_key(bytes.data(), bytes.size(), static_cast<int32_t>(number), &message, &size)
                    : dory_write_any_partition(bytes.data(), bytes.size(), &message, &size);
  bytes.resize(code == DORY_OK ? size : 0);
  return bytes;
}

dory_client* OpenClient(const std::string& path) {
  constexpr int kAttempts = 500;
  dory_client* client = nullptr;
  for (int i = 0; i < kAttempts; ++i) {
    if (dory_client_open_datagram(path.c_str(), &client) == DORY_OK) return client;
    dory_client_close(client);
    client = nullptr;
    ::usleep(10'000);
  }
  return nullptr;
}

int Run(const Options& options) {
  std::vector<std::string> messages;
  for (uint32_t i = 0; i < options.topic_count; ++i) {
    messages.push_back(Compose(options, options.topic.empty() ? "t" + std::to_string(i) : options.topic, i));
  }
  dory_client* const client = OpenClient(options.path);
  if (client == nullptr) {
    std::fprintf(stderr, "datagram_load: %s: nobody listens\n", options.path.c_str());
    return 1;
  }
  const int64_t began_ns = dory::BoottimeNs();
  for (uint64_t i = 0; i < options.count; ++i) {
    const std::string& bytes = messages[i % messages.size()];
    const dory_code code = dory_client_send(client, bytes.data(), bytes.size(), 0);
    if (code == DORY_OK) continue;
    std::fprintf(stderr, "datagram_load: message %llu: %s\n", static_cast<unsigned long long>(i),
                 dory_code_text(code));
    return 1;
  }
  const double seconds = static_cast<double>(dory::BoottimeNs() - began_ns) / 1e9;
  std::printf("datagram_load: %llu messages, %.3f s, %.0f messages/s\n",
              static_cast<unsigned long long>(options.count), seconds,
              static_cast<double>(options.count) / seconds);
  dory_client_close(client);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Sends messages to a datagram socket as fast as it takes them.");
  app.add_option("--path", options.path, "UNIX datagram socket")->required();
  app.add_option("--count", options.count, "messages to send");
  app.add_option("--size", options.size, "bytes of a value");
  app.add_option("--topics", options.topic_count, "send to t0 ... t<N-1>, in turn");
  app.add_option("--topic", options.topic, "send to this topic");
  app.add_flag("--keyed", options.keyed, "PartitionKey messages");
  CLI11_PARSE(app, argc, argv);
  return Run(options);
}
