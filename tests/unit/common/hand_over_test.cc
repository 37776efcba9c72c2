#include "common/hand_over.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "common/control.pb.h"

namespace dory {
namespace {

class HandOverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    sender_ = std::make_unique<HandOverSender>(
        loop_, FileDescriptor(ends[0]),
        HandOverSender::Callbacks{[this](uint32_t slot, uint64_t generation) { closed_.emplace_back(slot, generation); },
                                  [this] { ++idle_; }},
        10);
    receiver_fd_.Reset(ends[1]);
  }

  void OpenReceiver() {
    receiver_ = std::make_unique<HandOverReceiver>(
        loop_, receiver_fd_.Release(),
        HandOverReceiver::Callbacks{[this](HandedConnection connection) { taken_.push_back(std::move(connection)); },
                                    [this] { completed_at_.push_back(taken_.size()); }});
  }

  // A connection whose far end is kept in far_, in the order of slots.
  void Add(uint32_t slot) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    held_.emplace_back(ends[0]);
    far_.emplace_back(ends[1]);
    sender_->Add({slot, 1000 + slot, slot % 3, ends[0]});
  }

  void Turn(int times = 8) {
    for (int i = 0; i < times; ++i) loop_.RunOnce(false);
  }

  EventLoop loop_;
  FileDescriptor receiver_fd_;
  std::unique_ptr<HandOverSender> sender_;
  std::unique_ptr<HandOverReceiver> receiver_;
  std::vector<FileDescriptor> held_;
  std::vector<FileDescriptor> far_;
  std::vector<HandedConnection> taken_;
  std::vector<size_t> completed_at_;
  std::vector<std::pair<uint32_t, uint64_t>> closed_;
  int idle_ = 0;
};

TEST_F(HandOverTest, EveryConnectionArrivesInOrderWithItsDescriptor) {
  OpenReceiver();
  for (uint32_t slot = 0; slot < 300; ++slot) Add(slot);
  sender_->AddComplete();
  EXPECT_FALSE(sender_->idle());
  Turn(40);
  ASSERT_EQ(taken_.size(), 300u);
  for (uint32_t slot = 0; slot < 300; ++slot) {
    EXPECT_EQ(taken_[slot].slot, slot);
    EXPECT_EQ(taken_[slot].generation, 1000 + slot);
    EXPECT_EQ(taken_[slot].input, slot % 3);
    EXPECT_NE(::fcntl(taken_[slot].fd.get(), F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_NE(::fcntl(taken_[slot].fd.get(), F_GETFL) & O_NONBLOCK, 0);
    const char byte = static_cast<char>(slot);
    char read = 0;
    ASSERT_EQ(::write(far_[slot].get(), &byte, 1), 1);
    ASSERT_EQ(::read(taken_[slot].fd.get(), &read, 1), 1);
    EXPECT_EQ(read, byte);
  }
  EXPECT_EQ(completed_at_, std::vector<size_t>{300});
  EXPECT_TRUE(sender_->idle());
  EXPECT_EQ(idle_, 1);
}

TEST_F(HandOverTest, CompleteIsSaidWithoutAnyConnection) {
  OpenReceiver();
  sender_->AddComplete();
  Turn();
  EXPECT_EQ(completed_at_, std::vector<size_t>{0});
  EXPECT_TRUE(sender_->idle());
}

TEST_F(HandOverTest, NothingIsAcknowledgedBeforeTheReceiverHasIt) {
  Add(0);
  Turn();
  EXPECT_FALSE(sender_->idle());
  for (uint32_t slot = 1; slot < 200; ++slot) Add(slot);
  Turn();
  EXPECT_FALSE(sender_->idle());
  OpenReceiver();
  Turn(20);
  EXPECT_EQ(taken_.size(), 200u);
  EXPECT_TRUE(sender_->idle());
}

TEST_F(HandOverTest, ClosedOnesAreHeardOfAlsoWhenTheSocketWasFull) {
  OpenReceiver();
  for (uint32_t i = 0; i < 20'000; ++i) receiver_->SendClosed(i, 7 + i);
  Turn(200);
  ASSERT_EQ(closed_.size(), 20'000u);
  for (uint32_t i = 0; i < 20'000; ++i) EXPECT_EQ(closed_[i], (std::pair<uint32_t, uint64_t>(i, 7 + i)));
}

TEST_F(HandOverTest, WhatADeadIntakeHadSaidIsReadToTheEnd) {
  OpenReceiver();
  Add(0);
  Turn();
  for (uint32_t i = 0; i < 100; ++i) receiver_->SendClosed(i, i);
  receiver_.reset();
  sender_->ReadToEnd();
  EXPECT_EQ(closed_.size(), 100u);
  Add(1);
  Turn();
  EXPECT_FALSE(sender_->idle());  // nobody has taken it
}

// The receiver may open three more descriptors at most; all others of the group are cut off by the kernel.
TEST_F(HandOverTest, WhatAReceiverHasNoDescriptorsForIsHandedOverAgain) {
  OpenReceiver();
  for (uint32_t slot = 0; slot < 10; ++slot) Add(slot);
  const int next = ::dup(0);
  ::close(next);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit tight{static_cast<rlim_t>(next) + 3, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  sender_->AddComplete();
  Turn();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_LE(taken_.size(), 3u);
  ASSERT_GE(taken_.size(), 1u);
  EXPECT_TRUE(completed_at_.empty());
  EXPECT_FALSE(sender_->idle());
  EXPECT_TRUE(sender_->is_short());
  while (!sender_->idle()) loop_.RunOnce(true);
  EXPECT_FALSE(sender_->is_short());
  ASSERT_EQ(taken_.size(), 10u);
  for (uint32_t slot = 0; slot < 10; ++slot) EXPECT_EQ(taken_[slot].slot, slot);
  EXPECT_EQ(completed_at_, std::vector<size_t>{10});
}

TEST_F(HandOverTest, AnAnswerThatMakesNoSenseIsIgnored) {
  Add(0);
  Turn();
  control::HandOverAnswer answer;
  answer.set_taken(5);
  const std::string bytes = answer.SerializeAsString();
  ASSERT_EQ(::send(receiver_fd_.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  ASSERT_EQ(::send(receiver_fd_.get(), "\xff\xff", 2, 0), 2);
  Turn();
  EXPECT_FALSE(sender_->idle());
  OpenReceiver();
  Turn();
  EXPECT_TRUE(sender_->idle());
}

}  // namespace
}  // namespace dory
