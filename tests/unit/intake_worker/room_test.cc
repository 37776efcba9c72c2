// What the lane does as the ring fills: laps, PADs, cuts, waiting and rejecting.

#include <gtest/gtest.h>

#include "intake_worker/intake_lane.h"
#include "tests/unit/intake_worker/lane_fixture.h"

namespace dory::intake {
namespace {

using shm::Reject;

constexpr uint64_t kRing = 32 * 1024;

class RoomTest : public LaneFixture {
 protected:
  void SetUp() override {
    MakeSegment(kRing, 8);
    StartLane();
  }

  void SendValues(int count, size_t size) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(Send({.value = std::string(size, 'v')}));
  }
};

TEST_F(RoomTest, LapsArePaddedAndReadBackWhole) {
  size_t received = 0;
  for (int i = 0; i < 2'000; ++i) {
    const std::string value = std::to_string(i) + std::string(static_cast<size_t>(i * 37 % 1'500), 'v');
    ASSERT_TRUE(Send({.value = value}));
    ASSERT_EQ(Receive(), Outcome::kEmpty);
    const std::vector<std::string> values = Consume();
    ASSERT_EQ(values, std::vector<std::string>{value});
    ++received;
  }
  EXPECT_GT(pads_, 10u);
  EXPECT_EQ(Books().Appended(), received);
}

TEST_F(RoomTest, ReadsNoMoreThanSurelyFits) {
  SendValues(40, 1'900);
  Outcome outcome = Outcome::kMore;
  while (outcome == Outcome::kMore) outcome = Receive();
  EXPECT_EQ(outcome, Outcome::kNoRoom);
  EXPECT_FALSE(lane_->HasRoom());
  EXPECT_EQ(lane_->PublishLeftovers(), Outcome::kEmpty);  // what was read is in the ring
  const size_t first = Consume().size();
  EXPECT_GT(first, 10u);
  EXPECT_TRUE(lane_->HasRoom());
  size_t all = first;
  while (Receive() != Outcome::kEmpty) all += Consume().size();
  all += Consume().size();
  EXPECT_EQ(all, 40u);
  EXPECT_EQ(Books().Rejected(), 0u);
}

TEST_F(RoomTest, WhatIsHeldBackIsNotUsed) {
  settings_.held_back = kRing / 4;
  StartLane();
  SendValues(60, 100);
  SendValues(60, 100);
  SendValues(60, 100);
  Outcome outcome = Outcome::kMore;
  while (outcome == Outcome::kMore) outcome = Receive();
  EXPECT_EQ(outcome, Outcome::kNoRoom);
  EXPECT_LE(Producer().tail, kRing - kRing / 4);
  EXPECT_GE(Producer().tail, kRing - kRing / 4 - 2 * LargestRecord(kSlotSize));
}

TEST_F(RoomTest, RejectsWhatHasNoRoomUnderItsTopicWhereTold) {
  settings_.reject_when_full = true;
  settings_.held_back = kRing / 4;
  StartLane();
  SendValues(50, 1'500);
  while (Receive() == Outcome::kMore) {
  }
  const shm::Books books = Books();
  EXPECT_EQ(books.Received(), 50u);
  EXPECT_EQ(books.topics[0].rejected[static_cast<size_t>(Reject::kNoRoom)], books.Rejected());
  EXPECT_GT(books.Rejected(), 10u);
  EXPECT_GT(books.Appended(), 10u);
  EXPECT_LE(Producer().tail, kRing - kRing / 4);
  EXPECT_EQ(Consume().size(), books.Appended());
}

TEST_F(RoomTest, ASmallMessageIsAdmittedAfterALargeOneWasRejected) {
  settings_.reject_when_full = true;
  StartLane();
  SendValues(25, 1'500);
  ASSERT_TRUE(Send({.topic = "small", .value = "s"}));
  Receive();
  EXPECT_GT(Books().Rejected(), 0u);
  EXPECT_EQ(Consume().back(), "s");
}

TEST_F(RoomTest, SlotsOfAnEarlierLifeWaitForRoom) {
  SendValues(10, 1'900);
  ASSERT_EQ(Receive(), Outcome::kEmpty);
  SendValues(10, 1'900);
  const uint32_t received = lane_->ReceiveForDrain(0, sockets_[0].server.get());
  ASSERT_EQ(received, 10u);
  StartLane();  // as if it had died right after P2
  EXPECT_EQ(lane_->PublishLeftovers(), Outcome::kNoRoom);
  const size_t first = Books().Appended();
  EXPECT_GT(first, 10u);  // as many as fit: the burst is cut
  EXPECT_LT(first, 20u);
  EXPECT_EQ(Consume().size(), first);
  EXPECT_EQ(lane_->PublishLeftovers(), Outcome::kMore);
  EXPECT_EQ(lane_->PublishLeftovers(), Outcome::kEmpty);
  EXPECT_EQ(Consume().size(), 20 - first);
}

}  // namespace
}  // namespace dory::intake
