#include "kafka_worker/suspicion.h"

#include <gtest/gtest.h>

namespace dory::kafka {
namespace {

TEST(SuspicionTest, EveryKindOfAttempt) {
  const Suspicion clean;
  EXPECT_EQ(Suspect(clean, Attempt::kInTime), clean);
  EXPECT_EQ(Suspect(clean, Attempt::kOther), clean);
  EXPECT_EQ(Suspect(clean, Attempt::kSlow), (Suspicion{true, 0, 0}));
  EXPECT_EQ(Suspect(clean, Attempt::kReplicas), (Suspicion{true, 0, 0}));
  EXPECT_EQ(Suspect(clean, Attempt::kTimedOut), (Suspicion{true, 1, 0}));
  EXPECT_EQ(Suspect(clean, Attempt::kCut), (Suspicion{false, 0, 1}));
}

TEST(SuspicionTest, OnlyAnAttemptInTimeEndsIt) {
  for (const Attempt attempt :
       {Attempt::kSlow, Attempt::kReplicas, Attempt::kTimedOut, Attempt::kCut, Attempt::kOther}) {
    EXPECT_TRUE(Suspect({true, 3, 0}, attempt).suspect);
    EXPECT_GE(Suspect({true, 3, 0}, attempt).timeouts, 3u);
  }
  EXPECT_EQ(Suspect({true, 3, 2}, Attempt::kInTime), Suspicion{});
}

TEST(SuspicionTest, OneCutIsNothingTwoInARowAre) {
  const Suspicion once = Suspect({}, Attempt::kCut);
  EXPECT_TRUE(Suspect(once, Attempt::kCut).suspect);
  EXPECT_FALSE(Suspect(Suspect(once, Attempt::kOther), Attempt::kCut).suspect);
}

TEST(SuspicionTest, TimeoutsDoubleUpToTheLongest) {
  EXPECT_EQ(ChooseRequestTimeoutMs({}, 5000), 5000);
  EXPECT_EQ(ChooseRequestTimeoutMs({true, 0, 0}, 5000), 5000);
  EXPECT_EQ(ChooseRequestTimeoutMs({true, 1, 0}, 5000), 10'000);
  EXPECT_EQ(ChooseRequestTimeoutMs({true, 2, 0}, 5000), 20'000);
  EXPECT_EQ(ChooseRequestTimeoutMs({true, 3, 0}, 5000), 30'000);
  EXPECT_EQ(ChooseRequestTimeoutMs({true, UINT32_MAX, 0}, 5000), 30'000);
  EXPECT_EQ(ChooseRequestTimeoutMs({true, 2, 0}, 600'000), 600'000);
}

}  // namespace
}  // namespace dory::kafka
