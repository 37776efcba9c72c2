// Stream connections through a lane, without the event loop.

#include "intake_worker/stream_lane.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <random>

#include "intake_worker/final_drain.h"
#include "tests/unit/intake_worker/lane_fixture.h"

namespace dory::intake {
namespace {

using shm::Reject;
using Values = std::vector<std::string>;

constexpr uint64_t kLargeArea = 256 * 1024;

struct Stream {
  Stream() {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0) std::abort();
    client.Reset(fds[0]);
    server.Reset(fds[1]);
  }
  size_t Send(std::string_view bytes) const {
    const ssize_t sent = ::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return sent < 0 ? 0 : static_cast<size_t>(sent);
  }
  FileDescriptor client;
  FileDescriptor server;
};

class StreamLaneTest : public LaneFixture {
 protected:
  static constexpr ConnectionTable::Kind kKind = {.input = 1, .is_tcp = false, .limit = 200'000};

  void SetUp() override { Make(1 << 20); }

  void Make(uint64_t ring_size) {
    streams_geometry_ = {.connections = 4, .areas = 2, .large_areas = 1, .large_area_size = kLargeArea};
    MakeSegment(ring_size, 8);
    StartLane();
    for (uint32_t slot = 0; slot < 3; ++slot) ASSERT_TRUE(lane().Open(slot, slot + 1, kKind));
  }

  StreamLane& lane() { return lane_->streams(); }
  Outcome Read(uint32_t slot) { return lane().Receive(slot, streams_[slot].server.get()).outcome; }
  Outcome ReadAll(uint32_t slot) {
    Outcome outcome = Outcome::kMore;
    while (outcome == Outcome::kMore) outcome = Read(slot);
    return outcome;
  }
  static std::string MessageOf(const std::string& value) { return ClientMessage{.value = value}.Bytes(); }

  Stream streams_[4];
};

TEST_F(StreamLaneTest, MessagesBackToBackArriveInOrder) {
  streams_[0].Send(MessageOf("a") + MessageOf("b") + MessageOf("c"));
  EXPECT_EQ(Read(0), Outcome::kEmpty);
  EXPECT_EQ(Consume(), (Values{"a", "b", "c"}));
  EXPECT_EQ(Books().Received(), 3u);
}

TEST_F(StreamLaneTest, AMessageInManyPiecesIsOne) {
  const std::string bytes = MessageOf("in pieces");
  for (const char c : bytes) {
    EXPECT_EQ(Consume(), Values());
    streams_[0].Send({&c, 1});
    EXPECT_EQ(Read(0), Outcome::kEmpty);
  }
  EXPECT_EQ(Consume(), Values{"in pieces"});
  EXPECT_FALSE(lane().HasPart(0));
}

// Of all sizes around that of an area, on two connections by turns, cut anywhere.
TEST_F(StreamLaneTest, MessagesOfAnySizeArriveWhole) {
  std::mt19937 random(3);
  std::string pending[2];
  Values expected[2];
  Values arrived[2];
  for (int i = 0; i < 60; ++i) {
    const size_t sizes[] = {1, 100, 20'000, 65'000, 65'503, 65'504, 65'505, 70'000, 150'000};
    const int slot = i % 2;
    const std::string value = std::to_string(slot) + ":" + std::to_string(i) + std::string(sizes[random() % 9], 'v');
    expected[slot].push_back(value);
    pending[slot] += MessageOf(value);
  }
  while (!pending[0].empty() || !pending[1].empty()) {
    for (uint32_t slot = 0; slot < 2; ++slot) {
      const size_t sent = streams_[slot].Send(std::string_view(pending[slot]).substr(0, 1 + random() % 90'000));
      pending[slot].erase(0, sent);
      ReadAll(slot);
      for (const std::string& value : Consume()) arrived[value[0] - '0'].push_back(value);
    }
  }
  for (uint32_t slot = 0; slot < 2; ++slot) {
    ASSERT_EQ(ReadAll(slot), Outcome::kEmpty);
    for (const std::string& value : Consume()) arrived[value[0] - '0'].push_back(value);
  }
  EXPECT_EQ(arrived[0], expected[0]);
  EXPECT_EQ(arrived[1], expected[1]);
  EXPECT_TRUE(lane().HasFreeArea(AreaKind::kLarge));
}

TEST_F(StreamLaneTest, ABadMessageLeavesTheConnectionOpen) {
  streams_[0].Send(ClientMessage{.flags = 4}.Bytes() + ClientMessage{.api_key = 9}.Bytes() +
                   ClientMessage{.topic = "no topic"}.Bytes() + MessageOf("good"));
  EXPECT_EQ(Read(0), Outcome::kEmpty);
  EXPECT_EQ(Consume(), Values{"good"});
  EXPECT_EQ(Books().RejectedFor(Reject::kMalformed), 1u);
  EXPECT_EQ(Books().RejectedFor(Reject::kUnsupportedKey), 1u);
  EXPECT_EQ(Books().RejectedFor(Reject::kBadTopic), 1u);
}

TEST_F(StreamLaneTest, ASizeThatIsNoneEndsTheConnectionBehindWhatWasGood) {
  streams_[0].Send(MessageOf("good") + std::string("\0\0\0\1", 4) + MessageOf("never read"));
  EXPECT_EQ(Read(0), Outcome::kEnd);
  EXPECT_TRUE(lane().HasEnded(0));
  EXPECT_EQ(Consume(), Values{"good"});
  EXPECT_EQ(Books().RejectedFor(Reject::kMalformed), 1u);
  EXPECT_EQ(Books().Received(), 2u);
}

TEST_F(StreamLaneTest, ASizeOverTheLimitEndsTheConnection) {
  streams_[0].Send(MessageOf(std::string(200'000, 'v')).substr(0, 100));
  EXPECT_EQ(Read(0), Outcome::kEnd);
  EXPECT_EQ(Books().RejectedFor(Reject::kTooLong), 1u);
}

TEST_F(StreamLaneTest, AnEndInsideAMessageIsCountedOnce) {
  streams_[0].Send(MessageOf("whole") + MessageOf("cut off").substr(0, 20));
  streams_[0].client.Reset();
  ReadAll(0);
  EXPECT_EQ(Read(0), Outcome::kEnd);
  lane().End(0);
  lane().End(0);
  EXPECT_EQ(Consume(), Values{"whole"});
  EXPECT_EQ(Books().RejectedFor(Reject::kUncleanUnix), 1u);
  EXPECT_EQ(Books().Received(), 2u);
}

TEST_F(StreamLaneTest, AnEndBetweenMessagesIsNoFault) {
  streams_[0].Send(MessageOf("whole"));
  streams_[0].client.Reset();
  ReadAll(0);
  EXPECT_EQ(Read(0), Outcome::kEnd);
  lane().End(0);
  EXPECT_EQ(Books().Received(), 1u);
  EXPECT_TRUE(lane().HasEnded(0));
}

TEST_F(StreamLaneTest, TcpIsCountedApart) {
  ASSERT_TRUE(lane().Open(3, 9, {.input = 0, .is_tcp = true, .limit = 1000}));
  streams_[3].Send("\1");
  streams_[3].client.Reset();
  ReadAll(3);
  lane().End(3);
  EXPECT_EQ(Books().RejectedFor(Reject::kUncleanTcp), 1u);
}

TEST_F(StreamLaneTest, WhereAllAreasAreTakenAConnectionWaits) {
  const std::string bytes = MessageOf("late");
  for (uint32_t slot = 0; slot < 2; ++slot) {
    streams_[slot].Send(std::string_view(bytes).substr(0, 10));
    EXPECT_EQ(Read(slot), Outcome::kEmpty);
  }
  streams_[2].Send(MessageOf("waits"));
  EXPECT_EQ(Read(2), Outcome::kNoArea);
  streams_[1].Send(std::string_view(bytes).substr(10));
  EXPECT_EQ(Read(1), Outcome::kEmpty);
  EXPECT_EQ(Read(2), Outcome::kEmpty);
  EXPECT_EQ(Consume(), (Values{"late", "waits"}));
}

TEST_F(StreamLaneTest, OnlyOneLargeMessageAtATimeWhereThereIsOneLargeArea) {
  const std::string large = MessageOf(std::string(100'000, 'v'));
  streams_[0].Send(std::string_view(large).substr(0, 100));
  streams_[1].Send(std::string_view(large).substr(0, 100));
  EXPECT_EQ(Read(0), Outcome::kEmpty);
  EXPECT_EQ(Read(1), Outcome::kEmpty);
  streams_[0].Send(std::string_view(large).substr(100));
  streams_[1].Send(std::string_view(large).substr(100));
  EXPECT_NE(Read(0), Outcome::kNoArea);
  while (lane().HasPart(0)) ReadAll(0);
  EXPECT_EQ(ReadAll(1), Outcome::kEmpty);
  EXPECT_EQ(Consume().size(), 2u);
}

TEST_F(StreamLaneTest, WhatHasNoRoomStaysAndIsTakenLater) {
  TearDown();
  Make(16 * 1024);
  for (int i = 0; i < 40; ++i) streams_[0].Send(MessageOf(std::to_string(i) + std::string(1000, 'v')));
  EXPECT_EQ(Read(0), Outcome::kNoRoom);
  EXPECT_TRUE(lane().HasLeftovers());
  Values arrived;
  for (Outcome outcome = Outcome::kMore; outcome != Outcome::kEmpty;) {
    for (const std::string& value : Consume()) arrived.push_back(value);
    outcome = lane_->PublishLeftovers();
  }
  for (const std::string& value : Consume()) arrived.push_back(value);
  ASSERT_EQ(arrived.size(), 40u);
  for (int i = 0; i < 40; ++i) EXPECT_EQ(std::atoi(arrived[static_cast<size_t>(i)].c_str()), i);
}

TEST_F(StreamLaneTest, WhatHasNoRoomIsTakenAlsoWhereTheConnectionEnds) {
  TearDown();
  Make(16 * 1024);
  for (int i = 0; i < 40; ++i) streams_[0].Send(MessageOf(std::to_string(i) + std::string(1000, 'v')));
  streams_[0].Send(std::string_view("\0\0", 2));
  EXPECT_EQ(Read(0), Outcome::kNoRoom);
  lane().End(0);
  lane().End(0);
  EXPECT_FALSE(lane().HasEnded(0));
  size_t arrived = 0;
  for (Outcome outcome = Outcome::kMore; outcome != Outcome::kEmpty;) {
    arrived += Consume().size();
    outcome = lane_->PublishLeftovers();
  }
  EXPECT_EQ(arrived + Consume().size(), 40u);
  EXPECT_TRUE(lane().HasEnded(0));
  EXPECT_EQ(Books().RejectedFor(Reject::kUncleanUnix), 1u);
}

TEST_F(StreamLaneTest, AnotherLifeGoesOnInTheMiddleOfAMessage) {
  const std::string bytes = MessageOf(std::string(100'000, 'v'));
  streams_[0].Send(std::string_view(bytes).substr(0, 50'000));
  ReadAll(0);
  StartLane();
  EXPECT_EQ(lane_->PublishLeftovers(), Outcome::kMore);
  EXPECT_EQ(lane_->PublishLeftovers(), Outcome::kEmpty);
  ASSERT_TRUE(lane().Knows(0, 1));
  EXPECT_TRUE(lane().HasPart(0));
  streams_[0].Send(std::string_view(bytes).substr(50'000));
  while (lane().HasPart(0)) ReadAll(0);
  const Values arrived = Consume();
  ASSERT_EQ(arrived.size(), 1u);
  EXPECT_EQ(arrived[0].size(), 100'000u);
}

TEST_F(StreamLaneTest, WhatIsLeftOfAConnectionThatIsGoneIsCutOff) {
  streams_[0].Send(MessageOf("part").substr(0, 10));
  streams_[1].Send(MessageOf("part").substr(0, 10));
  Read(0);
  Read(1);
  StartLane();
  while (lane_->PublishLeftovers() != Outcome::kEmpty) {
  }
  ASSERT_TRUE(lane().Open(0, 100, kKind));  // another client, since the supervisor is another one
  std::vector<bool> live = {true, false, false, false};
  lane().EndOthers(live);
  EXPECT_EQ(Books().RejectedFor(Reject::kUncleanUnix), 2u);
  EXPECT_TRUE(lane().Knows(0, 100));
  EXPECT_FALSE(lane().HasEnded(0));
  EXPECT_TRUE(lane().HasEnded(1));
}

TEST_F(StreamLaneTest, TheFinalDrainTakesAllThatClientsSent) {
  TearDown();
  Make(16 * 1024);
  size_t sent = 0;
  for (int i = 0; i < 60; ++i) {
    for (uint32_t slot = 0; slot < 3; ++slot) {
      const std::string bytes = MessageOf(std::to_string(i) + std::string(1000, 'v'));
      if (streams_[slot].Send(bytes) == bytes.size()) ++sent;
    }
  }
  streams_[2].Send("\1\2\3");
  DrainFinally(*lane_, {}, [this] {
    return std::vector<StreamSocket>{{0, streams_[0].server.get(), false}, {1, streams_[1].server.get(), false},
                                     {2, streams_[2].server.get(), false}};
  }, {.room_ms = 0, .tcp_linger_ms = 3'600'000});  // nobody is left to wait for
  EXPECT_EQ(streams_[0].Send("late"), 0u);
  StartLane();
  size_t arrived = 0;
  for (Outcome outcome = Outcome::kMore; outcome != Outcome::kEmpty; arrived += Consume().size()) {
    outcome = lane_->PublishLeftovers();
  }
  EXPECT_EQ(arrived, sent);
  EXPECT_EQ(Books().RejectedFor(Reject::kUncleanUnix), 1u);
}

// TCP's client is given time to end its side; what it had sent until then arrives.
TEST_F(StreamLaneTest, TheFinalDrainLeavesTcpTimeToEnd) {
  ASSERT_TRUE(lane().Open(3, 9, {.input = 0, .is_tcp = true, .limit = 1000}));
  streams_[3].Send(MessageOf("before"));
  DrainFinally(*lane_, {}, [this] {
    return std::vector<StreamSocket>{{3, streams_[3].server.get(), true}};
  }, {.room_ms = 0, .tcp_linger_ms = 1});
  EXPECT_EQ(Consume(), Values{"before"});
  EXPECT_TRUE(lane().HasEnded(3));
  char byte;
  EXPECT_EQ(::recv(streams_[3].client.get(), &byte, 1, 0), 0);
}

}  // namespace
}  // namespace dory::intake
