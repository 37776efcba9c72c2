// acknowledging_broker: the least that a Kafka broker can do, so that a figure is Dory's alone. It takes
// every batch, checks nothing, keeps nothing and acknowledges at once. Every topic exists.
//
// With --brokers N it is N brokers, each on a port of its own. The number at the end of a topic's name (none: 0)
// chooses its number of partitions from --partitions, in turn, and who leads its first one.
// A thread a connection; it listens on 127.0.0.1, prints its first port on a line, and runs until it is ended.
// Source: the Kafka protocol guide; ApiVersions 3, Metadata 2, InitProducerId 1, Produce 8.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "kafka_worker/protocol/versions.h"
#include "kafka_worker/protocol/wire.h"

namespace dory::bench {
namespace {

using kafka::protocol::Api;
using kafka::protocol::Bytes;
using kafka::protocol::Reader;
using kafka::protocol::Writer;

constexpr std::pair<Api, int16_t> kSpoken[] = {
    {Api::kProduce, 8}, {Api::kMetadata, 2}, {Api::kApiVersions, 3}, {Api::kInitProducerId, 1}};
constexpr size_t kSmallestTopic = 6;      // bytes of a topic in a Produce request
constexpr size_t kSmallestPartition = 8;  // likewise

struct Options {
  uint32_t brokers = 1;
  std::vector<int32_t> partitions = {12};
};

struct Brokers {
  Options options;
  std::vector<uint16_t> ports;
};

uint32_t NumberOf(std::string_view topic) {
  const size_t last = topic.find_last_not_of("0123456789");
  uint32_t number = 0;
  for (const char digit : topic.substr(last + 1)) number = number * 10 + static_cast<uint32_t>(digit - '0');
  return number;
}

bool ReadAll(int fd, std::byte* to, size_t size) {
  for (size_t done = 0; done < size;) {
    const ssize_t got = ::recv(fd, to + done, size - done, MSG_WAITALL);
    if (got <= 0) return false;
    done += static_cast<size_t>(got);
  }
  return true;
}

class Connection {
 public:
  Connection(int fd, const Brokers& brokers) : fd_(fd), brokers_(brokers) {}
  ~Connection() { ::close(fd_); }

  // Until the peer goes or says what can't be understood.
  void Serve() {
    std::byte size[4];
    while (ReadAll(fd_, size, sizeof(size))) {
      request_.resize(static_cast<uint32_t>(LoadBigEndian<int32_t>(size)));
      if (!ReadAll(fd_, request_.data(), request_.size()) || !Answer()) return;
    }
  }

 private:
  bool Answer() {
    Reader reader(request_, false);
    const auto api = static_cast<Api>(reader.Read<int16_t>());
    const auto version = reader.Read<int16_t>();
    const auto correlation_id = reader.Read<int32_t>();
    (void)reader.ReadNullableString();
    response_.clear();
    Writer writer(&response_, kafka::protocol::IsFlexible(api, version));
    writer.Put<int32_t>(0);
    writer.Put<int32_t>(correlation_id);
    switch (api) {
      case Api::kApiVersions: PutApiVersions(&writer); break;
      case Api::kMetadata: PutMetadata(&reader, &writer); break;
      case Api::kInitProducerId: PutProducerId(&writer); break;
      case Api::kProduce: PutAcknowledgement(&reader, &writer); break;
      default: return false;
    }
    writer.PatchInt32(0, static_cast<int32_t>(response_.size() - 4));
    return reader.ok() &&
           ::send(fd_, response_.data(), response_.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(response_.size());
  }

  static void PutApiVersions(Writer* writer) {
    writer->Put<int16_t>(0);
    writer->PutArrayCount(std::size(kSpoken));
    for (const auto& [api, highest] : kSpoken) {
      writer->Put(static_cast<int16_t>(api));
      writer->Put<int16_t>(0);
      writer->Put(highest);
      writer->PutNoTags();
    }
    writer->Put<int32_t>(0);
    writer->PutNoTags();
  }

  void PutMetadata(Reader* reader, Writer* writer) const {
    writer->PutArrayCount(brokers_.ports.size());
    for (size_t i = 0; i < brokers_.ports.size(); ++i) {
      writer->Put(static_cast<int32_t>(i + 1));
      writer->PutString("127.0.0.1");
      writer->Put<int32_t>(brokers_.ports[i]);
      writer->PutNullableString(std::nullopt);
    }
    writer->PutNullableString("acknowledging-broker");
    writer->Put<int32_t>(1);
    const size_t count = reader->ReadArrayCount(2);
    writer->PutArrayCount(count);
    for (size_t i = 0; i < count; ++i) {
      const std::string_view topic = reader->ReadString();
      writer->Put<int16_t>(0);
      writer->PutString(topic);
      writer->PutBool(false);
      PutPartitions(NumberOf(topic), writer);
    }
  }

  void PutPartitions(uint32_t topic, Writer* writer) const {
    const std::vector<int32_t>& counts = brokers_.options.partitions;
    const auto count = static_cast<uint32_t>(counts[topic % counts.size()]);
    writer->PutArrayCount(count);
    for (uint32_t partition = 0; partition < count; ++partition) {
      writer->Put<int16_t>(0);
      writer->Put(static_cast<int32_t>(partition));
      writer->Put(static_cast<int32_t>((topic + partition) % brokers_.ports.size() + 1));
      writer->PutArrayCount(0);
      writer->PutArrayCount(0);
    }
  }

  static void PutProducerId(Writer* writer) {
    static std::atomic<int64_t> next = 1;
    writer->Put<int32_t>(0);
    writer->Put<int16_t>(0);
    writer->Put<int64_t>(next++);
    writer->Put<int16_t>(0);
  }

  static void PutAcknowledgement(Reader* reader, Writer* writer) {
    (void)reader->ReadNullableString();
    reader->Read<int16_t>();
    reader->Read<int32_t>();
    const size_t topics = reader->ReadArrayCount(kSmallestTopic);
    writer->PutArrayCount(topics);
    for (size_t topic = 0; topic < topics; ++topic) {
      writer->PutString(reader->ReadString());
      const size_t partitions = reader->ReadArrayCount(kSmallestPartition);
      writer->PutArrayCount(partitions);
      for (size_t i = 0; i < partitions; ++i) {
        writer->Put(reader->Read<int32_t>());
        (void)reader->ReadRaw(static_cast<size_t>(reader->Read<int32_t>()));
        writer->Put<int16_t>(0);
        writer->Put<int64_t>(0);
        writer->Put<int64_t>(-1);
        writer->Put<int64_t>(0);
        writer->PutArrayCount(0);
        writer->PutNullableString(std::nullopt);
      }
    }
    writer->Put<int32_t>(0);
  }

  int fd_;
  const Brokers& brokers_;
  Bytes request_;
  Bytes response_;
};

// A socket that listens; -1 and errno.
int Listen(uint16_t* port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  const bool listens = ::bind(listener, plain, size) == 0 && ::listen(listener, 16) == 0 &&
                       ::getsockname(listener, plain, &size) == 0;
  *port = ntohs(address.sin_port);
  return listens ? listener : -1;
}

void Accept(int listener, const Brokers& brokers) {
  const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0) return;
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  std::thread([fd, &brokers] { Connection(fd, brokers).Serve(); }).detach();
}

int Run(const Options& options) {
  Brokers brokers{options, std::vector<uint16_t>(options.brokers)};
  std::vector<pollfd> listeners;
  for (uint16_t& port : brokers.ports) {
    listeners.push_back({Listen(&port), POLLIN, 0});
    if (listeners.back().fd < 0) {
      std::perror("acknowledging_broker");
      return 1;
    }
  }
  std::printf("%u\n", brokers.ports.front());
  std::fflush(stdout);
  for (;;) {
    ::poll(listeners.data(), listeners.size(), -1);
    for (const pollfd& listener : listeners) {
      if (listener.revents != 0) Accept(listener.fd, brokers);
    }
  }
}

}  // namespace
}  // namespace dory::bench

int main(int argc, char** argv) {
  dory::bench::Options options;
  CLI::App app("Acknowledges every batch and keeps none.");
  app.add_option("--brokers", options.brokers, "how many it is")->check(CLI::Range(1, 1000));
  app.add_option("--partitions", options.partitions, "of a topic; several: of topics by their numbers, in turn")
      ->delimiter(',')
      ->check(CLI::Range(1, 1000));
  CLI11_PARSE(app, argc, argv);
  return dory::bench::Run(options);
}
