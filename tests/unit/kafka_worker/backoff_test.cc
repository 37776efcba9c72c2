#include "kafka_worker/backoff.h"

#include <gtest/gtest.h>

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

TEST(BackoffTest, AnyRandomNumberWill) {
  for (const uint64_t random : {uint64_t{0}, UINT64_MAX, UINT64_MAX / 2}) {
    EXPECT_GT(ChooseDelayMs({1, 1}, UINT32_MAX, random), -1);
    EXPECT_LE(ChooseDelayMs({50, 2000}, UINT32_MAX, random), 2500);
  }
}

}  // namespace
}  // namespace dory::kafka
