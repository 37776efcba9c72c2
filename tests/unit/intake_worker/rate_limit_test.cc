#include "intake_worker/rate_limit.h"

#include <gtest/gtest.h>

namespace dory::intake {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr Rate kTwoInTenMs{2, 10};

class RateLimitTest : public ::testing::Test {
 protected:
  bool Take(int64_t at_ms, uint32_t row = 0, const Rate& limit = kTwoInTenMs) {
    const bool allowed = limiter_.Allows(row, limit, at_ms * kMs);
    if (allowed) limiter_.Count(row, limit);
    return allowed;
  }

  RateLimiter limiter_;
};

TEST_F(RateLimitTest, WithoutALimitAllAreTaken) {
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(Take(1, 0, {}));
}

TEST_F(RateLimitTest, WindowsBeginWithTheFirstMessageAndAreFixed) {
  EXPECT_TRUE(Take(7));
  EXPECT_TRUE(Take(16));
  EXPECT_FALSE(Take(16));
  EXPECT_TRUE(Take(17));  // 17 to 26
  EXPECT_TRUE(Take(26));
  EXPECT_FALSE(Take(26));
  EXPECT_TRUE(Take(58));  // 57 to 66
  EXPECT_TRUE(Take(66));
  EXPECT_FALSE(Take(66));
  EXPECT_TRUE(Take(67));
}

TEST_F(RateLimitTest, TopicsHaveTheirOwn) {
  EXPECT_TRUE(Take(1, 5) && Take(1, 5));
  EXPECT_FALSE(Take(1, 5));
  EXPECT_TRUE(Take(1, 9));
}

TEST_F(RateLimitTest, WhatWasNotWrittenDoesNotCount) {
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(limiter_.Allows(0, kTwoInTenMs, kMs));
  EXPECT_TRUE(Take(1) && Take(1));
  EXPECT_FALSE(Take(1));
}

TEST_F(RateLimitTest, ALimitThatBecomesLowerHoldsAtOnce) {
  EXPECT_TRUE(Take(1) && Take(1));
  EXPECT_FALSE(Take(2, 0, {1, 10}));
  EXPECT_TRUE(Take(2, 0, {3, 10}));
}

}  // namespace
}  // namespace dory::intake
