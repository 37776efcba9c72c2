// Acceptor and StreamLane together, with real sockets; the intake is played by a HandOverReceiver.

#include "supervisor/acceptor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "supervisor/tcp_listener.h"

namespace dory::supervisor {
namespace {

class AcceptorTest : public ::testing::Test {
 protected:
  // What an intake was handed over.
  struct Intake {
    std::unique_ptr<HandOverReceiver> receiver;
    std::vector<HandedConnection> taken;
    int completed = 0;
  };

  void SetUp() override {
    std::string name = "/tmp/dory-acceptor-test-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    path_ = folder_ + "/s";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Make(int32_t slots, size_t lanes = 1) {
    config_.stream_connections = slots;
    config_.inputs.resize(1);
    config_.inputs[0] = {"s", InputType::kUnixStream, path_, 0777, "", "", 1 << 20, 0, 0, {}, 30'000};
    Result<std::vector<InputSocket>> bound = BindInputs(config_, {::geteuid(), ::getegid(), ""}, &warnings_);
    ASSERT_TRUE(bound.ok()) << bound.status().message();
    sockets_ = bound.Take();
    StartAcceptor(slots, lanes);
  }

  void MakeTcp() {
    bool no_address = false;
    config_.inputs.resize(1);
    config_.stream_connections = 4;
    sockets_.resize(1);
    sockets_[0].type = InputType::kTcp;
    sockets_[0].fd = ListenTcp({"127.0.0.1", 0}, &no_address).Take();
    StartAcceptor(4, 1);
  }

  void StartAcceptor(int32_t slots, size_t lanes) {
    for (size_t i = 0; i < lanes; ++i) {
      lanes_.push_back(std::make_unique<StreamLane>(loop_, static_cast<uint32_t>(slots), 6,
                                                    [this](uint32_t input) { acceptor_->OnClosed(input); }));
    }
    acceptor_ = std::make_unique<Acceptor>(loop_, config_, lanes_);
    acceptor_->Start(sockets_);
  }

  void StartIntake(Intake* intake, size_t lane = 0) {
    *intake = {};
    Result<FileDescriptor> end = lanes_[lane]->OpenLink();
    ASSERT_TRUE(end.ok());
    intake->receiver = std::make_unique<HandOverReceiver>(
        loop_, end.value().Release(),
        HandOverReceiver::Callbacks{[intake](HandedConnection taken) { intake->taken.push_back(std::move(taken)); },
                                    [intake] { ++intake->completed; }});
    lanes_[lane]->HandOverAll();
  }

  FileDescriptor Connect() {
    FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    const int done = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    if (done != 0) fd.Reset();
    return fd;
  }

  // Whether it is connected is seen later.
  FileDescriptor BeginTcp() {
    sockaddr_in address{};
    socklen_t size = sizeof(address);
    ::getsockname(sockets_[0].fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
    FileDescriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), size), -1);
    EXPECT_EQ(errno, EINPROGRESS);
    return fd;
  }
  static bool IsConnected(const FileDescriptor& fd) {
    pollfd polled{fd.get(), POLLOUT, 0};
    return ::poll(&polled, 1, 0) == 1 && (polled.revents & (POLLERR | POLLHUP)) == 0;
  }

  void ConnectMany(int count) {
    for (int i = 0; i < count; ++i) {
      clients_.push_back(Connect());
      ASSERT_TRUE(clients_.back().valid());
    }
  }

  void Turn(int times = 30) {
    for (int i = 0; i < times; ++i) loop_.RunOnce(false);
  }

  bool Warns(const std::string& name) const {
    const std::vector<Warning> warnings = acceptor_->ListWarnings();
    return std::any_of(warnings.begin(), warnings.end(), [&](const Warning& warning) { return warning.name == name; });
  }

  EventLoop loop_;
  std::string folder_;
  std::string path_;
  Config config_;
  std::vector<Warning> warnings_;
  std::vector<InputSocket> sockets_;
  std::vector<std::unique_ptr<StreamLane>> lanes_;
  std::unique_ptr<Acceptor> acceptor_;
  std::vector<FileDescriptor> clients_;
};

TEST_F(AcceptorTest, AConnectionGoesToTheIntakeAndEndsWhenThatHasClosedIt) {
  Make(4);
  Intake intake;
  StartIntake(&intake);
  ConnectMany(1);
  Turn();
  ASSERT_EQ(intake.taken.size(), 1u);
  EXPECT_EQ(intake.completed, 1);
  EXPECT_EQ(acceptor_->CountOf(0).accepted, 1u);
  EXPECT_EQ(acceptor_->CountOf(0).open, 1u);
  EXPECT_TRUE(lanes_[0]->IsHandedOver());
  intake.taken[0].fd.Reset();
  char byte;
  EXPECT_EQ(::read(clients_[0].get(), &byte, 1), -1);  // the duplicate keeps it
  EXPECT_EQ(errno, EAGAIN);
  intake.receiver->SendClosed(intake.taken[0].slot, intake.taken[0].generation);
  Turn();
  EXPECT_EQ(::read(clients_[0].get(), &byte, 1), 0);
  EXPECT_EQ(acceptor_->CountOf(0).open, 0u);
}

TEST_F(AcceptorTest, ASuccessorIsHandedAllThatThereIs) {
  Make(400);
  ConnectMany(200);
  Turn();
  Intake intake;
  StartIntake(&intake);
  Turn();
  ASSERT_EQ(intake.taken.size(), 200u);
  intake.receiver->SendClosed(intake.taken[0].slot, intake.taken[0].generation);
  Intake successor;
  StartIntake(&successor);
  Turn();
  EXPECT_EQ(successor.taken.size(), 199u);
  EXPECT_EQ(successor.completed, 1);
  EXPECT_TRUE(lanes_[0]->IsHandedOver());
}

TEST_F(AcceptorTest, SlotsAreUsedAgainAndGenerationsNever) {
  Make(2);
  Intake intake;
  StartIntake(&intake);
  std::set<uint64_t> generations;
  for (int i = 0; i < 50; ++i) {
    clients_.clear();
    ConnectMany(1);
    Turn();
    ASSERT_EQ(intake.taken.size(), 1u);
    EXPECT_LT(intake.taken[0].slot, 2u);
    EXPECT_GE(intake.taken[0].generation, uint64_t{7} << 36);
    generations.insert(intake.taken[0].generation);
    intake.receiver->SendClosed(intake.taken[0].slot, intake.taken[0].generation);
    intake.receiver->SendClosed(intake.taken[0].slot, intake.taken[0].generation);  // twice does no harm
    intake.taken.clear();
    Turn();
  }
  EXPECT_EQ(generations.size(), 50u);
  EXPECT_EQ(acceptor_->CountOf(0).open, 0u);
}

TEST_F(AcceptorTest, WithoutASlotConnectionsWait) {
  Make(2);
  Intake intake;
  StartIntake(&intake);
  ConnectMany(5);
  Turn();
  EXPECT_EQ(intake.taken.size(), 2u);
  EXPECT_TRUE(Warns("connections_full"));
  for (size_t i = 0; i < 3; ++i) intake.receiver->SendClosed(intake.taken[i].slot, intake.taken[i].generation), Turn();
  EXPECT_EQ(intake.taken.size(), 5u);
  EXPECT_TRUE(Warns("connections_full"));
  intake.receiver->SendClosed(intake.taken[3].slot, intake.taken[3].generation);
  Turn();
  EXPECT_FALSE(Warns("connections_full"));
}

TEST_F(AcceptorTest, LanesTakeTurnsAndAFullOneIsLeftOut) {
  Make(2, 3);
  Intake intakes[3];
  for (size_t lane = 0; lane < 3; ++lane) StartIntake(&intakes[lane], lane);
  ConnectMany(3);
  Turn();
  for (const Intake& intake : intakes) EXPECT_EQ(intake.taken.size(), 1u);
  intakes[1].receiver->SendClosed(intakes[1].taken[0].slot, intakes[1].taken[0].generation);
  Turn();
  ConnectMany(4);
  Turn();
  EXPECT_EQ(intakes[0].taken.size() + intakes[1].taken.size() + intakes[2].taken.size(), 7u);
  EXPECT_EQ(lanes_[1]->open(), 2u);
}

TEST_F(AcceptorTest, HeldConnectionsWaitAndAStopTakesThem) {
  Make(500);
  Intake intake;
  StartIntake(&intake);
  acceptor_->Hold(true);
  ConnectMany(150);
  Turn();
  EXPECT_EQ(intake.taken.size(), 0u);
  EXPECT_FALSE(acceptor_->IsBacklogTaken());
  acceptor_->TakeBacklog();
  EXPECT_FALSE(Connect().valid());
  EXPECT_FALSE(std::filesystem::exists(path_));
  Turn();
  EXPECT_TRUE(acceptor_->IsBacklogTaken());
  EXPECT_TRUE(lanes_[0]->IsHandedOver());
  EXPECT_EQ(intake.taken.size(), 150u);
}

// Else what a client sends that connects between the last look and the listener's end would be lost.
TEST_F(AcceptorTest, NoTcpHandshakeBeginsOnceTheBacklogIsTaken) {
  MakeTcp();
  Intake intake;
  StartIntake(&intake);
  acceptor_->Hold(true);
  const FileDescriptor before = BeginTcp();
  acceptor_->TakeBacklog();
  EXPECT_FALSE(acceptor_->IsBacklogTaken());
  const FileDescriptor after = BeginTcp();
  while (!acceptor_->IsBacklogTaken()) loop_.RunOnce(true);
  Turn();
  EXPECT_TRUE(IsConnected(before));
  EXPECT_FALSE(IsConnected(after));
  EXPECT_EQ(intake.taken.size(), 1u);
}

TEST_F(AcceptorTest, AHoldIsTakenBack) {
  Make(4);
  Intake intake;
  StartIntake(&intake);
  acceptor_->Hold(true);
  ConnectMany(1);
  Turn();
  acceptor_->Hold(false);
  Turn();
  EXPECT_EQ(intake.taken.size(), 1u);
}

TEST_F(AcceptorTest, ADescriptorReserveIsLeftAlone) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  ConnectMany(0);
  const rlimit tight{128, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  Make(100);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);  // it knows of the limit that there was
  ConnectMany(100);
  Turn();
  EXPECT_TRUE(Warns("descriptors"));
  EXPECT_LT(acceptor_->CountOf(0).open, 100u);
  const int next = ::dup(0);
  ::close(next);
  EXPECT_GE(next, 128 - 24);
}

TEST(TcpListenerTest, ListensAndNamesWhatItCanNot) {
  bool no_address = false;
  Result<FileDescriptor> first = ListenTcp({"127.0.0.1", 0}, &no_address);
  ASSERT_TRUE(first.ok()) << first.status().message();
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  ASSERT_EQ(::getsockname(first.value().get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const HostPort taken{"127.0.0.1", ntohs(address.sin_port)};
  EXPECT_EQ(ListenTcp(taken, &no_address).status().message(), FormatHostPort(taken) + ": bind: Address already in use");
  EXPECT_FALSE(no_address);
  EXPECT_EQ(ListenTcp({"192.0.2.1", 9000}, &no_address).status().message(),
            "192.0.2.1:9000: bind: Cannot assign requested address");
  EXPECT_TRUE(no_address);
}

}  // namespace
}  // namespace dory::supervisor
