#include "kafka_worker/unsent_limits.h"

#include <gtest/gtest.h>

#include "common/clock.h"
#include "tests/unit/kafka_worker/drain_fixture.h"

namespace dory::kafka {
namespace {

constexpr size_t kMessage = 10'000;  // two do not fit into a block
constexpr size_t kShare = 7;         // blocks of 128, by 6 %
constexpr int64_t kYearMs = 365LL * 24 * 3'600'000;
constexpr int64_t kNowMs = 5'000;

class UnsentLimitsTest : public DrainFixture {
 protected:
  void Configure(const std::string& options) {
    config_ = ParseConfigText("[buffer]\npartition_share = 6%\n[kafka]\nbrokers = 127.0.0.1:1\n[topic:*]\n" + options,
                              "test.conf").Take();
    Restart();
  }
  // Messages 'a', 'b', ... of the topic.
  void Append(char first, char last, uint32_t topic = 0) {
    for (char c = first; c <= last; ++c) segment_.Append(topic, std::string(kMessage, c));
    drain_->DrainRing(0);
  }
  void AppendKeyed(char first, char last) {
    for (char c = first; c <= last; ++c) segment_.AppendKeyed(0, 1, std::string(kMessage, c));
    drain_->DrainRing(0);
  }
  // One of the first topic that came then.
  void AppendOf(char c, int64_t received_ns) {
    const std::string value(kMessage, c);
    segment_.writer().Write(shm::TestSegment::MakeMessage(0, value), received_ns, 0);
    shm::Store(segment_.producer().tail, segment_.writer().write_position());
    shm::Store(segment_.TopicRow(0).appended, segment_.TopicRow(0).appended + 1);
    shm::Store(segment_.producer().stage.base, segment_.writer().write_position());
    drain_->DrainRing(0);
  }
  // As if what is routed had begun so long ago.
  bool EnforceOn(Topic& topic, int64_t age_ms = 0) {
    const auto shift = [this, age_ms](const BatchQueue& queue) {
      for (const BatchId id : queue) memory_->pool.writable(id).first_record_boottime_ns -= age_ms * 1'000'000;
    };
    shift(topic.any);
    for (const Partition& partition : topic.partitions) shift(partition.keyed);
    topics_->MarkDirty(topic);
    return UnsentLimits(*memory_, *topics_, *drain_).Enforce(kNowMs);
  }
  // The first byte of each message of the queue.
  std::string Firsts(const BatchQueue& queue) const {
    std::string firsts;
    for (const BatchId id : queue) {
      for (const std::string& value : ValuesOf(id)) firsts += value[0];
    }
    return firsts;
  }
  uint64_t DiscardedFor(shm::Discard reason) { return segment_.ExpectBalance().books.DiscardedFor(reason); }
};

TEST_F(UnsentLimitsTest, WithoutAPolicyAllWaits) {
  Configure("");
  Topic& topic = MakeKnown(0);
  Append('a', 't');
  EXPECT_EQ(topic.any.size(), 1u);
  EXPECT_FALSE(EnforceOn(topic, kYearMs));
  EXPECT_EQ(segment_.ExpectBalance().buffered_counted, 20u);
}

TEST_F(UnsentLimitsTest, TheNewestGoWhereTheShareIsUsedUp) {
  Configure("partition_full = discard_newest\n");
  Topic& topic = MakeKnown(0);
  Append('a', 't');
  EXPECT_EQ(Firsts(topic.any), "abcdefg");
  EXPECT_EQ(DiscardedFor(shm::Discard::kPartitionFull), 20 - kShare);
  segment_.AppendKeyed(0, 1, std::string(kMessage, 'k'));  // another partition, another topic
  MakeKnown(1);
  Append('u', 'v', 1);
  EXPECT_EQ(Firsts(topic.partitions[1].keyed), "k");
  EXPECT_EQ(Firsts(topics_->Get(1).any), "uv");
  Restart();
  EXPECT_EQ(DiscardedFor(shm::Discard::kPartitionFull), 20 - kShare);
}

TEST_F(UnsentLimitsTest, TheOldestGoWhereTheShareIsUsedUp) {
  Configure("partition_full = discard_oldest\n");
  Topic& topic = MakeKnown(0);
  AppendKeyed('a', 't');
  Append('A', 'C');
  EXPECT_TRUE(EnforceOn(topic));
  EXPECT_EQ(Firsts(topic.partitions[1].keyed), "nopqrst");
  EXPECT_EQ(Firsts(topic.any), "ABC");
  EXPECT_EQ(DiscardedFor(shm::Discard::kPartitionFull), 20 - kShare);
  EXPECT_EQ(memory_->pool.free_blocks(), 128 - kShare - 3);
  Restart();
  EXPECT_EQ(Firsts(topics_->Get(0).partitions[1].keyed), "nopqrst");
}

TEST_F(UnsentLimitsTest, OneThatIsLargerThanTheShareStaysWhileItIsTheLast) {
  Configure("partition_full = discard_oldest\n");
  Topic& topic = MakeKnown(0);
  segment_.Append(0, std::string(kShare * 3 * shm::kBlockSize / 2, 'x'));
  drain_->DrainRing(0);
  EXPECT_FALSE(EnforceOn(topic));
  Append('a', 'a');
  EXPECT_TRUE(EnforceOn(topic));
  EXPECT_EQ(Firsts(topic.any), "a");
}

TEST_F(UnsentLimitsTest, WhatWasSentOnceStays) {
  Configure("partition_full = discard_oldest\ndelivery_deadline = 8s\n");
  Topic& topic = MakeKnown(0);
  AppendKeyed('a', 'j');
  SetWord(topic.partitions[1].keyed[0], shm::BatchState::kPinned, 0, 0);
  EXPECT_TRUE(EnforceOn(topic, kYearMs));
  EXPECT_EQ(Firsts(topic.partitions[1].keyed), "a");
  EXPECT_EQ(DiscardedFor(shm::Discard::kDeadline) + DiscardedFor(shm::Discard::kPartitionFull), 9u);
}

TEST_F(UnsentLimitsTest, ABatchExpiresWhenItsYoungestRecordDoes) {
  Configure("delivery_deadline = 800s\n");
  Topic& topic = MakeKnown(0);
  Append('a', 'a');
  EXPECT_FALSE(EnforceOn(topic, 850'000));
  EXPECT_EQ(DiscardedFor(shm::Discard::kDeadline), 0u);
  EXPECT_TRUE(EnforceOn(topic, 50'000));
  EXPECT_EQ(DiscardedFor(shm::Discard::kDeadline), 1u);
  EXPECT_TRUE(topic.any.empty());
  Append('b', 'b');
  EXPECT_EQ(Firsts(topic.any), "b");
}

TEST_F(UnsentLimitsTest, WhatIsToExpireIsLookedAtAgain) {
  Configure("delivery_deadline = 800s\n");
  Topic& topic = MakeKnown(0);
  Append('a', 'a');
  topics_->MarkDue(kNowMs);  // its batch_time
  EnforceOn(topic);
  topics_->TakeDirty();
  EXPECT_EQ(topics_->NextDueMs(kNowMs), 1000);
  topics_->MarkDue(kNowMs + 1000);
  EXPECT_TRUE(topics_->HasDirty());
}

TEST_F(UnsentLimitsTest, ABatchTakesRecordsForAnEighthOfTheDeadline) {
  Configure("delivery_deadline = 8s\n");
  shm::BatchDescriptor batch{};
  batch.first_record_boottime_ns = 1'000;
  EXPECT_TRUE(IsOfOneAge(config_.topic_defaults, batch, 1'000'001'000));
  EXPECT_FALSE(IsOfOneAge(config_.topic_defaults, batch, 1'000'001'001));
  EXPECT_EQ(FindExpiryNs(topics_->Get(0), 1'000), 9'000'001'000);
  Configure("");
  EXPECT_TRUE(IsOfOneAge(config_.topic_defaults, batch, INT64_MAX));
  EXPECT_EQ(FindExpiryNs(topics_->Get(0), 1'000), INT64_MAX);
}

TEST_F(UnsentLimitsTest, ABatchFromBeforeAReloadWaitsForItsYoungestRecord) {
  Configure("");
  Topic& topic = MakeKnown(0);
  Append('a', 'b');
  config_.topic_defaults.delivery_deadline_ms = 8'000;
  topics_->SetConfig(config_);
  EXPECT_FALSE(EnforceOn(topic, kYearMs));
  EXPECT_EQ(FindExpiryNs(topic, 1'000), topic.deadline_since_ns + 8'000'000'000);
}

TEST_F(UnsentLimitsTest, WhatWaitsForATopicGoesRecordByRecord) {
  Configure("partition_full = discard_oldest\ndelivery_deadline = 8s\n");
  Append('a', 't');
  EXPECT_TRUE(EnforceOn(topics_->Get(0)));
  EXPECT_EQ(topics_->Get(0).waiting.size(), kShare);
  EXPECT_EQ(DiscardedFor(shm::Discard::kPartitionFull), 20 - kShare);
  Restart();
  EXPECT_FALSE(EnforceOn(topics_->Get(0)));
  EXPECT_EQ(DiscardedFor(shm::Discard::kDeadline), 0u);
}

TEST_F(UnsentLimitsTest, WhatWaitsForATopicExpires) {
  Configure("delivery_deadline = 8s\n");
  const int64_t now_ns = BoottimeNs();
  AppendOf('a', now_ns - 9'000'000'000);
  AppendOf('b', now_ns - 8'500'000'000);
  AppendOf('c', now_ns - 4'000'000'000);
  Topic& topic = topics_->Get(0);
  EXPECT_EQ(topic.waiting.size(), 2u);
  EXPECT_TRUE(EnforceOn(topic));
  EXPECT_EQ(topic.waiting.size(), 1u);
  EXPECT_EQ(DiscardedFor(shm::Discard::kDeadline), 2u);
  MakeKnown(0);
  drain_->DrainWaiting(topic, 0);
  EXPECT_EQ(Firsts(topic.any), "c");
}

TEST_F(UnsentLimitsTest, TheNewestOfATopicThatIsNotKnownGo) {
  Configure("partition_full = discard_newest\n");
  Append('a', 't');
  EXPECT_EQ(topics_->Get(0).waiting.size(), kShare);
  EXPECT_EQ(DiscardedFor(shm::Discard::kPartitionFull), 20 - kShare);
}

}  // namespace
}  // namespace dory::kafka
