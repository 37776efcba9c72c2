// The overflow file and the final drain that writes it.

#include "intake_worker/overflow.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "intake_worker/final_drain.h"
#include "tests/unit/intake_worker/lane_fixture.h"

namespace dory::intake {
namespace {

using shm::Reject;
using Values = std::vector<std::string>;

constexpr uint64_t kRing = 16 * 1024;

class OverflowTest : public LaneFixture {
 protected:
  void SetUp() override {
    MakeSegment(kRing, 512);
    StartLane();
  }

  // So many messages that the ring can't hold them.
  void SendMany(size_t input, int from, int to) {
    for (int i = from; i < to; ++i) {
      const std::string value = std::to_string(i) + std::string(500, 'v');
      ASSERT_TRUE(Send({.topic = "input" + std::to_string(input), .value = value}, input));
    }
  }

  void Drain(int64_t room_limit_ms = 0) {
    const InputSocket inputs[] = {{0, sockets_[0].server.get()}, {1, sockets_[1].server.get()}};
    DrainFinally(*lane_, inputs, [] { return std::vector<StreamSocket>(); }, {.room_ms = room_limit_ms});
  }

  bool FileExists() const { return std::filesystem::exists(settings_.overflow_path); }

  // Publishes what was left, with a consumer that keeps up. Returns the numbers of the messages.
  std::vector<int> PublishAll() {
    std::vector<int> numbers;
    const auto take = [&] {
      for (const std::string& value : Consume()) numbers.push_back(std::atoi(value.c_str()));
    };
    while (lane_->PublishLeftovers() != Outcome::kEmpty) take();
    take();
    return numbers;
  }
};

std::vector<int> Count(int from, int to) {
  std::vector<int> numbers;
  for (int i = from; i < to; ++i) numbers.push_back(i);
  return numbers;
}

TEST_F(OverflowTest, TheFinalDrainUsesTheRingWhileItHasRoom) {
  SendMany(0, 0, 10);
  Drain();
  EXPECT_FALSE(FileExists());
  EXPECT_EQ(Consume().size(), 10u);
}

TEST_F(OverflowTest, TheFinalDrainTellsSendersFirst) {
  Drain();
  EXPECT_FALSE(Send({}));
  EXPECT_EQ(errno, EPIPE);
}

TEST_F(OverflowTest, WhatDoesNotFitGoesToTheFileAndIsPublishedByTheNextStart) {
  SendMany(0, 0, 70);
  Drain();
  EXPECT_TRUE(FileExists());
  const size_t in_ring = Books().Received();  // nothing in the file counts
  EXPECT_GT(in_ring, 10u);
  EXPECT_LT(in_ring, 70u);
  StartLane();
  EXPECT_EQ(PublishAll(), Count(0, 70));
  EXPECT_EQ(Books().Appended(), 70u);
  EXPECT_FALSE(FileExists());
  EXPECT_EQ(Producer().overflow_in, 0u);
  EXPECT_EQ(Producer().overflow_out, 0u);
}

TEST_F(OverflowTest, OnceThereIsAFileTheRingWaitsBehindIt) {
  SendMany(0, 0, 70);
  Drain();
  const size_t in_ring = Consume().size();
  StartLane();
  for (SocketPair& pair : sockets_) pair = SocketPair();
  SendMany(1, 70, 80);
  Drain();  // the supervisor dies again before the file was read
  EXPECT_EQ(Books().Received(), in_ring);
  StartLane();
  EXPECT_EQ(PublishAll(), Count(static_cast<int>(in_ring), 80));
}

TEST_F(OverflowTest, MessagesKeepTheirInputAndTheirTruncation) {
  settings_.limits = {kSlotSize, 100};
  StartLane();
  SendMany(0, 0, 40);
  Drain();
  StartLane();
  for (SocketPair& pair : sockets_) pair = SocketPair();
  ASSERT_TRUE(Send({.value = std::string(2 * kSlotSize, 'v')}, 0));
  ASSERT_TRUE(Send({.value = std::string(200, 'v')}, 1));
  ASSERT_TRUE(sockets_[0].Send(""));
  Drain();
  StartLane();
  EXPECT_EQ(PublishAll().size(), 40u);
  EXPECT_EQ(Books().RejectedFor(Reject::kTooLong), 2u);
  EXPECT_EQ(Books().RejectedFor(Reject::kMalformed), 1u);
}

TEST_F(OverflowTest, ManyTopicsInTheFileAreMoreThanOneBurst) {
  SendMany(0, 0, 40);
  Drain();
  StartLane();
  sockets_[0] = SocketPair();
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(Send({.topic = "t" + std::to_string(i), .value = std::to_string(40 + i)}));
    if (i % 100 == 99) {
      while (lane_->ReceiveForDrain(0, sockets_[0].server.get()) > 0) {
        ASSERT_TRUE(lane_->MoveSlotsToOverflow().ok());
      }
    }
  }
  StartLane();
  EXPECT_EQ(PublishAll(), Count(0, 340));
}

TEST_F(OverflowTest, WithoutAFolderWhatFindsNoRoomIsRejectedAndCounted) {
  settings_.overflow_path = "";
  StartLane();
  SendMany(0, 0, 70);
  Drain();
  const shm::Books books = Books();
  EXPECT_EQ(books.Received(), 70u);
  EXPECT_EQ(books.RejectedFor(Reject::kNoRoom), books.Rejected());
  EXPECT_GT(books.Rejected(), 0u);
  EXPECT_EQ(Consume().size(), books.Appended());
}

TEST_F(OverflowTest, WithoutAFolderRoomIsWaitedFor) {
  settings_.overflow_path = "";
  StartLane();
  SendMany(0, 0, 70);
  std::atomic<bool> done = false;
  std::thread consumer([this, &done] {
    while (!done) Consume();
    Consume();
  });
  Drain(60'000);
  done = true;
  consumer.join();
  EXPECT_EQ(next_ordinal_, 70u);
  EXPECT_EQ(Books().Appended(), 70u);
}

TEST_F(OverflowTest, AFileThatCannotBeWrittenIsNotFatal) {
  settings_.overflow_path = folder_ + "/nowhere/overflow.0";
  StartLane();
  SendMany(0, 0, 70);
  Drain();
  EXPECT_EQ(Books().Received(), 70u);
}

TEST_F(OverflowTest, AFileThatNothingWasCommittedInIsRemoved) {
  std::ofstream(settings_.overflow_path) << "half a message";
  StartLane();
  EXPECT_FALSE(FileExists());
  EXPECT_EQ(lane_->PublishLeftovers(), Outcome::kEmpty);
}

TEST_F(OverflowTest, PositionsWithoutAFileAreForgotten) {
  auto& producer = *intake_->GetWritable<shm::ProducerPage>(shm::RegionKind::kProducer, 0);
  shm::Store(producer.overflow_out, 500);
  StartLane();
  EXPECT_EQ(Producer().overflow_out, 0u);
  EXPECT_EQ(lane_->PublishLeftovers(), Outcome::kEmpty);
}

TEST_F(OverflowTest, ADamagedFileIsSetAsideAndTheIntakeGoesOn) {
  SendMany(0, 0, 70);
  Drain();
  std::filesystem::resize_file(settings_.overflow_path, 1'000);
  const size_t in_ring = Consume().size();
  StartLane();
  EXPECT_EQ(PublishAll().size(), 0u);
  EXPECT_TRUE(std::filesystem::exists(settings_.overflow_path + ".damaged"));
  EXPECT_EQ(Books().Received(), in_ring);
  StartLane();
  sockets_[0] = SocketPair();
  ASSERT_TRUE(Send({}));
  EXPECT_EQ(Receive(), Outcome::kEmpty);
  EXPECT_EQ(Consume(), Values{"value"});
}

}  // namespace
}  // namespace dory::intake
