#include "supervisor/backoff.h"

#include <gtest/gtest.h>

#include "supervisor/heartbeat.h"

namespace dory::supervisor {
namespace {

TEST(BackoffTest, DoublesUpToFiveSeconds) {
  const int64_t expected[] = {0, 0, 100, 200, 400, 800, 1600, 3200, 5000, 5000};
  for (uint64_t barren = 0; barren < std::size(expected); ++barren) {
    EXPECT_EQ(BackoffMs(barren), expected[barren]) << barren;
  }
  EXPECT_EQ(BackoffMs(UINT64_MAX), kLongestBackoffMs);
}

TEST(BackoffTest, NeverMoreThanTwentyStartsASecond) {
  EXPECT_EQ(RestartDelayMs(0, 1000, 1000), 50);
  EXPECT_EQ(RestartDelayMs(0, 1000, 1030), 20);
  EXPECT_EQ(RestartDelayMs(0, 1000, 1050), 0);
  EXPECT_EQ(RestartDelayMs(1, 1000, 9000), 0);
  EXPECT_EQ(RestartDelayMs(2, 1000, 1000), 100);
  EXPECT_EQ(RestartDelayMs(0, 2000, 1000), 50);
}

TEST(DeathRecordTest, ProgressForgivesBarrenDeaths) {
  DeathRecord deaths;
  for (int i = 0; i < 3; ++i) deaths.Add(i, false);
  EXPECT_EQ(deaths.barren(), 3u);
  deaths.Add(3, true);
  EXPECT_EQ(deaths.barren(), 0u);
  EXPECT_EQ(deaths.total(), 4u);
}

TEST(DeathRecordTest, FiveDeathsInAMinuteAreDegradedWhateverTheReason) {
  DeathRecord deaths;
  for (int i = 0; i < 4; ++i) deaths.Add(i * 1000, true);
  EXPECT_FALSE(deaths.IsDegraded(4000));
  deaths.Add(4000, true);
  EXPECT_TRUE(deaths.IsDegraded(4000));
  EXPECT_TRUE(deaths.IsDegraded(60'000));
  EXPECT_FALSE(deaths.IsDegraded(60'001));
  deaths.Add(70'000, true);
  EXPECT_FALSE(deaths.IsDegraded(70'000));
}

TEST(HeartbeatTest, IsLostOnceAfterSixLooksWithoutAMove) {
  HeartbeatWatch watch;
  watch.Begin(7);
  for (int look = 1; look < kLooksWithoutMove; ++look) EXPECT_FALSE(watch.Look(7)) << look;
  EXPECT_TRUE(watch.Look(7));
  EXPECT_FALSE(watch.Look(7));
}

TEST(HeartbeatTest, AMoveBeginsTheCountAnew) {
  HeartbeatWatch watch;
  watch.Begin(0);
  for (int look = 1; look < kLooksWithoutMove; ++look) EXPECT_FALSE(watch.Look(0));
  EXPECT_FALSE(watch.Look(1));
  for (int look = 1; look < kLooksWithoutMove; ++look) EXPECT_FALSE(watch.Look(1));
  EXPECT_TRUE(watch.Look(1));
}

}  // namespace
}  // namespace dory::supervisor
