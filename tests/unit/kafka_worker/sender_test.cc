// When and where batches go: order, partitions, and who wakes whom. Whole workers against brokers.

#include "kafka_worker/sender.h"

#include <gtest/gtest.h>

#include "tests/unit/kafka_worker/worker_fixture.h"

namespace dory::kafka {
namespace {

using Values = std::vector<std::string>;
using SenderTest = WorkerFixture;

TEST_F(SenderTest, KeysGoToTheirPartitionInOrder) {
  broker_.topics["topic"] = 4;
  for (int i = 0; i < 100; ++i) {
    segment_.AppendKeyed(topic_, static_cast<uint32_t>(i % 7), std::to_string(100 + i));
  }
  Deliver();
  for (const auto& [partition, values] : broker_.log) {
    EXPECT_TRUE(std::is_sorted(values.begin(), values.end()));
    for (const std::string& value : values) EXPECT_EQ((std::stoi(value) - 100) % 7 % 4, partition);
  }
  EXPECT_EQ(broker_.All().size(), 100u);
}

// Its sequence is refused while a younger batch is on its way to the other partition, where it would
// come behind that one.
TEST_F(SenderTest, ABatchThatWasSentOnceStaysWithItsPartition) {
  broker_.topics["topic"] = 2;
  broker_.script[0] = {{.code = 45}};
  broker_.holds = true;
  segment_.Append(topic_, "0");
  bool second = false;
  EXPECT_TRUE(LiveUntil([&] {
    if (!second && CountSent() == 1) {
      segment_.Append(topic_, "1");
      RingBell();
      second = true;
    }
    if (broker_.holds && CountSent() == 2) broker_.GoOn();
    return second && IsSettled();
  }));
  EXPECT_EQ(broker_.log[0], Values{"0"});
  EXPECT_EQ(broker_.log[1], Values{"1"});
}

TEST_F(SenderTest, AnyPartitionBatchesTakeTurns) {
  broker_.topics["topic"] = 3;
  Configure("batching = off\n");
  int appended = 0;
  EXPECT_TRUE(LiveUntil([&] {
    if (appended < 9 && IsSettled()) {
      segment_.Append(topic_, std::to_string(appended++));
      RingBell();
    }
    return appended == 9 && IsSettled();
  }));
  for (int32_t p = 0; p < 3; ++p) EXPECT_EQ(broker_.log[p].size(), 3u);
}

// The one before is due because there is a younger one; nobody else looks at it.
TEST_F(SenderTest, ABatchIsDueAtItsTimeAndNotMuchLater) {
  Configure("batch_time = 40ms\n");
  for (int round = 0; round < 5; ++round) {
    const int64_t begin = MonotonicMs();
    segment_.Append(topic_, std::to_string(round));
    Deliver();
    EXPECT_LT(MonotonicMs() - begin, 900);
  }
}

// Records whose time began while a turn went on: the alarm of their batch is too early, and looks again.
TEST_F(SenderTest, AnAlarmThatIsTooEarlyIsSetAgain) {
  Configure("batch_time = 30ms\n");
  bool appended = false;
  EXPECT_TRUE(LiveUntil([&] {
    if (!appended && broker_.metadata_requests > 0) {
      shm::MessageView message = shm::TestSegment::MakeMessage(topic_, "value");
      segment_.writer().Write(message, BoottimeNs() + 20'000'000, 0);  // received "later" than now
      shm::Store(segment_.producer().tail, segment_.writer().write_position());
      shm::Store(segment_.TopicRow(topic_).appended, 1);
      shm::Store(segment_.producer().stage.base, segment_.writer().write_position());
      RingBell();
      appended = true;
    }
    return appended && IsSettled();
  }));
}

// Six of three topics are enough, and go in one request.
TEST_F(SenderTest, CombinedTopicsShareARequest) {
  std::vector<uint32_t> rows = {topic_};
  for (const char* name : {"second", "third"}) {
    rows.push_back(segment_.AddTopic(name));
    broker_.topics[name] = 1;
  }
  Configure("batching = combined\nbatch_time = 1h\nbatch_messages = 6\n");
  size_t appended = 0;
  EXPECT_TRUE(LiveUntil([&] {
    if (appended < 6) {
      segment_.Append(rows[appended % 3], std::to_string(appended));
      ++appended;
      RingBell();
    }
    return appended == 6 && IsSettled();
  }));
  ASSERT_EQ(broker_.seen[0].size(), 3u);
  for (const SeenBatch& batch : broker_.seen[0]) {
    EXPECT_EQ(batch.values.size(), 2u);
    EXPECT_EQ(batch.in_request, 3u);
  }
}

// Without waiting for the answer to the first.
TEST_F(SenderTest, MoreThanOneRequestCanTakeGoesWithTheNext) {
  broker_.topics["topic"] = 20;
  context_.config.kafka.max_request_bytes = 1000;
  broker_.holds = true;
  for (uint32_t key = 0; key < 20; ++key) segment_.AppendKeyed(topic_, key, std::string(900, 'x'));
  const int64_t begin = MonotonicMs();
  EXPECT_TRUE(LiveUntil([&] {
    if (broker_.holds && CountSent() == kMaxExchanges) broker_.GoOn();
    return IsSettled();
  }));
  EXPECT_EQ(broker_.All().size(), 20u);
  EXPECT_LT(MonotonicMs() - begin, 900);
}

// A partition whose answers take long goes alone and over another connection, until it is in time again.
TEST_F(SenderTest, ASuspectPartitionHoldsUpNobody) {
  broker_.topics["topic"] = 3;
  broker_.script[0] = {{.code = 20}};
  for (uint32_t key = 0; key < 3; ++key) segment_.AppendKeyed(topic_, key, "first");
  size_t healthy = 0;
  EXPECT_TRUE(LiveUntil([&] {
    if (broker_.seen[0].size() == 1) broker_.stuck = {0};  // from here on it would never be answered
    if (healthy < 20 && broker_.log[1].size() + broker_.log[2].size() == 2 * (healthy + 1)) {
      segment_.AppendKeyed(topic_, 1, std::to_string(healthy));
      segment_.AppendKeyed(topic_, 2, std::to_string(healthy++));
      RingBell();
    }
    if (healthy == 20 && broker_.log[1].size() == 21) broker_.GoOn();
    return healthy == 20 && IsSettled();
  }));
  const SeenBatch& alone = broker_.seen[0].back();
  EXPECT_EQ(alone.in_request, 1u);
  EXPECT_NE(alone.connection, broker_.seen[1].back().connection);
  for (const SeenBatch& other : broker_.seen[1]) EXPECT_EQ(other.connection, broker_.seen[1][0].connection);
  const size_t before = broker_.seen[0].size();
  segment_.AppendKeyed(topic_, 0, "in time again");
  Deliver();
  EXPECT_EQ(broker_.seen[0].size(), before + 1);
}

// Alone each: the one that is stuck is served last, so the other two have to go before it.
TEST_F(SenderTest, SuspectsTakeTurns) {
  broker_.topics["topic"] = 3;
  for (int32_t p = 0; p < 3; ++p) broker_.script[p] = {{.code = 20}, {.code = 20}};
  for (uint32_t key = 0; key < 3; ++key) segment_.AppendKeyed(topic_, key, "value");
  Deliver();
  for (int32_t p = 0; p < 3; ++p) {
    ASSERT_EQ(broker_.seen[p].size(), 3u);
    EXPECT_EQ(broker_.seen[p][1].in_request, 1u);
    EXPECT_EQ(broker_.seen[p][2].in_request, 1u);
  }
}

TEST_F(SenderTest, TheTimeoutOfASuspectDoubles) {
  broker_.script[0] = {{.code = 7}, {.code = 7}, {.code = 7}, {.code = 7}};
  AppendMany(1);
  Deliver();
  std::vector<int32_t> timeouts;
  for (const SeenBatch& batch : broker_.seen[0]) timeouts.push_back(batch.timeout_ms);
  EXPECT_EQ(timeouts, (std::vector<int32_t>{5000, 10'000, 20'000, 30'000, 30'000}));
}

TEST_F(SenderTest, AnyPartitionBatchesGoWhereNobodyIsSuspect) {
  broker_.topics["topic"] = 2;
  Configure("batching = off\n");
  broker_.script[0] = {{.code = 20}};
  int appended = 0;
  EXPECT_TRUE(LiveUntil([&] {
    if (appended < 10 && IsSettled()) {
      segment_.Append(topic_, std::to_string(appended++));
      RingBell();
    }
    if (appended == 1 && broker_.seen[0].size() == 1) broker_.stuck = {0};
    if (broker_.stuck.contains(0) && broker_.log[1].empty() && appended == 1) {
      segment_.Append(topic_, std::to_string(appended++));
      RingBell();
    }
    if (broker_.log[1].size() == 1) broker_.GoOn();
    return appended == 10 && IsSettled();
  }));
  EXPECT_EQ(broker_.All().size(), 10u);
}

// While none but suspects are left they take what comes.
TEST_F(SenderTest, WhereAllAreSuspectTheyTakeAnyPartitionBatches) {
  broker_.always[0] = 20;
  const Values values = AppendMany(1);
  ASSERT_TRUE(LiveUntil([this] { return broker_.seen[0].size() == 3; }));
  AppendMany(3, "more");
  broker_.always.clear();
  Deliver();
  EXPECT_EQ(broker_.log[0].size(), 4u);
}

TEST_F(SenderTest, ATopicThatComesLateGetsWhatWaited) {
  broker_.topics.clear();
  const Values values = AppendMany(50);
  EXPECT_TRUE(LiveUntil([&] {
    if (broker_.metadata_requests == 3) broker_.topics["topic"] = 1;
    return IsSettled();
  }));
  EXPECT_EQ(broker_.log[0], values);
  segment_.ExpectBalance();
}

TEST_F(SenderTest, ATopicThatNobodyKnowsIsGivenUpAfterItsDeadline) {
  broker_.topics.clear();
  context_.config.topic_defaults.unknown_topic_deadline_ms = 60;
  AppendMany(50);
  Deliver();
  EXPECT_EQ(Books().DiscardedFor(shm::Discard::kUnknownTopic), 50u);
}

TEST_F(SenderTest, LeaderlessPartitionsAreWaitedFor) {
  broker_.leader = -1;
  const Values values = AppendMany(5);
  EXPECT_TRUE(LiveUntil([&] {
    if (broker_.metadata_requests == 3) broker_.leader = 1;
    return IsSettled();
  }));
  EXPECT_EQ(broker_.log[0], values);
}

// Keys of the partition that has none wait for it, and no others.
TEST_F(SenderTest, KeysOfALeaderlessPartitionWait) {
  broker_.topics["topic"] = 4;
  broker_.leaderless = {1, 2};
  for (uint32_t key = 0; key < 8; ++key) segment_.AppendKeyed(topic_, key, std::to_string(key));
  EXPECT_TRUE(LiveUntil([&] {
    const bool rest_is_there = broker_.log[0].size() + broker_.log[3].size() == 4;
    if (rest_is_there && broker_.metadata_requests >= 3) broker_.leaderless.clear();
    return IsSettled();
  }));
  for (int32_t p = 0; p < 4; ++p) EXPECT_EQ(broker_.log[p], (Values{std::to_string(p), std::to_string(p + 4)}));
}

// They go to the next partition that has one, around the end, and no others move; then they go home again.
TEST_F(SenderTest, KeysOfALeaderlessPartitionTakeTheNext) {
  broker_.topics["topic"] = 4;
  broker_.leaderless = {2, 3};
  Configure("batch_time = 1ms\npartition_key_fallback = next\n");
  for (uint32_t key = 0; key < 8; ++key) segment_.AppendKeyed(topic_, key, std::to_string(key));
  Deliver();
  std::sort(broker_.log[0].begin(), broker_.log[0].end());  // the batches of three partitions
  EXPECT_EQ(broker_.log[0], (Values{"0", "2", "3", "4", "6", "7"}));
  EXPECT_EQ(broker_.log[1], (Values{"1", "5"}));
  broker_.leaderless.clear();
  for (uint32_t key = 0; key < 4; ++key) segment_.AppendKeyed(topic_, key, "home");
  Deliver();
  for (int32_t p = 0; p < 4; ++p) EXPECT_EQ(broker_.log[p].back(), "home");
}

// What waits for its answer stays; the younger ones go round it.
TEST_F(SenderTest, WhatIsUnderWayStaysWithItsPartition) {
  broker_.topics["topic"] = 2;
  broker_.script[0] = {{.code = 6}, {.code = 6}, {.code = 6}, {.code = 6}};  // until metadata knows of no leader
  Configure("batch_time = 1ms\npartition_key_fallback = next\n");
  segment_.AppendKeyed(topic_, 0, "under way");
  bool second = false;
  EXPECT_TRUE(LiveUntil([&] {
    if (!second && broker_.seen[0].size() == 1) {
      broker_.leaderless = {0};
      segment_.AppendKeyed(topic_, 0, "younger");
      RingBell();
      second = true;
    }
    if (!broker_.log[1].empty()) broker_.leaderless.clear();
    return second && IsSettled();
  }));
  EXPECT_EQ(broker_.log[0], Values{"under way"});
  EXPECT_EQ(broker_.log[1], Values{"younger"});
}

// It would come there behind younger ones that went round it.
TEST_F(SenderTest, ABatchOfAKeyThatWasSentOnceDoesNotTakeTheNext) {
  broker_.topics["topic"] = 2;
  broker_.leaderless = {0};
  segment_.AppendKeyed(topic_, 0, "sent once");
  const auto find_open = [this] { return FindBatch(shm::BatchState::kOpen); };
  ASSERT_TRUE(LiveUntil([&] { return find_open() != nullptr && broker_.metadata_requests >= 2; }));
  const auto* const batches = segment_.check().Get<shm::BatchDescriptor>(shm::RegionKind::kBatches, 0);
  const auto pinned = static_cast<shm::BatchId>(find_open() - batches);
  WritableBatch(pinned).word = shm::MakeBatchWord(shm::BatchState::kPinned, 0, 0);
  Configure("batch_time = 1ms\npartition_key_fallback = next\n");
  segment_.AppendKeyed(topic_, 0, "younger");
  const size_t before = broker_.metadata_requests;
  EXPECT_TRUE(LiveUntil([&] {
    if (broker_.metadata_requests >= before + 3) broker_.leaderless.clear();
    return IsSettled();
  }));
  EXPECT_EQ(broker_.log[0], (Values{"sent once", "younger"}));
}

// Metadata is fine, the leader is down: nothing but its back-off says when to try again.
TEST_F(SenderTest, ALeaderThatIsDownIsTriedAgainUntilItIsUp) {
  FakeBroker other(context_.loop, false);
  other.topics = broker_.topics;
  broker_.other_port = other.port();
  broker_.leader = 2;
  const Values values = AppendMany(5);
  const int64_t begin = MonotonicMs();
  bool listens = false;
  EXPECT_TRUE(LiveUntil([&] {
    if (!listens && MonotonicMs() - begin > 250) {
      other.Listen();
      listens = true;
    }
    return IsSettled();
  }));
  EXPECT_EQ(other.log[0], values);
  EXPECT_LT(MonotonicMs() - begin, 2500);
}

TEST_F(SenderTest, NothingIsSentBeforeThereIsAProducerId) {
  AppendMany(5);
  Deliver();
  EXPECT_EQ(broker_.empty_produces, 0u);
  EXPECT_EQ(broker_.seen[0].at(0).producer_id, 1000);
}

TEST_F(SenderTest, AFullPoolGoesOnWithTheFirstAnswers) {
  broker_.topics["topic"] = 2;
  size_t appended = 0;
  EXPECT_TRUE(LiveUntil([&] {
    while (appended < 400 && segment_.writer().Fits(shm::kRecordOverhead + 12'000)) {
      segment_.Append(topic_, std::to_string(1000 + appended++) + std::string(12'000 - 4, 'x'));
      RingBell();
    }
    return appended == 400 && IsSettled();
  }));
  EXPECT_EQ(broker_.All().size(), 400u);
  segment_.ExpectBalance();
}

}  // namespace
}  // namespace dory::kafka
