// Receipts: their bytes, in pieces of any size, and the ends of connections that they come on.

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string>

#include "clients/c/dory_client.h"
#include "shm/books.h"
#include "shm/receipts.h"
#include "tests/unit/clients/dory_send.h"

namespace dory::client {
namespace {

using std::string_literals::operator""s;

std::string MakeReceipt(char id) {
  return "\x00\x00\x00\x1a\x00\x00\x00\x00\x00\x00\x00"s + id +
         "\x00\x69\x00\x00\x00\x0b\xff\xff\xff\xff\xff\xff\xff\xff"s;
}

TEST(DoryReceipt, IsReadOnceItIsWhole) {
  const std::string bytes = MakeReceipt(5) + MakeReceipt(6);
  for (size_t size = 0; size < DORY_RECEIPT_SIZE; ++size) {
    dory_receipt receipt = {-7, -7, -7, -7};
    EXPECT_EQ(DORY_INCOMPLETE, dory_read_receipt(bytes.data(), size, &receipt)) << size;
    EXPECT_EQ(-7, receipt.id);
  }
  for (size_t size = DORY_RECEIPT_SIZE; size <= bytes.size(); ++size) {
    dory_receipt receipt = {};
    ASSERT_EQ(DORY_OK, dory_read_receipt(bytes.data(), size, &receipt));
    EXPECT_EQ(5, receipt.id);
    EXPECT_EQ(DORY_DISCARDED_DEADLINE, receipt.code);
    EXPECT_EQ(11, receipt.partition);
    EXPECT_EQ(-1, receipt.offset);
  }
}

TEST(DoryReceipt, AnotherSizeIsNoReceipt) {
  for (const char last : {'\x00', '\x19', '\x1b', '\x9a'}) {
    std::string bytes = MakeReceipt(5);
    bytes[3] = last;
    dory_receipt receipt = {};
    EXPECT_EQ(DORY_BAD_RECEIPT, dory_read_receipt(bytes.data(), 4, &receipt));
    EXPECT_EQ(DORY_INCOMPLETE, dory_read_receipt(bytes.data(), 3, &receipt));
  }
}

// The library knows nothing of the daemon's code, so here is where both are held together.

static_assert(DORY_RECEIPT_SIZE == shm::kAnswerSize);
static_assert(DORY_DELIVERED == shm::kDeliveredCode);
static_assert(DORY_REJECTED_BAD_TOPIC == shm::CodeOf(shm::Reject::kBadTopic));
static_assert(DORY_REJECTED_TOO_MANY_TOPICS == shm::CodeOf(shm::Reject::kTooManyTopics));
static_assert(DORY_REJECTED_NO_ROOM == shm::CodeOf(shm::Reject::kNoRoom));
static_assert(DORY_REJECTED_RATE_LIMIT == shm::CodeOf(shm::Reject::kRateLimit));
static_assert(DORY_REJECTED_NOT_ALLOWED == shm::CodeOf(shm::Reject::kNotAllowed));
static_assert(DORY_DISCARDED_CORRUPT == shm::CodeOf(shm::Discard::kCorrupt));
static_assert(DORY_DISCARDED_UNKNOWN_TOPIC == shm::CodeOf(shm::Discard::kUnknownTopic));
static_assert(DORY_DISCARDED_TOO_LARGE == shm::CodeOf(shm::Discard::kTooLarge));
static_assert(DORY_DISCARDED_REFUSED == shm::CodeOf(shm::Discard::kRefused));
static_assert(DORY_DISCARDED_NOT_AUTHORIZED == shm::CodeOf(shm::Discard::kNotAuthorized));
static_assert(DORY_DISCARDED_DEADLINE == shm::CodeOf(shm::Discard::kDeadline));
static_assert(DORY_DISCARDED_PARTITION_FULL == shm::CodeOf(shm::Discard::kPartitionFull));
static_assert(DORY_DISCARDED_AMBIGUOUS == shm::CodeOf(shm::Discard::kAmbiguous));
static_assert(DORY_DISCARDED_OTHER == shm::CodeOf(shm::Discard::kOther));

// Rejects of messages whose id is not read, or that were never whole, are answered to nobody.
bool IsAnswered(shm::Reject reason) {
  return reason >= shm::Reject::kBadTopic && reason <= shm::Reject::kNotAllowed;
}

TEST(DoryReceipt, CodesHaveTheNamesOfReports) {
  EXPECT_STREQ("delivered", dory_receipt_code_name(DORY_DELIVERED));
  for (size_t i = 0; i < shm::kRejectReasons; ++i) {
    const auto reason = static_cast<shm::Reject>(i);
    EXPECT_STREQ(IsAnswered(reason) ? shm::NameOf(reason) : "unknown",
                 dory_receipt_code_name(shm::CodeOf(reason)));
  }
  for (size_t i = 0; i < shm::kDiscardReasons; ++i) {
    const auto reason = static_cast<shm::Discard>(i);
    EXPECT_STREQ(shm::NameOf(reason), dory_receipt_code_name(shm::CodeOf(reason)));
  }
  EXPECT_STREQ("unknown", dory_receipt_code_name(-1));
  EXPECT_STREQ("unknown", dory_receipt_code_name(shm::CodeOf(shm::Discard::kOther) + 1));
}

class DoryReceive : public DorySend {
 protected:
  void SetUp() override {
    DorySend::SetUp();
    StartServer(SOCK_STREAM);
    ASSERT_EQ(DORY_OK, dory_client_open_stream(path_.c_str(), &client_));
    Accept();
  }

  void TearDown() override {
    Close();
    DorySend::TearDown();
  }

  void Accept() { connection_ = accept(server_, nullptr, nullptr); }

  void Close() {
    if (connection_ >= 0) close(connection_);
    connection_ = -1;
  }

  void Answer(const std::string& bytes) {
    ASSERT_EQ(static_cast<ssize_t>(bytes.size()),
              send(connection_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
  }

  dory_code ReceiveId(int64_t* id) {
    dory_receipt receipt = {};
    const dory_code code = dory_client_receive(client_, &receipt);
    *id = receipt.id;
    return code;
  }

  void ExpectReceipt(int64_t wanted) {
    int64_t id = -1;
    EXPECT_EQ(DORY_OK, ReceiveId(&id));
    EXPECT_EQ(wanted, id);
  }

  void ExpectNoReceipt(dory_code code) {
    int64_t id = -1;
    EXPECT_EQ(code, ReceiveId(&id));
  }

  dory_code SendPart(const std::string& message, size_t* written) {
    return dory_client_send_part(client_, message.data(), message.size(), written);
  }

  dory_code SendPart(const std::string& message) {
    size_t written = 0;
    return SendPart(message, &written);
  }

  int connection_ = -1;
};

TEST_F(DoryReceive, InPiecesOfAnySize) {
  for (size_t piece = 1; piece <= 3 * DORY_RECEIPT_SIZE; ++piece) {
    const std::string bytes = MakeReceipt(1) + MakeReceipt(2) + MakeReceipt(3);
    int64_t next = 1;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      Answer(bytes.substr(at, piece));
      const size_t whole = std::min(at + piece, bytes.size()) / DORY_RECEIPT_SIZE;
      while (next <= static_cast<int64_t>(whole)) ExpectReceipt(next++);
      ExpectNoReceipt(DORY_WOULD_BLOCK);
    }
    EXPECT_EQ(4, next) << piece;
  }
}

TEST_F(DoryReceive, MoreThanTheClientReadsAtOnce) {
  std::string bytes;
  for (char id = 0; id < 100; ++id) bytes += MakeReceipt(id);
  Answer(bytes.substr(0, bytes.size() - 1));
  for (int64_t id = 0; id < 99; ++id) ExpectReceipt(id);
  ExpectNoReceipt(DORY_WOULD_BLOCK);
  Answer(bytes.substr(bytes.size() - 1));
  ExpectReceipt(99);
}

TEST_F(DoryReceive, WhatHadComeBeforeTheEndIsRead) {
  Answer(MakeReceipt(1) + MakeReceipt(2) + MakeReceipt(3).substr(0, 25));
  ExpectReceipt(1);
  Close();
  EXPECT_EQ(DORY_NOT_RUNNING, SendPart("lost"));
  ExpectReceipt(2);
  ExpectNoReceipt(DORY_NOT_RUNNING);
  ExpectNoReceipt(DORY_NOT_RUNNING);
  EXPECT_EQ(DORY_OK, SendPart("anew"));
  Accept();
  EXPECT_EQ("anew", Receive(connection_));
  Answer(MakeReceipt(4));
  ExpectReceipt(4);
}

TEST_F(DoryReceive, WhatIsNoReceiptEndsTheConnection) {
  Answer(MakeReceipt(1) + "HTTP/1.1 400 Bad Request\r\n");
  ExpectReceipt(1);
  ExpectNoReceipt(DORY_BAD_RECEIPT);
  ExpectNoReceipt(DORY_NOT_RUNNING);
  EXPECT_EQ("", Receive(connection_)) << "it is closed";
}

TEST_F(DoryReceive, AMessageGoesOutInPartsWhileReceiptsAreRead) {
  const std::string message(3'000'000, 'm');
  size_t written = 0;
  std::string received;
  int64_t receipts = 0;
  dory_code code = DORY_WOULD_BLOCK;
  while ((code = SendPart(message, &written)) == DORY_WOULD_BLOCK) {
    ASSERT_LT(written, message.size());
    pollfd writable = {dory_client_fd(client_), POLLOUT, 0};
    EXPECT_EQ(0, poll(&writable, 1, 0));
    Answer(MakeReceipt(static_cast<char>(receipts)));
    ExpectReceipt(receipts++);
    received += Receive(connection_);
  }
  EXPECT_EQ(DORY_OK, code);
  EXPECT_EQ(message.size(), written);
  EXPECT_LT(0, receipts) << "the socket took all of it at once";
  while (received.size() < message.size()) received += Receive(connection_);
  EXPECT_EQ(message, received);
}

TEST_F(DoryReceive, NothingFollowsAMessageThatWasCut) {
  const std::string message(3'000'000, 'm');
  size_t written = 0;
  ASSERT_EQ(DORY_WOULD_BLOCK, SendPart(message, &written));
  Close();
  EXPECT_EQ(DORY_NOT_RUNNING, SendPart(message, &written));
  ExpectNoReceipt(DORY_NOT_RUNNING);
  EXPECT_EQ(DORY_NOT_RUNNING, SendPart(message, &written)) << "the rest alone is no message";
  written = 0;
  EXPECT_EQ(DORY_WOULD_BLOCK, SendPart(message, &written));
}

TEST_F(DoryReceive, DatagramsHaveNone) {
  dory_client_close(client_);
  StopServer();
  StartServer(SOCK_DGRAM);
  ASSERT_EQ(DORY_OK, dory_client_open_datagram(path_.c_str(), &client_));
  ExpectNoReceipt(DORY_SYSTEM_ERROR);
  EXPECT_EQ(EOPNOTSUPP, errno);
  EXPECT_EQ(DORY_SYSTEM_ERROR, SendPart("m"));
  EXPECT_EQ(EOPNOTSUPP, errno);
}

}  // namespace
}  // namespace dory::client
