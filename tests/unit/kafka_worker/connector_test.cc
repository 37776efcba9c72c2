// A name with several addresses: each is tried, and the one that worked is the first of the next attempt.

#include "kafka_worker/connector.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <vector>

#include "common/clock.h"

namespace dory::kafka {
namespace {

// One of a name's addresses; without `listens` it refuses.
class Place {
 public:
  explicit Place(bool listens) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address_);
    auto* const plain = reinterpret_cast<sockaddr*>(&address_);
    if (::bind(fd_.get(), plain, size) != 0) std::abort();
    ::getsockname(fd_.get(), plain, &size);
    if (listens && ::listen(fd_.get(), 8) != 0) std::abort();
  }

  SocketAddress address() const {
    SocketAddress address{};
    std::memcpy(&address.bytes, &address_, sizeof(address_));
    address.size = sizeof(address_);
    return address;
  }
  int CountConnections() {
    int count = 0;
    while (FileDescriptor(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)).valid()) ++count;
    return count;
  }
  void StopListening() { ::shutdown(fd_.get(), SHUT_RDWR); }

 private:
  FileDescriptor fd_;
  sockaddr_in address_{};
};

class ConnectorTest : public ::testing::Test {
 protected:
  // Of an attempt: whether it ended with a connection.
  bool Connect() {
    ended_ = false;
    transport_.reset();
    connector_.Start();
    for (const int64_t end = MonotonicMs() + 10'000; !ended_ && MonotonicMs() < end;) {
      Timer tick(loop_, [] {});
      tick.StartOnce(2);
      loop_.RunOnce(true);
    }
    EXPECT_TRUE(ended_);
    return transport_ != nullptr;
  }

  EventLoop loop_;
  Place refusing_{false};
  Place first_{true};
  Place second_{true};
  SocketAddresses addresses_ = {refusing_.address(), refusing_.address(), first_.address(), second_.address()};
  bool ended_ = false;
  Status why_ = Status::Ok();
  std::unique_ptr<Transport> transport_;
  Connector connector_{loop_, {"some.name", 9092}, nullptr,
                       [this](Result<std::unique_ptr<Transport>> end) {
                         ended_ = true;
                         why_ = end.status();
                         if (end.ok()) transport_ = end.Take();
                       },
                       [this](const HostPort&) { return Result<SocketAddresses>(addresses_); }};
};

TEST_F(ConnectorTest, EveryAddressOfANameIsTried) {
  EXPECT_TRUE(Connect());
  EXPECT_EQ(first_.CountConnections(), 1);
  EXPECT_EQ(second_.CountConnections(), 0);
}

TEST_F(ConnectorTest, TheOneThatWorkedIsTriedFirst) {
  EXPECT_TRUE(Connect());
  EXPECT_TRUE(Connect());
  EXPECT_EQ(first_.CountConnections(), 2);
  first_.StopListening();
  EXPECT_TRUE(Connect());
  EXPECT_TRUE(Connect());
  EXPECT_EQ(second_.CountConnections(), 2);
}

TEST_F(ConnectorTest, WhatTheLastOneSaidIsWhyThereIsNone) {
  first_.StopListening();
  second_.StopListening();
  EXPECT_FALSE(Connect());
  EXPECT_NE(why_.message().find("refused"), std::string::npos) << why_.message();
  EXPECT_FALSE(connector_.reached_broker());
}

}  // namespace
}  // namespace dory::kafka
