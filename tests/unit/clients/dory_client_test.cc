// The client library against layouts written by hand, and against sockets of the test's own.

#include "clients/c/dory_client.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/clients/dory_send.h"

namespace dory::client {
namespace {

using std::string_literals::operator""s;

dory_message MakeMessage(const std::string& topic, const std::string& key,
                         const std::string& value) {
  return {topic.data(), topic.size(), 0x0102030405060708, key.data(),
          key.size(),   value.data(), value.size()};
}

std::string WriteAny(const dory_message& message) {
  std::string buffer(1000, '#');
  size_t size = 0;
  EXPECT_EQ(DORY_OK, dory_write_any_partition(buffer.data(), buffer.size(), &message, &size));
  EXPECT_EQ('#', buffer[size]) << "wrote past the message";
  buffer.resize(size);
  return buffer;
}

TEST(DoryCompose, AnyPartition) {
  const std::string topic = "log", key = "k", value = "hi";
  EXPECT_EQ("\x00\x00\x00\x22"                  // size: 28 + 3 + 1 + 2
            "\x01\x00"                          // AnyPartition
            "\x00\x00"                          // version
            "\x00\x00"                          // flags
            "\x00\x03"s + "log" +               // topic
            "\x01\x02\x03\x04\x05\x06\x07\x08"  // timestamp
            "\x00\x00\x00\x01"s + "k" +         // key
            "\x00\x00\x00\x02"s + "hi",         // value
            WriteAny(MakeMessage(topic, key, value)));
}

TEST(DoryCompose, PartitionKey) {
  const std::string topic = "log", key = "k", value = "hi";
  const dory_message message = MakeMessage(topic, key, value);
  std::string buffer(38, '#');
  size_t size = 0;
  ASSERT_EQ(DORY_OK, dory_write_partition_key(buffer.data(), 38, -2, &message, &size));
  EXPECT_EQ(38u, size);
  EXPECT_EQ("\x00\x00\x00\x26"                  // size: 32 + 3 + 1 + 2
            "\x01\x01"                          // PartitionKey
            "\x00\x00"                          // version
            "\x00\x00"                          // flags
            "\xff\xff\xff\xfe"                  // partition key
            "\x00\x03"s + "log" +               // topic
            "\x01\x02\x03\x04\x05\x06\x07\x08"  // timestamp
            "\x00\x00\x00\x01"s + "k" +         // key
            "\x00\x00\x00\x02"s + "hi",         // value
            buffer);
}

TEST(DoryCompose, NullKeyNullValueNegativeTimestamp) {
  dory_message message = {};
  message.topic = "t";
  message.topic_size = 1;
  message.timestamp_ms = -1;
  EXPECT_EQ("\x00\x00\x00\x1d\x01\x00\x00\x00\x00\x00\x00\x01t"
            "\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00"s,
            WriteAny(message));
}

TEST(DoryCompose, TopicSizes) {
  std::string topic(32768, 't');
  dory_message message = MakeMessage(topic, "", "");
  size_t size = 1;
  EXPECT_EQ(DORY_BAD_TOPIC, dory_message_size(DORY_ANY_PARTITION, &message, &size));
  EXPECT_EQ(0u, size);
  message.topic_size = 32767;
  EXPECT_EQ(DORY_OK, dory_message_size(DORY_ANY_PARTITION, &message, &size));
  EXPECT_EQ(28u + 32767, size);
  message.topic_size = 0;
  EXPECT_EQ(DORY_BAD_TOPIC, dory_message_size(DORY_ANY_PARTITION, &message, &size));
}

TEST(DoryCompose, LargestSizes) {
  const size_t largest = 0x7fffffff;
  dory_message message = MakeMessage("t", "", "");
  size_t size = 0;
  message.value_size = largest - 33;
  EXPECT_EQ(DORY_OK, dory_message_size(DORY_PARTITION_KEY, &message, &size));
  EXPECT_EQ(largest, size);
  message.key_size = 1;
  EXPECT_EQ(DORY_TOO_LARGE, dory_message_size(DORY_PARTITION_KEY, &message, &size));
  message.key_size = SIZE_MAX;
  EXPECT_EQ(DORY_TOO_LARGE, dory_message_size(DORY_ANY_PARTITION, &message, &size));
  message.key_size = 0;
  message.value_size = SIZE_MAX;
  EXPECT_EQ(DORY_TOO_LARGE, dory_message_size(DORY_ANY_PARTITION, &message, &size));
}

TEST(DoryCompose, SmallBufferStaysUntouched) {
  const dory_message message = MakeMessage("t", "", "v");
  std::string buffer(29, '#');
  size_t size = 0;
  EXPECT_EQ(DORY_BUFFER_TOO_SMALL, dory_write_any_partition(buffer.data(), 29, &message, &size));
  EXPECT_EQ(30u, size);
  EXPECT_EQ(std::string(29, '#'), buffer);
}

TEST(DoryCompose, EveryCodeHasItsText) {
  for (int code = DORY_OK; code <= DORY_BAD_RECEIPT; ++code) {
    EXPECT_STRNE("unknown code", dory_code_text(static_cast<dory_code>(code)));
  }
  EXPECT_STREQ("unknown code", dory_code_text(static_cast<dory_code>(DORY_BAD_RECEIPT + 1)));
}

// Version 1 beside what tests/golden/messages says of it: what does not fit, and what is left alone.

TEST(DoryComposeV1, NoExtrasAreNone) {
  dory_message message = MakeMessage("t", "", "");
  message.key = nullptr;
  message.key_size = 7;  // of nothing
  const dory_extras none = {};
  std::string buffer(100, '#');
  size_t size = 0;
  ASSERT_EQ(DORY_OK, dory_write_any_partition_v1(buffer.data(), 100, &message, nullptr, &size));
  EXPECT_EQ(
      "\x00\x00\x00\x1f\x01\x00\x00\x01\x00\x00\x00\x01t\x01\x02\x03\x04\x05\x06\x07\x08"
      "\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00#"s,
      buffer.substr(0, size + 1));
  size_t other_size = 0;
  EXPECT_EQ(DORY_OK, dory_message_size_v1(DORY_ANY_PARTITION, &message, &none, &other_size));
  EXPECT_EQ(size, other_size);
}

TEST(DoryComposeV1, HeadersThatDoNotFitTheirSizes) {
  const std::string name(32768, 'n');
  const dory_message message = MakeMessage("t", "", "");
  dory_header header = {name.data(), 32767, nullptr, SIZE_MAX};
  dory_extras extras = {};
  extras.headers = &header;
  extras.header_count = 1;
  size_t size = 0;
  EXPECT_EQ(DORY_OK, dory_message_size_v1(DORY_PARTITION_KEY, &message, &extras, &size));
  EXPECT_EQ(33u + 2 + 6 + 32767, size);
  header.name_size = 32768;
  EXPECT_EQ(DORY_BAD_HEADER, dory_message_size_v1(DORY_PARTITION_KEY, &message, &extras, &size));
  EXPECT_EQ(0u, size);
  header = {"n", 1, "", SIZE_MAX};
  EXPECT_EQ(DORY_TOO_LARGE, dory_message_size_v1(DORY_ANY_PARTITION, &message, &extras, &size));
  const std::vector<dory_header> many(32768, dory_header{"", 0, nullptr, 0});
  extras.headers = many.data();
  extras.header_count = 32768;
  EXPECT_EQ(DORY_BAD_HEADER, dory_message_size_v1(DORY_ANY_PARTITION, &message, &extras, &size));
  extras.header_count = 32767;
  EXPECT_EQ(DORY_OK, dory_message_size_v1(DORY_ANY_PARTITION, &message, &extras, &size));
  EXPECT_EQ(29u + 2 + 6 * 32767, size);
}

TEST(DoryComposeV1, LargestSizes) {
  dory_message message = MakeMessage("t", "", "");
  dory_extras extras = {};
  extras.asks_receipt = 1;
  size_t size = 0;
  message.value_size = 0x7fffffff - 29 - 10;
  EXPECT_EQ(DORY_OK, dory_message_size_v1(DORY_ANY_PARTITION, &message, &extras, &size));
  EXPECT_EQ(0x7fffffffu, size);
  ++message.value_size;
  EXPECT_EQ(DORY_TOO_LARGE, dory_message_size_v1(DORY_ANY_PARTITION, &message, &extras, &size));
}

TEST(DoryComposeV1, SmallBufferStaysUntouched) {
  const dory_message message = MakeMessage("t", "", "v");
  dory_extras extras = {};
  extras.asks_receipt = 1;
  std::string buffer(43, '#');
  size_t size = 0;
  EXPECT_EQ(DORY_BUFFER_TOO_SMALL,
            dory_write_partition_key_v1(buffer.data(), 43, 1, &message, &extras, &size));
  EXPECT_EQ(44u, size);
  EXPECT_EQ(std::string(43, '#'), buffer);
}

TEST_F(DorySend, DatagramArrives) {
  StartServer(SOCK_DGRAM);
  ASSERT_EQ(DORY_OK, dory_client_open_datagram(path_.c_str(), &client_));
  EXPECT_EQ(DORY_OK, Send("one", 0));
  EXPECT_EQ("one", Receive(server_));
  EXPECT_EQ("-", Receive(server_));
}

TEST_F(DorySend, WouldBlockUntilRead) {
  StartServer(SOCK_DGRAM);
  ASSERT_EQ(DORY_OK, dory_client_open_datagram(path_.c_str(), &client_));
  int sent = 0;
  dory_code code = DORY_OK;
  while ((code = Send("m")) == DORY_OK) ++sent;
  EXPECT_EQ(DORY_WOULD_BLOCK, code);
  pollfd writable = {dory_client_fd(client_), POLLOUT, 0};
  EXPECT_EQ(0, poll(&writable, 1, 0));
  while (Receive(server_) == "m") --sent;
  EXPECT_EQ(0, sent) << "a refused message was in the socket, or an accepted one was not";
  EXPECT_EQ(1, poll(&writable, 1, 0));
  EXPECT_EQ(DORY_OK, Send("m"));
}

TEST_F(DorySend, SurvivesRestartOfTheServer) {
  StartServer(SOCK_DGRAM);
  ASSERT_EQ(DORY_OK, dory_client_open_datagram(path_.c_str(), &client_));
  StopServer();
  EXPECT_EQ(DORY_NOT_RUNNING, Send("lost"));
  EXPECT_EQ(DORY_NOT_RUNNING, Send("lost"));
  StartServer(SOCK_DGRAM);
  EXPECT_EQ(DORY_OK, Send("one"));
  EXPECT_EQ("one", Receive(server_));
  StopServer();
  StartServer(SOCK_DGRAM);
  EXPECT_EQ(DORY_OK, Send("two")) << "connects again within the call";
  EXPECT_EQ("two", Receive(server_));
  EXPECT_EQ("-", Receive(server_));
}

TEST_F(DorySend, OpensBeforeTheServerRuns) {
  ASSERT_EQ(DORY_NOT_RUNNING, dory_client_open_datagram(path_.c_str(), &client_));
  ASSERT_NE(nullptr, client_);
  EXPECT_EQ(DORY_NOT_RUNNING, Send("lost"));
  StartServer(SOCK_DGRAM);
  EXPECT_EQ(DORY_OK, Send("one"));
  EXPECT_EQ("one", Receive(server_));
}

TEST_F(DorySend, RaisesTheSendBufferOnDemand) {
  StartServer(SOCK_DGRAM);
  ASSERT_EQ(DORY_OK, dory_client_open_datagram(path_.c_str(), &client_));
  const int small = 8192;
  ASSERT_EQ(0, setsockopt(dory_client_fd(client_), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)));
  const std::string large(100'000, 'x');
  EXPECT_EQ(DORY_OK, Send(large));
  EXPECT_EQ(large, Receive(server_));
  const size_t huge_size = size_t{512} << 20;  // from calloc: no page of it is ever touched
  const std::unique_ptr<void, decltype(&std::free)> huge(std::calloc(1, huge_size), &std::free);
  EXPECT_EQ(DORY_TOO_LARGE, dory_client_send(client_, huge.get(), huge_size, 0));
  EXPECT_EQ(DORY_OK, Send("still")) << "a message that is too large costs only itself";
  EXPECT_EQ("still", Receive(server_));
}

TEST_F(DorySend, RefusesBadAddresses) {
  EXPECT_EQ(DORY_BAD_ADDRESS, dory_client_open_datagram("", &client_));
  EXPECT_EQ(DORY_BAD_ADDRESS, dory_client_open_stream(std::string(108, 'p').c_str(), &client_));
  EXPECT_EQ(DORY_BAD_ADDRESS, dory_client_open_tcp(0, &client_));
  EXPECT_EQ(nullptr, client_);
  StartServer(SOCK_STREAM);
  EXPECT_EQ(DORY_SYSTEM_ERROR, dory_client_open_datagram(path_.c_str(), &client_));
  EXPECT_EQ(EPROTOTYPE, errno);
  EXPECT_EQ(nullptr, client_);
}

TEST_F(DorySend, StreamCarriesMessagesBackToBackAndReconnects) {
  StartServer(SOCK_STREAM);
  ASSERT_EQ(DORY_OK, dory_client_open_stream(path_.c_str(), &client_));
  int connection = accept(server_, nullptr, nullptr);
  EXPECT_EQ(DORY_OK, Send("one"));
  EXPECT_EQ(DORY_OK, Send("two"));
  EXPECT_EQ("onetwo", Receive(connection));
  close(connection);
  EXPECT_EQ(DORY_OK, Send("three")) << "connects again within the call";
  connection = accept(server_, nullptr, nullptr);
  EXPECT_EQ("three", Receive(connection));
  close(connection);
  StopServer();
  EXPECT_EQ(DORY_NOT_RUNNING, Send("lost"));
}

TEST_F(DorySend, TcpDoesNotHoldBackSmallMessages) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(0, bind(listener, reinterpret_cast<sockaddr*>(&address), size));
  ASSERT_EQ(0, listen(listener, 1));
  ASSERT_EQ(0, getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size));
  ASSERT_EQ(DORY_OK, dory_client_open_tcp(ntohs(address.sin_port), &client_));
  int on = 0;
  socklen_t on_size = sizeof(on);
  ASSERT_EQ(0, getsockopt(dory_client_fd(client_), IPPROTO_TCP, TCP_NODELAY, &on, &on_size));
  EXPECT_NE(0, on);
  const int connection = accept(listener, nullptr, nullptr);
  EXPECT_EQ(DORY_OK, Send("one"));
  EXPECT_EQ("one", Receive(connection));
  close(connection);
  close(listener);
}

}  // namespace
}  // namespace dory::client
