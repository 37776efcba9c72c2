#include "intake_worker/client_limits.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "intake_worker/final_drain.h"
#include "tests/unit/intake_worker/lane_fixture.h"

namespace dory::intake {
namespace {

using shm::Reject;
using Values = std::vector<std::string>;

constexpr int64_t kMs = 1'000'000;
constexpr uint32_t kWeb = 33;
constexpr uint32_t kBatch = 77;
constexpr uint32_t kOther = 1000;

Config Parse(const std::string& clients) {
  return ParseConfigText("[kafka]\nbrokers = 127.0.0.1:9092\n" + clients, "test").Take();
}

class ClientLimitsTest : public ::testing::Test {
 protected:
  bool Take(uint32_t uid, int64_t at_ms) {
    const bool within = limits_.IsWithinRate(uid, at_ms * kMs);
    if (within) limits_.NoteWritten(uid);
    return within;
  }

  ClientLimits limits_;
};

TEST_F(ClientLimitsTest, ThereAreNoneByDefault) {
  limits_.Configure(Parse(""));
  EXPECT_FALSE(limits_.AreAny());
}

TEST_F(ClientLimitsTest, TopicsAreThoseOfTheUsersSection) {
  limits_.Configure(Parse("[client:web]\nuid = 33, 34\nallow = web-*\n[client:batch]\nuid = 77\ndeny = web-log\n"));
  ASSERT_TRUE(limits_.AreAny());
  for (int again = 0; again < 2; ++again) {
    EXPECT_TRUE(limits_.Allow(kWeb, 0, "web-log"));
    EXPECT_FALSE(limits_.Allow(kWeb, 1, "orders"));
    EXPECT_FALSE(limits_.Allow(34, 1, "orders"));
    EXPECT_FALSE(limits_.Allow(kBatch, 0, "web-log"));
    EXPECT_TRUE(limits_.Allow(kBatch, 1, "orders"));
    for (const uint32_t nobodys : {kOther, kNoUid}) EXPECT_TRUE(limits_.Allow(nobodys, 0, "web-log"));
  }
}

TEST_F(ClientLimitsTest, TheSectionForAllOthersIsForThoseWhoAreNotKnown) {
  limits_.Configure(Parse("[client:*]\ndeny = *\n[client:web]\nuid = 33\nallow = a\n"));
  EXPECT_TRUE(limits_.Allow(kWeb, 0, "a"));
  for (const uint32_t others : {kOther, kNoUid}) EXPECT_FALSE(limits_.Allow(others, 0, "a"));
}

TEST_F(ClientLimitsTest, EachUserHasWindowsOfItsOwn) {
  limits_.Configure(Parse("[client:*]\nrate_limit = 2/10ms\n[client:web]\nuid = 33\nrate_limit = 3/10ms\n"));
  for (const uint32_t uid : {kOther, kOther + 1, kNoUid}) {
    EXPECT_TRUE(Take(uid, 7) && Take(uid, 16));
    EXPECT_FALSE(Take(uid, 16));
    EXPECT_TRUE(Take(uid, 17));
  }
  EXPECT_TRUE(Take(kWeb, 17) && Take(kWeb, 17) && Take(kWeb, 17));
  EXPECT_FALSE(Take(kWeb, 17));
}

TEST_F(ClientLimitsTest, WithoutARateAllAreTaken) {
  limits_.Configure(Parse("[client:web]\nuid = 33\nallow = a\n"));
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(Take(kWeb, 1) && Take(kOther, 1) && Take(kNoUid, 1));
}

TEST_F(ClientLimitsTest, AReloadKeepsWindowsAndMovesUsers) {
  limits_.Configure(Parse("[client:*]\nrate_limit = 2/10ms\n"));
  EXPECT_TRUE(Take(kWeb, 1) && Take(kWeb, 1));
  limits_.Configure(Parse("[client:web]\nuid = 33\nrate_limit = 3/10ms\n"));
  EXPECT_TRUE(Take(kWeb, 2));
  EXPECT_FALSE(Take(kWeb, 2));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(Take(kOther, 2));
}

TEST_F(ClientLimitsTest, OneOfManyThousandUsersSharesAWindow) {
  limits_.Configure(Parse("[client:*]\nrate_limit = 1/1s\n"));
  const uint32_t many = 70'000;
  uint32_t taken = 0;
  for (uint32_t uid = 0; uid < many; ++uid) taken += Take(uid, 1);
  EXPECT_EQ(taken, 65'536u);
}

// This process is one client, and what nobody was asked about another.
class ClientsOfALane : public LaneFixture {
 protected:
  void SetUp() override {
    streams_geometry_ = {.connections = 4, .areas = 2, .large_areas = 1, .large_area_size = 128 * 1024};
    MakeSegment(16 * 1024, 512);
    config_ = Parse("[client:*]\ndeny = mine\n[client:me]\nuid = " + std::to_string(::geteuid()) + "\ndeny = others\n");
  }

  void AskSockets(bool ask = true) {
    for (const SocketPair& pair : sockets_) PassCredentials(pair.server.get(), ask);
  }

  void SendBoth(const std::string& name, size_t input = 0) {
    ASSERT_TRUE(Send({.topic = "mine", .value = "mine " + name}, input));
    ASSERT_TRUE(Send({.topic = "others", .value = "others " + name}, input));
  }

  Values PublishLeftovers() {
    Values all;
    for (Outcome outcome = Outcome::kMore; outcome != Outcome::kEmpty;) {
      outcome = lane_->PublishLeftovers();
      for (const std::string& value : Consume()) all.push_back(value);
    }
    return all;
  }

  uint64_t NotAllowed() const { return Books().RejectedFor(Reject::kNotAllowed); }
};

TEST_F(ClientsOfALane, ADatagramIsJudgedByWhoSentIt) {
  SendBoth("too early");
  AskSockets();
  StartLane();
  SendBoth("in time");
  Receive();
  EXPECT_EQ(Consume(), (Values{"others too early", "mine in time"}));
  EXPECT_EQ(NotAllowed(), 2u);
  SendBoth("again", 1);
  Receive(1);
  EXPECT_EQ(Consume(), Values{"mine again"});
}

TEST_F(ClientsOfALane, AStartKeepsWhoSentWhatLiesInSlots) {
  AskSockets();
  StartLane();
  SendBoth("in a slot");
  ASSERT_EQ(lane_->ReceiveForDrain(0, sockets_[0].server.get()), 2u);
  StartLane();
  EXPECT_EQ(PublishLeftovers(), Values{"mine in a slot"});
  SendBoth("behind it");
  Receive();
  EXPECT_EQ(Consume(), Values{"mine behind it"});
}

TEST_F(ClientsOfALane, AReloadFindsSlotsOfBefore) {
  const Config asking = config_;
  config_ = Parse("");
  StartLane();
  SendBoth("of nobody");
  ASSERT_EQ(lane_->ReceiveForDrain(0, sockets_[0].server.get()), 2u);
  AskSockets();
  lane_->Configure(asking);
  EXPECT_EQ(PublishLeftovers(), Values{"others of nobody"});
  SendBoth("of mine");
  ASSERT_EQ(lane_->ReceiveForDrain(0, sockets_[0].server.get()), 2u);
  lane_->Configure(config_);
  AskSockets(false);
  lane_->Configure(asking);  // the slots remember
  EXPECT_EQ(PublishLeftovers(), Values{"mine of mine"});
  lane_->Configure(config_);
  SendBoth("of all");
  Receive();
  EXPECT_EQ(Consume(), (Values{"mine of all", "others of all"}));
}

TEST_F(ClientsOfALane, TheOverflowFileKeepsWhoSent) {
  AskSockets();
  StartLane();
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Send({.topic = "fills", .value = std::string(500, 'v')}));
  SendBoth("in the file");
  const InputSocket inputs[] = {{0, sockets_[0].server.get()}, {1, sockets_[1].server.get()}};
  DrainFinally(*lane_, inputs, [] { return std::vector<StreamSocket>(); }, {.room_ms = 0});
  ASSERT_TRUE(std::filesystem::exists(settings_.overflow_path));
  Consume();
  StartLane();
  const Values rest = PublishLeftovers();
  EXPECT_EQ(rest.back(), "mine in the file");
  EXPECT_EQ(NotAllowed(), 1u);
}

TEST_F(ClientsOfALane, AConnectionKeepsItsUser) {
  StartLane();
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  const FileDescriptor client(fds[0]);
  const FileDescriptor server(fds[1]);
  EXPECT_EQ(FindPeerUid(server.get()), ::geteuid());
  ASSERT_TRUE(lane_->streams().Open(0, 1, {.limit = 1024, .uid = FindPeerUid(server.get())}));
  const std::string bytes = ClientMessage{.topic = "mine", .value = "a"}.Bytes() + ClientMessage{.topic = "others"}.Bytes();
  ASSERT_EQ(::send(client.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  lane_->streams().ReadOnly(0, server.get());
  StartLane();
  EXPECT_EQ(PublishLeftovers(), Values{"a"});
  EXPECT_EQ(NotAllowed(), 1u);
}

TEST_F(ClientsOfALane, WithinItsOwnRateATopicsIsNotUsedUpByWhatIsRejected) {
  AskSockets();
  config_ = Parse("[client:me]\nuid = " + std::to_string(::geteuid()) + "\nrate_limit = 2/24h\n[topic:a]\nrate_limit = 3/24h\n");
  StartLane();
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(Send({.topic = "a", .value = std::to_string(i)}));
  Receive();
  EXPECT_EQ(Consume(), (Values{"0", "1"}));
  EXPECT_EQ(Books().topics.at(0).rejected[static_cast<size_t>(Reject::kRateLimit)], 2u);
  lane_->Configure(Parse("[topic:a]\nrate_limit = 3/24h\n"));
  for (int i = 4; i < 6; ++i) ASSERT_TRUE(Send({.topic = "a", .value = std::to_string(i)}));
  Receive();
  EXPECT_EQ(Consume(), Values{"4"});
}

size_t CountDescriptors() {
  const std::filesystem::directory_iterator open("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(open), end(open)));
}

// One message that passes as many descriptors as would fit where who sent it stands.
void SendWithDescriptors(const FileDescriptor& client, const std::string& bytes) {
  iovec buffer = {const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &buffer;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  *header = {.cmsg_len = CMSG_LEN(4 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  const int fds[4] = {0, 1, 2, client.get()};
  std::memcpy(CMSG_DATA(header), fds, sizeof(fds));
  ASSERT_EQ(::sendmsg(client.get(), &message, MSG_DONTWAIT), static_cast<ssize_t>(bytes.size()));
}

TEST_F(ClientsOfALane, NobodyCanPassDescriptors) {
  const Config asking = config_;
  const Config not_asking = Parse("");
  const std::string bytes = ClientMessage{.topic = "mine", .value = "a"}.Bytes();
  for (const bool ask : {true, false, true}) {
    AskSockets(ask);
    config_ = ask ? asking : not_asking;
    StartLane();
    const size_t before = CountDescriptors();
    for (int i = 0; i < 4; ++i) SendWithDescriptors(sockets_[0].client, bytes);
    Receive();
    EXPECT_EQ(Consume().size(), 4u);
    EXPECT_EQ(CountDescriptors(), before);
  }
}

}  // namespace
}  // namespace dory::intake
