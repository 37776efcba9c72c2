// Compressed batches, from the pool to a broker that takes them apart. Whole workers.

#include <gtest/gtest.h>

#include "kafka_worker/compressor.h"
#include "tests/unit/kafka_worker/worker_fixture.h"

namespace dory::kafka {
namespace {

using Values = std::vector<std::string>;

constexpr int16_t kUnsupported = 76;
constexpr const char* kCodecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};

class CompressionTest : public WorkerFixture {
 protected:
  void Compress(const std::string& codec, const std::string& more = "") {
    Configure("batch_time = 1ms\ncompression = " + codec + "\n" + more);
  }

  // So many that compression is worth it, each value another.
  Values AppendText(int count, const std::string& prefix = "m") {
    return AppendMany(count, prefix + std::string(100, 'x') + "-");
  }

  const SeenBatch& Last() const { return broker_.seen.at(0).back(); }
};

TEST_F(CompressionTest, EachCodecReachesTheBroker) {
  Values all;
  for (int16_t codec = 0; codec < 5; ++codec) {
    Compress(kCodecs[codec]);
    const Values values = AppendText(500, kCodecs[codec]);
    all.insert(all.end(), values.begin(), values.end());
    Deliver();
    EXPECT_EQ(Last().codec, codec);
    EXPECT_EQ(Last().bytes < 500u * 100u / 5, codec != 0) << Last().bytes;
  }
  EXPECT_EQ(broker_.log[0], all);
}

TEST_F(CompressionTest, SmallBatchesGoAsTheyAre) {
  Compress("zstd", "compression_min_size = 8K\n");
  AppendText(50);
  Deliver();
  EXPECT_EQ(Last().codec, 0);
  AppendText(100);
  Deliver();
  EXPECT_EQ(Last().codec, 4);
}

TEST_F(CompressionTest, WhatIsNotWorthItGoesAsItIs) {
  for (const char* codec : {"gzip", "snappy", "lz4", "zstd"}) {
    Compress(codec, "compression_min_ratio = 99%\ncompression_min_size = 0\n");
    AppendText(20);
    Deliver();
    EXPECT_EQ(Last().codec, 0);
    EXPECT_EQ(Last().values.size(), 20u);
  }
}

// The window is encoded anew, then compressed.
TEST_F(CompressionTest, APartOfABatchIsCompressedToo) {
  Compress("lz4");
  broker_.script[0] = {{.code = 87, .names_record = 60}};
  Values values = AppendText(200);
  broker_.refused = {values[60]};
  Deliver();
  EXPECT_EQ(Books().DiscardedFor(shm::Discard::kRefused), 1u);
  values.erase(values.begin() + 60);
  EXPECT_EQ(broker_.log[0], values);
  EXPECT_EQ(Last().codec, 3);
  EXPECT_EQ(Last().values.size(), 139u);
}

// The broker looks at sequences, never at bytes.
TEST_F(CompressionTest, ABatchMayGoAgainUnderAnotherCodec) {
  Compress("gzip");
  broker_.script[0] = {{.code = 0, .appends = true, .cuts = true}};
  broker_.holds = true;
  const Values values = AppendText(100);
  ASSERT_TRUE(LiveUntil([this] { return CountSent() == 1; }));
  broker_.holds = false;
  ASSERT_TRUE(LiveUntil([this] { return !broker_.seen[0].empty(); }));
  Compress("snappy");
  Deliver();
  EXPECT_EQ(broker_.seen[0].front().codec, 1);
  EXPECT_EQ(Last().codec, 2);
  EXPECT_EQ(broker_.log[0], values);
  EXPECT_EQ(Books().PossibleDuplicates(), 0u);
}

TEST_F(CompressionTest, ABrokerThatIsTooOldForZstdGetsNone) {
  broker_.produce_version = 6;
  Compress("zstd");
  const Values values = AppendText(100);
  Deliver();
  EXPECT_EQ(Last().codec, 0);
  Compress("lz4");
  AppendText(100);
  Deliver();
  EXPECT_EQ(Last().codec, 3);
}

// Both batches that were on their way, and nothing is discarded.
TEST_F(CompressionTest, ACodecThatABrokerRefusesIsNotUsedAgain) {
  broker_.topics["topic"] = 2;
  Compress("zstd", "compression_min_size = 0\ncompression_min_ratio = 0%\n");
  broker_.holds = true;
  broker_.script[0] = broker_.script[1] = {{.code = kUnsupported}};
  for (uint32_t key = 0; key < 2; ++key) segment_.AppendKeyed(topic_, key, std::string(500, 'x'));
  EXPECT_TRUE(LiveUntil([this] {
    if (broker_.holds && CountSent() == 2) broker_.GoOn();
    return IsSettled();
  }));
  EXPECT_EQ(broker_.All().size(), 2u);
  for (int32_t p = 0; p < 2; ++p) {
    EXPECT_EQ(broker_.seen[p].front().codec, 4);
    EXPECT_EQ(broker_.seen[p].back().codec, 0);
  }
}

// A wild write into the pool is no broker's to find under a crc of compressed bytes.
TEST_F(CompressionTest, DamagedRecordsAreNeverCompressed) {
  Compress("zstd");
  AppendText(50);
  broker_.script[0] = {{.code = 19}};
  ASSERT_TRUE(LiveUntil([this] { return !broker_.seen[0].empty(); }));
  DamageSent(50);
  broker_.takes_damaged = true;
  Deliver();
  EXPECT_EQ(Books().DiscardedFor(shm::Discard::kCorrupt), 50u);
  EXPECT_TRUE(broker_.log[0].empty());
}

// One batch at a time uses up all there may be; the others wait for it, and all arrive.
TEST_F(CompressionTest, BatchesWaitForInFlightBytes) {
  broker_.topics["topic"] = 8;
  Compress("gzip", "compression_level = 1\n");
  context_.config.kafka.in_flight_bytes = 1;
  size_t appended = 0;
  std::minstd_rand random(1);
  EXPECT_TRUE(LiveUntil([&] {
    while (appended < 300 && segment_.writer().Fits(shm::kRecordOverhead + 20'000)) {
      std::string value = std::to_string(1000 + appended);
      while (value.size() < 16'000) value += static_cast<char>('a' + random() % 16);
      segment_.AppendKeyed(topic_, static_cast<uint32_t>(appended++ % 8), value);
      RingBell();
    }
    return appended == 300 && IsSettled();
  }));
  EXPECT_EQ(broker_.All().size(), 300u);
  for (const auto& [partition, batches] : broker_.seen) {
    for (const SeenBatch& batch : batches) EXPECT_EQ(batch.codec, 1);
  }
  segment_.ExpectBalance();
}

}  // namespace
}  // namespace dory::kafka
