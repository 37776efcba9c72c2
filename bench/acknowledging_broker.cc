// acknowledging_broker: the least that a Kafka broker can do, so that a figure is Dory's alone. It takes
// every batch, checks nothing, keeps nothing and acknowledges at once. Every topic exists.
//
// A thread a connection; it listens on 127.0.0.1, prints its port on a line, and runs until it is ended.
// Source: the Kafka protocol guide; ApiVersions 3, Metadata 2, InitProducerId 1, Produce 8.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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
  int32_t partitions = 12;
};

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
  Connection(int fd, uint16_t port, const Options& options) : fd_(fd), port_(port), options_(options) {}
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
    writer->PutArrayCount(1);
    writer->Put<int32_t>(1);
    writer->PutString("127.0.0.1");
    writer->Put<int32_t>(port_);
    writer->PutNullableString(std::nullopt);
    writer->PutNullableString("acknowledging-broker");
    writer->Put<int32_t>(1);
    const size_t count = reader->ReadArrayCount(2);
    writer->PutArrayCount(count);
    for (size_t i = 0; i < count; ++i) {
      writer->Put<int16_t>(0);
      writer->PutString(reader->ReadString());
      writer->PutBool(false);
      writer->PutArrayCount(static_cast<size_t>(options_.partitions));
      for (int32_t partition = 0; partition < options_.partitions; ++partition) {
        writer->Put<int16_t>(0);
        writer->Put(partition);
        writer->Put<int32_t>(1);
        writer->PutArrayCount(0);
        writer->PutArrayCount(0);
      }
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
  uint16_t port_;
  const Options& options_;
  Bytes request_;
  Bytes response_;
};

int Run(const Options& options) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  const bool listens = ::bind(listener, plain, size) == 0 && ::listen(listener, 16) == 0 &&
                       ::getsockname(listener, plain, &size) == 0;
  if (!listens) {
    std::perror("acknowledging_broker");
    return 1;
  }
  const uint16_t port = ntohs(address.sin_port);
  std::printf("%u\n", port);
  std::fflush(stdout);
  for (;;) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    std::thread([fd, port, &options] { Connection(fd, port, options).Serve(); }).detach();
  }
}

}  // namespace
}  // namespace dory::bench

int main(int argc, char** argv) {
  dory::bench::Options options;
  CLI::App app("Acknowledges every batch and keeps none.");
  app.add_option("--partitions", options.partitions, "of every topic")->check(CLI::Range(1, 1000));
  CLI11_PARSE(app, argc, argv);
  return dory::bench::Run(options);
}
