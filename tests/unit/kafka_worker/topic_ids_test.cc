// A whole worker and a broker that knows topics by their ids: Produce 13, Metadata 10 and newer.

#include <gtest/gtest.h>

#include "tests/unit/kafka_worker/worker_fixture.h"

namespace dory::kafka {
namespace {

constexpr protocol::TopicId kOld = {std::byte{1}};
constexpr protocol::TopicId kNew = {std::byte{2}};

class TopicIdsTest : public WorkerFixture {
 protected:
  TopicIdsTest() {
    broker_.produce_version = 13;
    broker_.metadata_version = 13;
    broker_.ids["topic"] = kOld;
  }

  std::vector<int16_t> VersionsOf(int32_t partition) {
    std::vector<int16_t> versions;
    for (const SeenBatch& batch : broker_.seen[partition]) versions.push_back(batch.version);
    return versions;
  }
};

TEST_F(TopicIdsTest, TheNewestVersionCallsTopicsByTheirIds) {
  const std::vector<std::string> values = AppendMany(10);
  Deliver();
  EXPECT_EQ(broker_.log[0], values);
  EXPECT_EQ(VersionsOf(0), std::vector<int16_t>{13});
}

TEST_F(TopicIdsTest, EveryVersionDelivers) {
  std::vector<std::string> values;
  for (int16_t version = 3; version <= 13; ++version) {
    broker_.produce_version = version;
    for (const std::string& value : AppendMany(3, std::to_string(version) + ".")) values.push_back(value);
    Deliver();
    EXPECT_EQ(broker_.seen[0].back().version, version);
  }
  EXPECT_EQ(broker_.log[0], values);
}

TEST_F(TopicIdsTest, EveryVersionOfMetadataWillDo) {
  std::vector<std::string> values;
  for (int16_t version = 0; version <= 13; ++version) {
    broker_.metadata_version = version;
    for (const std::string& value : AppendMany(3, std::to_string(version) + ".")) values.push_back(value);
    Deliver();
    EXPECT_EQ(broker_.seen[0].back().version, version < 10 ? 12 : 13);
  }
  EXPECT_EQ(broker_.log[0], values);
}

// One request is one version: a topic without an id takes those with one along.
TEST_F(TopicIdsTest, WithoutAnIdTheNameIsUsed) {
  const uint32_t other = segment_.AddTopic("other");
  broker_.topics["other"] = 2;  // whose id nobody tells
  segment_.Append(topic_, "a");
  segment_.AppendKeyed(other, 1, "b");
  Deliver();
  EXPECT_EQ(broker_.All(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(VersionsOf(1), std::vector<int16_t>{12});
  EXPECT_EQ(VersionsOf(0), std::vector<int16_t>(1, broker_.seen[0].at(0).in_request == 2 ? 12 : 13));
}

// Nothing of it is SENT meanwhile.
TEST_F(TopicIdsTest, WhereOnlyIdsWouldDoMetadataIsAskedForThem) {
  broker_.produce_version_lowest = 13;
  broker_.ids.clear();
  AppendMany(3);
  EXPECT_TRUE(LiveUntil([this] { return broker_.metadata_requests >= 3; }));
  EXPECT_EQ(CountSent(), 0u);
  EXPECT_TRUE(broker_.seen[0].empty());
  broker_.ids["topic"] = kOld;
  Deliver();
  EXPECT_EQ(broker_.log[0].size(), 3u);
}

// Deleted and created anew, while a life goes on: the old id is nobody's, and the new one is learnt.
TEST_F(TopicIdsTest, AnUnknownIdIsAskedForAnew) {
  const std::vector<std::string> before = AppendMany(3, "before");
  bool recreated = false;
  size_t asked = 0;
  EXPECT_TRUE(LiveUntil([&] {
    if (!IsSettled()) return false;
    if (!recreated) {
      recreated = true;
      asked = broker_.metadata_requests;
      broker_.ids["topic"] = kNew;
      AppendMany(3, "after");
      RingBell();
      return false;
    }
    return true;
  }));
  EXPECT_EQ(broker_.log[0].size(), 6u);
  EXPECT_GT(broker_.metadata_requests, asked);
  EXPECT_EQ(VersionsOf(0), (std::vector<int16_t>{13, 13}));
  EXPECT_EQ(Books().PossibleDuplicates(), 0u);
}

// ---- created anew: what of it is SENT, what waits for partitions that are gone, and what is remembered

class RecreatedTest : public TopicIdsTest {
 protected:
  using Values = std::vector<std::string>;

  RecreatedTest() { broker_.takes_any_sequence = true; }

  void Recreate(int32_t partitions) {
    broker_.ids["topic"] = kNew;
    broker_.topics["topic"] = partitions;
    broker_.log.clear();
    broker_.offsets.entries.clear();
    broker_.ForgetProducers();
  }

  // A life that sends messages of keys 0 to 3, one a partition, which are never answered.
  void SendUnheard(bool appends) {
    broker_.topics["topic"] = 4;
    for (int32_t p = 0; p < 4; ++p) broker_.script[p] = {{.appends = appends, .cuts = true}};
    for (uint32_t key = 0; key < 4; ++key) segment_.AppendKeyed(topic_, key, "sent" + std::to_string(key));
    ASSERT_TRUE(LiveUntil([this] { return CountSent() == 4 && !broker_.seen[0].empty(); }));
    broker_.script.clear();
  }
};

TEST_F(RecreatedTest, AnOffsetOfTheOldLogIsForgotten) {
  for (int i = 0; i < 2; ++i) {
    AppendMany(5);
    Deliver();
  }
  EXPECT_EQ(PartitionRowOf(0).acked_offset, 5);
  Recreate(1);
  broker_.script[0] = {{.code = 19}};
  AppendMany(5);
  const size_t seen = broker_.seen[0].size();
  ASSERT_TRUE(LiveUntil([&] { return broker_.seen[0].size() > seen; }));
  EXPECT_EQ(PartitionRowOf(0).acked_offset, -1);
  EXPECT_EQ(PartitionRowOf(0).topic_id[0], kNew[0]);
  Deliver();
  EXPECT_EQ(PartitionRowOf(0).acked_offset, 0);
}

// Whatever became of it in the old log: it is in the new one if an attempt by name has brought it there.
TEST_F(RecreatedTest, TheNewLogIsAskedForWhatWasSent) {
  for (const bool arrives : {false, true}) {
    broker_.offers_fetch = true;
    broker_.ids["topic"] = kOld;
    AppendMany(5, "before");
    Deliver();
    broker_.script[0] = {{.appends = false, .cuts = true}};
    const Values values = AppendMany(5, "sent");
    const size_t seen = broker_.seen[0].size();
    ASSERT_TRUE(LiveUntil([&] { return broker_.seen[0].size() > seen; }));
    Recreate(1);
    const SeenBatch& sent = broker_.seen[0].back();
    if (arrives) broker_.offsets.Append(0, sent.producer_id, sent.epoch, sent.sequence, values.size());
    broker_.offsets.asked = 0;
    Deliver();
    EXPECT_GT(broker_.offsets.asked, 0u);
    EXPECT_EQ(broker_.log[0], arrives ? Values{} : values);
    EXPECT_EQ(Books().PossibleDuplicates(), 0u);
  }
}

TEST_F(RecreatedTest, WhatWasNeverSentGoesToPartitionsThatThereAre) {
  broker_.topics["topic"] = 4;
  broker_.leader = -1;
  for (uint32_t key = 0; key < 8; ++key) segment_.AppendKeyed(topic_, key, std::to_string(key));
  ASSERT_TRUE(LiveUntil([this] { return FindBatch(shm::BatchState::kOpen) != nullptr; }));
  EXPECT_EQ(Books().Buffered(), 8u);
  broker_.leader = 1;
  Recreate(2);
  Deliver();
  EXPECT_EQ(broker_.log[0], (Values{"0", "4", "2", "6"}));
  EXPECT_EQ(broker_.log[1], (Values{"1", "5", "3", "7"}));
  EXPECT_EQ(Books().PossibleDuplicates(), 0u);
}

TEST_F(RecreatedTest, WhatWasSentToThoseThatAreGoneIsCounted) {
  SendUnheard(true);
  Recreate(2);
  Deliver();
  EXPECT_EQ(broker_.All().size(), 4u);
  EXPECT_EQ(Books().PossibleDuplicates(), 2u);  // the others were asked for, or sent the same again
  segment_.AppendKeyed(topic_, 3, "after");
  Deliver();
  EXPECT_EQ(broker_.log[1].back(), "after");
}

TEST_F(RecreatedTest, OrIsDiscarded) {
  Configure("batch_time = 1ms\non_ambiguous = at_most_once\n");
  SendUnheard(true);
  Recreate(2);
  Deliver();
  EXPECT_EQ(Books().DiscardedFor(shm::Discard::kAmbiguous), 2u);
  EXPECT_EQ(broker_.All().size(), 2u);
}

// Within a life, AnyPartition batches among them, and with new messages while it goes on. What was on its way to
// those that are gone is counted, since nobody knows of it.
TEST_F(RecreatedTest, ALifeGoesOnWithFewerPartitions) {
  broker_.topics["topic"] = 4;
  Values values = AppendMany(8, "before");
  int rounds = 0;
  ASSERT_TRUE(LiveUntil([&] {
    if (!IsSettled()) return false;
    if (++rounds > 3) return true;
    if (rounds == 1) Recreate(1);
    for (uint32_t key = 0; key < 4; ++key) segment_.AppendKeyed(topic_, key, "key" + std::to_string(key));
    AppendMany(4, "any");
    RingBell();
    return false;
  }));
  EXPECT_EQ(broker_.All().size(), 24u);
  EXPECT_EQ(broker_.log[0].size(), 24u);
  EXPECT_LE(Books().PossibleDuplicates(), 8u);
}

// A broker that is behind, where no id says that it is another topic.
TEST_F(RecreatedTest, FewerPartitionsAreNotBelievedAtOnce) {
  broker_.topics["topic"] = 4;
  broker_.metadata_version = 9;
  segment_.AppendKeyed(topic_, 3, "a");
  int rounds = 0;
  ASSERT_TRUE(LiveUntil([&] {
    if (!IsSettled()) return false;
    if (++rounds > 2) return true;
    if (rounds == 1) {
      broker_.topics["topic"] = 2;
      broker_.script[3] = {{.code = 6}};  // a reason for metadata
    }
    segment_.AppendKeyed(topic_, 3, "b");
    RingBell();
    return false;
  }));
  EXPECT_EQ(broker_.log[3], (Values{"a", "b", "b"}));
}

// One that is behind, and tells of the topic as it was before.
TEST_F(RecreatedTest, TheFormerTopicIsNotBelievedAgainAtOnce) {
  broker_.topics["topic"] = 1;
  broker_.produce_version = 12;  // by name
  segment_.AppendKeyed(topic_, 3, "former");
  int rounds = 0;
  size_t asked = 0;
  ASSERT_TRUE(LiveUntil([&] {
    if (!IsSettled() || broker_.metadata_requests == asked) return false;
    if (++rounds > 3) return true;
    asked = broker_.metadata_requests;
    if (rounds == 1) Recreate(4);
    if (rounds == 2) {
      broker_.ids["topic"] = kOld;
      broker_.topics["topic"] = 1;
    }
    broker_.script[rounds == 1 ? 0 : 3] = {{.code = 6}};  // a reason for metadata
    segment_.AppendKeyed(topic_, 3, std::to_string(rounds));
    RingBell();
    return false;
  }));
  EXPECT_EQ(broker_.log[3], (Values{"2", "3"}));
}

// Brokers older than the newest version of ApiVersions that is asked for, but not older than client names.
TEST_F(TopicIdsTest, ApiVersionsIsAskedForInTheNewestThatIsKnown) {
  broker_.api_versions_version = 3;
  AppendMany(1);
  Deliver();
  EXPECT_EQ(broker_.asked_versions.at(0), 4);
  EXPECT_EQ(broker_.asked_versions.at(1), 3);
  broker_.asked_versions.clear();
  broker_.api_versions_version = 4;
  AppendMany(1);
  Deliver();
  EXPECT_EQ(broker_.asked_versions, (std::vector<int16_t>{4, 4}));  // bootstrap, then the broker
}

}  // namespace
}  // namespace dory::kafka
