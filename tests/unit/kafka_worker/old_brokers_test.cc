// Brokers older than Kafka 0.11: message sets, no producer ids, at least once. Whole workers.

#include <gtest/gtest.h>

#include "tests/unit/kafka_worker/worker_fixture.h"

namespace dory::kafka {
namespace {

using Values = std::vector<std::string>;

constexpr const char* kCodecs[] = {"none", "gzip", "snappy", "lz4"};  // that they know

class OldBrokersTest : public WorkerFixture {
 protected:
  // Produce 0 and 1: Kafka 0.8 and 0.9; 2: 0.10.
  void BeOld(int16_t produce_version) {
    broker_.produce_version = produce_version;
    broker_.init_producer_id_version = -1;
    broker_.knows_api_versions = produce_version > 0;
  }

  const SeenBatch& Last() const { return broker_.seen.at(0).back(); }
};

TEST_F(OldBrokersTest, EachFormatAndCodecArrives) {
  Values all;
  for (const int16_t version : std::initializer_list<int16_t>{0, 1, 2}) {
    BeOld(version);
    for (int16_t codec = 0; codec < 4; ++codec) {
      Configure("batch_time = 1ms\ncompression = " + std::string(kCodecs[codec]) + "\n");
      const Values values = AppendMany(500, kCodecs[codec] + std::string(100, 'x'));
      all.insert(all.end(), values.begin(), values.end());
      Deliver();
      EXPECT_EQ(Last().codec, codec);
      EXPECT_EQ(Last().format, version == 2 ? 1 : 0);
      EXPECT_EQ(Last().producer_id, -1);
      EXPECT_EQ(Last().bytes < 500u * 100u / 5, codec != 0) << Last().bytes;
    }
  }
  EXPECT_EQ(broker_.log[0], all);
  EXPECT_EQ(Books().PossibleDuplicates(), 0u);
}

TEST_F(OldBrokersTest, TheClientsTimestampsArriveFromFormat1On) {
  BeOld(2);
  AppendMany(3);
  Deliver();
  for (const int64_t timestamp : Last().timestamps) EXPECT_EQ(timestamp, 1'700'000'000'000);
}

TEST_F(OldBrokersTest, ZstdGoesUncompressed) {
  BeOld(2);
  Configure("batch_time = 1ms\ncompression = zstd\n");
  AppendMany(500, std::string(100, 'x'));
  Deliver();
  EXPECT_EQ(Last().codec, 0);
}

// Nobody can say whether the first one is in the log: it is, and so twice, and counted.
TEST_F(OldBrokersTest, ARepetitionIsCountedAsPossibleDuplicates) {
  BeOld(2);
  broker_.script[0] = {{.code = 7, .appends = true}, {.code = 19}, {.code = 0, .appends = true, .cuts = true}};
  const Values values = AppendMany(4);
  Deliver();
  EXPECT_EQ(broker_.log[0].size(), 12u);
  EXPECT_EQ(Values(broker_.log[0].begin(), broker_.log[0].begin() + 4), values);
  EXPECT_EQ(Books().PossibleDuplicates(), 8u);
  EXPECT_EQ(Books().Delivered(), 4u);
}

TEST_F(OldBrokersTest, WhatIsSurelyNotThereIsNotCounted) {
  BeOld(0);
  broker_.script[0] = {{.code = 19}, {.code = 10}};
  const Values values = AppendMany(4);
  Deliver();
  EXPECT_EQ(broker_.log[0], values);
  EXPECT_EQ(Books().PossibleDuplicates(), 0u);
}

// A part of a batch has its messages from offset 0 on.
TEST_F(OldBrokersTest, RefusedMessagesAreFoundByHalving) {
  for (const int16_t version : std::initializer_list<int16_t>{0, 2}) {
    BeOld(version);
    Values values = AppendMany(50, version == 0 ? "old" : "new");
    broker_.refused = {values[0], values[17], values[49]};
    broker_.log.clear();
    Deliver();
    std::erase_if(values, [this](const std::string& value) { return broker_.refused.contains(value); });
    EXPECT_EQ(broker_.log[0], values);
  }
  EXPECT_EQ(Books().DiscardedFor(shm::Discard::kRefused), 6u);
}

// A restart between two attempts: the second life knows that the first may have got through.
TEST_F(OldBrokersTest, ALifeThatEndedIsAnUnknownOutcome) {
  BeOld(2);
  broker_.holds = true;
  AppendMany(4);
  ASSERT_TRUE(LiveUntil([this] { return FindBatch(shm::BatchState::kSent) && FindBatch(shm::BatchState::kSent)->attempts == 1; }));
  broker_.holds = false;
  Deliver();
  EXPECT_EQ(Books().PossibleDuplicates(), 4u);
}

// A wild write has no crc of its own to be found by where the messages are encoded anew.
TEST_F(OldBrokersTest, DamagedRecordsAreNotTranscoded) {
  BeOld(2);
  AppendMany(50);
  broker_.script[0] = {{.code = 19}};
  ASSERT_TRUE(LiveUntil([this] { return !broker_.seen[0].empty(); }));
  DamageSent(50);
  Deliver();
  EXPECT_EQ(Books().Delivered(), 0u);
  EXPECT_EQ(Books().Discarded(), 50u);
}

// The leader has become an older broker: the sequence is left, what it was is counted.
TEST_F(OldBrokersTest, ABatchWithASequenceLeavesItForAnOldLeader) {
  broker_.script[0] = {{.code = 6, .appends = true}};
  const Values values = AppendMany(4);
  ASSERT_TRUE(LiveUntil([this] { return !broker_.seen[0].empty(); }));
  BeOld(2);
  Deliver();
  EXPECT_EQ(broker_.seen[0].front().producer_id, 1000);
  EXPECT_EQ(Last().producer_id, -1);
  EXPECT_EQ(broker_.log[0].size(), 8u);
  EXPECT_EQ(Books().PossibleDuplicates(), 4u);
}

// And the other way round: an upgrade, and from here on once.
TEST_F(OldBrokersTest, AnUpgradedBrokerGetsSequences) {
  BeOld(0);
  Values values = AppendMany(4, "old");
  Deliver();
  BeOld(8);
  broker_.init_producer_id_version = 1;
  broker_.script[0] = {{.code = 7, .appends = true}};
  const Values more = AppendMany(4, "new");
  values.insert(values.end(), more.begin(), more.end());
  Deliver();
  EXPECT_EQ(broker_.log[0], values);
  EXPECT_EQ(Last().producer_id, 1000);
  EXPECT_EQ(Last().sequence, 0);
  EXPECT_EQ(Books().PossibleDuplicates(), 0u);
}

}  // namespace
}  // namespace dory::kafka
