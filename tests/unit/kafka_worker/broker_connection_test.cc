// One connection against a peer that answers byte by byte as a test says: deadlines, late answers,
// half-written requests.

#include "kafka_worker/broker_connection.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/file_descriptor.h"

namespace dory::kafka {
namespace {

using protocol::Api;
using End = Answer::End;

class BrokerConnectionTest : public ::testing::Test {
 protected:
  static constexpr int64_t kLimitMs = 10'000;

  BrokerConnectionTest() {
    listener_.Reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_.get(), plain, size) != 0 || ::listen(listener_.get(), 8) != 0) std::abort();
    ::getsockname(listener_.get(), plain, &size);
    const HostPort peer{"127.0.0.1", ntohs(address.sin_port)};
    connection_ = std::make_unique<BrokerConnection>(loop_, settings_, memory_, peer, 3);
    connection_->on_room = [this] { ++rooms_; };
  }

  void Turn() {
    Timer tick(loop_, [] {});
    tick.StartOnce(2);
    loop_.RunOnce(true);
  }
  template <typename Done>
  bool RunUntil(Done done) {
    for (const int64_t end = MonotonicMs() + kLimitMs; MonotonicMs() < end; Turn()) {
      if (done()) return true;
    }
    return done();
  }

  // Connects, and answers ApiVersions with Produce 3 to 8 and Metadata 1.
  void BringUp() {
    connection_->Connect(MonotonicMs());
    ASSERT_TRUE(RunUntil([this] { return Accept(); }));
    protocol::Bytes request;
    ASSERT_TRUE(RunUntil([&] { return ReadRequest(&request); }));
    AnswerVersions(IdOf(request));
    ASSERT_TRUE(RunUntil([this] { return connection_->up(); }));
    rooms_ = 0;
  }

  bool Accept() {
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) peer_.Reset(fd);
    return fd >= 0;
  }

  bool ReadRequest(protocol::Bytes* request) {
    std::byte part[65536];
    const ssize_t got = ::recv(peer_.get(), part, sizeof(part), MSG_DONTWAIT);
    if (got > 0) input_.insert(input_.end(), part, part + got);
    if (input_.size() < 4) return false;
    const auto size = static_cast<size_t>(LoadBigEndian<int32_t>(input_.data())) + 4;
    if (input_.size() < size) return false;
    request->assign(input_.begin(), input_.begin() + static_cast<ptrdiff_t>(size));
    input_.erase(input_.begin(), input_.begin() + static_cast<ptrdiff_t>(size));
    return true;
  }
  static int32_t IdOf(const protocol::Bytes& request) { return LoadBigEndian<int32_t>(request.data() + 8); }

  void SendAnswer(int32_t id, const protocol::Bytes& body) {
    protocol::Bytes answer;
    protocol::Writer writer(&answer, false);
    writer.Put<int32_t>(static_cast<int32_t>(body.size()) + 4);
    writer.Put<int32_t>(id);
    answer.insert(answer.end(), body.begin(), body.end());
    ASSERT_EQ(::send(peer_.get(), answer.data(), answer.size(), MSG_NOSIGNAL), static_cast<ssize_t>(answer.size()));
  }
  void AnswerVersions(int32_t id, int16_t newest_produce = 8) {
    protocol::Bytes body;
    protocol::Writer writer(&body, true);
    writer.Put<int16_t>(0);
    const std::pair<Api, int16_t> kOffered[] = {{Api::kProduce, newest_produce}, {Api::kMetadata, int16_t{1}}};
    writer.PutArrayCount(std::size(kOffered));
    for (const auto& [api, highest] : kOffered) {
      writer.Put<int16_t>(static_cast<int16_t>(api));
      writer.Put<int16_t>(1);
      writer.Put<int16_t>(highest);
      writer.PutNoTags();
    }
    writer.Put<int32_t>(0);
    writer.PutNoTags();
    SendAnswer(id, body);
  }

  struct Outcome {
    bool called = false;
    End end{};
    bool ok = false;
    int64_t took_ms = -1;
  };

  // A request of `bytes`, whose content nobody looks at.
  Outcome& Ask(size_t bytes, int64_t timeout_ms) {
    auto& outcome = outcomes_.emplace_back(std::make_unique<Outcome>());
    const protocol::RequestHeader header = connection_->NextHeader(Api::kProduce);
    protocol::Bytes frame;
    protocol::Writer writer(&frame, false);
    writer.Put<int32_t>(static_cast<int32_t>(bytes + 8));
    writer.Put<int16_t>(0);
    writer.Put<int16_t>(header.version);
    writer.Put<int32_t>(header.correlation_id);
    frame.resize(frame.size() + bytes, std::byte{7});
    connection_->Exchange(Api::kProduce, Frame::Of(std::move(frame)), timeout_ms,
                          [raw = outcome.get()](const Answer& answer) {
                            EXPECT_FALSE(raw->called);
                            *raw = {true, answer.end, answer.body.ok(), answer.took_ms};
                          });
    return *outcome;
  }

  EventLoop loop_;
  ConnectionSettings settings_{"test", 60'000, 20};
  NegotiationMemory memory_;
  FileDescriptor listener_;
  FileDescriptor peer_;
  protocol::Bytes input_;
  std::vector<std::unique_ptr<Outcome>> outcomes_;
  size_t rooms_ = 0;
  std::unique_ptr<BrokerConnection> connection_;
};

TEST_F(BrokerConnectionTest, AnAnswerThatNeverComesEndsTheConnection) {
  BringUp();
  Outcome& first = Ask(10, 30);
  Outcome& second = Ask(10, 30);
  ASSERT_TRUE(RunUntil([&] { return second.called; }));
  EXPECT_EQ(first.end, End::kDeadline);
  EXPECT_EQ(second.end, End::kCut);  // it was not its turn yet
  EXPECT_FALSE(first.ok || second.ok);
  EXPECT_EQ(connection_->state(), BrokerConnection::State::kDown);
}

// The answer is under way while the deadline passes; the next connection must not see it.
TEST_F(BrokerConnectionTest, ALateAnswerIsNobodys) {
  BringUp();
  Ask(10, 30);
  protocol::Bytes request;
  ASSERT_TRUE(RunUntil([&] { return ReadRequest(&request); }));
  const int32_t late = IdOf(request);
  ASSERT_TRUE(RunUntil([this] { return !connection_->up(); }));
  SendAnswer(late, {});
  ASSERT_TRUE(RunUntil([this] { return !connection_->in_backoff(MonotonicMs()); }));
  input_.clear();
  BringUp();
  Outcome& again = Ask(10, 60'000);
  ASSERT_TRUE(RunUntil([&] { return ReadRequest(&request); }));
  EXPECT_NE(IdOf(request), late);  // numbers go on over connections
  SendAnswer(late, {});            // and the same from a broker that mixes them up
  ASSERT_TRUE(RunUntil([&] { return again.called; }));
  EXPECT_EQ(again.end, End::kCut);
  EXPECT_EQ(connection_->state(), BrokerConnection::State::kDown);
}

// Nothing of a request is written any more once it is over: its bytes may be another's by then.
TEST_F(BrokerConnectionTest, AHalfWrittenRequestIsLeftAtItsDeadline) {
  BringUp();
  Outcome& outcome = Ask(64u << 20, 30);  // more than the sockets take: nobody reads
  ASSERT_TRUE(RunUntil([&] { return outcome.called; }));
  EXPECT_EQ(outcome.end, End::kDeadline);
  size_t came = 0;
  std::byte part[65536];
  for (ssize_t got = 1; got > 0;) {
    got = ::recv(peer_.get(), part, sizeof(part), 0);
    if (got < 0 && errno == EAGAIN) got = 1;
    came += got > 0 ? static_cast<size_t>(got) : 0;
  }
  EXPECT_LT(came, 64u << 20);
}

TEST_F(BrokerConnectionTest, AnAnswerToWhatIsNotWhollyWrittenEndsTheConnection) {
  BringUp();
  protocol::Bytes part(12);
  Outcome& outcome = Ask(64u << 20, 60'000);
  ASSERT_TRUE(RunUntil([&] {
    return ::recv(peer_.get(), part.data(), part.size(), MSG_PEEK) == static_cast<ssize_t>(part.size());
  }));
  SendAnswer(IdOf(part), {});
  ASSERT_TRUE(RunUntil([&] { return outcome.called; }));
  EXPECT_EQ(outcome.end, End::kCut);
}

// What a request may take counts from when the broker could begin with it.
TEST_F(BrokerConnectionTest, WaitingBehindAnotherRequestIsNoTimeOfItsOwn) {
  BringUp();
  protocol::Bytes first_request;
  protocol::Bytes second_request;
  Outcome& first = Ask(10, 60'000);
  Outcome& second = Ask(10, 60);
  ASSERT_TRUE(RunUntil([&] { return ReadRequest(&first_request); }));
  ASSERT_TRUE(RunUntil([&] { return ReadRequest(&second_request); }));
  const int64_t until = MonotonicMs() + 150;  // more than the second may take
  ASSERT_TRUE(RunUntil([&] { return MonotonicMs() > until; }));
  EXPECT_FALSE(second.called);
  SendAnswer(IdOf(first_request), {});
  SendAnswer(IdOf(second_request), {});
  ASSERT_TRUE(RunUntil([&] { return second.called; }));
  EXPECT_EQ(second.end, End::kAnswered);
  EXPECT_GE(first.took_ms, 140);
  EXPECT_LT(second.took_ms, first.took_ms);
}

TEST_F(BrokerConnectionTest, RoomIsSaidWhenItIsThereAgain) {
  BringUp();
  protocol::Bytes request;
  for (int i = 0; i < 3; ++i) Ask(10, 60'000);
  EXPECT_FALSE(connection_->HasRoom());
  ASSERT_TRUE(RunUntil([&] { return ReadRequest(&request); }));
  SendAnswer(IdOf(request), {});
  ASSERT_TRUE(RunUntil([&] { return outcomes_[0]->called; }));
  EXPECT_TRUE(connection_->HasRoom());
  EXPECT_EQ(rooms_, 1u);
  connection_->Hold(30);
  EXPECT_FALSE(connection_->HasRoom());
  ASSERT_TRUE(RunUntil([&] { return rooms_ == 2; }));
  EXPECT_TRUE(connection_->HasRoom());
}

// What a broker takes from us as a punishment is no fault of the connection. From Produce 6 on it answers, and
// then looks at nothing for a while; before, its answers come late.
TEST_F(BrokerConnectionTest, AThrottleTimeIsNoTimeOfARequest) {
  for (const int16_t version : std::initializer_list<int16_t>{8, 3}) {
    BringUp();
    outcomes_.clear();
    protocol::Bytes request;
    Outcome& first = Ask(10, 60'000);
    ASSERT_TRUE(RunUntil([&] { return ReadRequest(&request); }));
    SendAnswer(IdOf(request), {});
    Outcome& second = Ask(10, 30);
    ASSERT_TRUE(RunUntil([&] { return first.called && ReadRequest(&request); }));
    connection_->NoteThrottle(Api::kProduce, version, 200);
    EXPECT_EQ(connection_->HasRoom(), version == 3);
    const int64_t until = MonotonicMs() + 120;  // more than it may take of its own
    ASSERT_TRUE(RunUntil([&] { return MonotonicMs() > until; }));
    ASSERT_FALSE(second.called);
    SendAnswer(IdOf(request), {});
    ASSERT_TRUE(RunUntil([&] { return second.called && connection_->HasRoom(); }));
    EXPECT_EQ(second.end, End::kAnswered);
    connection_->Close(Status::Error("next"));
    ASSERT_TRUE(RunUntil([this] { return !connection_->in_backoff(MonotonicMs()); }));
    input_.clear();
  }
}

// Nor does the end of the connection end it.
TEST_F(BrokerConnectionTest, ABrokerIsSparedByTheNextConnection) {
  BringUp();
  connection_->NoteThrottle(Api::kProduce, 8, 10'000);
  connection_->Close(Status::Error("cut"));
  const int64_t later = MonotonicMs() + 9'000;
  EXPECT_TRUE(connection_->in_backoff(later));
  connection_->Connect(later);
  EXPECT_EQ(connection_->state(), BrokerConnection::State::kDown);
}

// Kafka 0.8 and 0.9: they close at ApiVersions, and answer what they know.
TEST_F(BrokerConnectionTest, ABrokerThatClosesAtApiVersionsAndLivesIsOld) {
  protocol::Bytes request;
  const auto come = [&] {
    connection_->Connect(MonotonicMs());
    input_.clear();
    return RunUntil([this] { return Accept(); });
  };
  const auto api = [&] { return static_cast<Api>(LoadBigEndian<int16_t>(request.data() + 4)); };
  const auto leave = [&] {
    peer_.Reset();
    ASSERT_TRUE(RunUntil([this] {
      return connection_->state() == BrokerConnection::State::kDown && !connection_->in_backoff(MonotonicMs());
    }));
  };
  ASSERT_TRUE(come() && RunUntil([&] { return ReadRequest(&request); }));
  EXPECT_EQ(api(), Api::kApiVersions);
  leave();
  ASSERT_TRUE(come() && RunUntil([&] { return ReadRequest(&request); }));
  EXPECT_EQ(api(), Api::kListOffsets);
  SendAnswer(IdOf(request), protocol::Bytes(4));
  ASSERT_TRUE(RunUntil([&] { return ReadRequest(&request); }));
  EXPECT_EQ(api(), Api::kApiVersions);
  leave();
  ASSERT_TRUE(come() && RunUntil([this] { return connection_->up(); }));
  EXPECT_EQ(connection_->VersionOf(Api::kProduce), 0);
  EXPECT_EQ(connection_->VersionOf(Api::kMetadata), 0);
  EXPECT_FALSE(connection_->VersionOf(Api::kInitProducerId) || connection_->IsIdempotent());
  leave();
  ASSERT_TRUE(come() && RunUntil([&] { return ReadRequest(&request); }));  // it may have been upgraded
  EXPECT_EQ(api(), Api::kListOffsets);
}

// Behind what is on its way, which it leaves alone.
TEST_F(BrokerConnectionTest, VersionsAreAskedForAgain) {
  BringUp();
  EXPECT_EQ(connection_->VersionOf(Api::kProduce), 8);
  Outcome& outcome = Ask(10, 60'000);
  connection_->Renegotiate();
  protocol::Bytes request;
  ASSERT_TRUE(RunUntil([&] { return ReadRequest(&request); }));
  SendAnswer(IdOf(request), {});
  ASSERT_TRUE(RunUntil([&] { return ReadRequest(&request); }));
  AnswerVersions(IdOf(request), 5);
  ASSERT_TRUE(RunUntil([&] { return connection_->VersionOf(Api::kProduce) == 5; }));
  EXPECT_EQ(outcome.end, End::kAnswered);
  EXPECT_TRUE(connection_->up());
}

}  // namespace
}  // namespace dory::kafka
