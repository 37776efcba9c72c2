#include "kafka_worker/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace dory::kafka {
namespace {

TEST(BackoffTest, DoublesUpToTheLongest) {
  const BackoffRange range{50, 1000};
  int64_t middle = 50;
  for (uint32_t failures = 1; failures < 100; ++failures) {
    for (uint64_t random = 0; random < 3000; random += 7) {
      const int64_t delay = ChooseDelayMs(range, failures, random);
      EXPECT_GE(delay, middle * 3 / 4) << failures;
      EXPECT_LE(delay, middle * 5 / 4) << failures;
    }
    middle = std::min<int64_t>(middle * 2, 1000);
  }
}

TEST(BackoffTest, SpreadsThoseWhoFailedTogether) {
  EXPECT_NE(ChooseDelayMs({50, 1000}, 5, 0), ChooseDelayMs({50, 1000}, 5, 100));
  EXPECT_EQ(ChooseDelayMs({50, 1000}, 0, 0), ChooseDelayMs({50, 1000}, 1, 0));
}

// 200 Dorys lose a broker at one moment, and try again until it is back: of those that come within any one
// second there are few.
size_t CountMostInASecond(int64_t away_ms) {
  std::vector<int64_t> back;
  for (uint32_t seed = 1; seed <= 200; ++seed) {
    std::minstd_rand random(seed * 7919);
    int64_t at_ms = 0;
    for (uint32_t failures = 1; at_ms < away_ms; ++failures) at_ms += ChooseDelayMs(kConnectionBackoff, failures, random());
    back.push_back(at_ms);
  }
  std::sort(back.begin(), back.end());
  size_t most = 0;
  for (auto first = back.begin(), last = first; last != back.end(); ++last) {
    while (*last - *first >= 1000) ++first;
    most = std::max(most, static_cast<size_t>(last - first) + 1);
  }
  EXPECT_LE(back.back(), away_ms + 8750);
  return most;
}

TEST(BackoffTest, AFleetDoesNotReturnInOneSecond) {
  for (const int64_t away_s : {5, 7, 10, 15, 20, 30, 60, 300, 3600}) EXPECT_LE(CountMostInASecond(away_s * 1000), 70u) << away_s;
  for (const int64_t away_s : {2, 3}) EXPECT_LE(CountMostInASecond(away_s * 1000), 140u) << away_s;
}

TEST(BackoffTest, AnyRandomNumberWill) {
  for (const uint64_t random : {uint64_t{0}, UINT64_MAX, UINT64_MAX / 2}) {
    EXPECT_GT(ChooseDelayMs({1, 1}, UINT32_MAX, random), -1);
    EXPECT_LE(ChooseDelayMs({50, 2000}, UINT32_MAX, random), 2500);
  }
}

}  // namespace
}  // namespace dory::kafka
