#include "kafka_worker/complaint.h"

#include <gtest/gtest.h>

namespace dory::kafka {
namespace {

constexpr int64_t kBeginMs = 1'000'000;
constexpr int64_t kDeadlineMs = 60'000;

TEST(ComplaintTest, IsThereFromItsFirstWordOn) {
  Complaint complaint;
  EXPECT_FALSE(complaint.Stands());
  EXPECT_FALSE(complaint.HasLasted(0));
  complaint.Note(kBeginMs);
  EXPECT_TRUE(complaint.Stands());
  EXPECT_FALSE(complaint.HasLasted(1));
}

TEST(ComplaintTest, LastsAsLongAsItIsSaidAgain) {
  Complaint complaint;
  for (int64_t ms = 0; ms < kDeadlineMs; ms += 1000) {
    complaint.Note(kBeginMs + ms);
    EXPECT_FALSE(complaint.HasLasted(kDeadlineMs));
  }
  complaint.Note(kBeginMs + kDeadlineMs);
  EXPECT_TRUE(complaint.HasLasted(kDeadlineMs));
}

// Nobody answers for an hour; the next word does not make it a reason to discard anything.
TEST(ComplaintTest, TimeInWhichNobodySaysItDoesNotCount) {
  constexpr int64_t kHourMs = 3'600'000;
  Complaint complaint;
  complaint.Note(kBeginMs);
  for (int64_t hour = 1; hour < kDeadlineMs / Complaint::kMostBetweenMs; ++hour) {
    complaint.Note(kBeginMs + hour * kHourMs);
    EXPECT_FALSE(complaint.HasLasted(kDeadlineMs)) << hour;
  }
}

// Both of its numbers are small.
TEST(ComplaintTest, LastsAcrossTheEndsOfItsNumbers) {
  Complaint complaint;
  int64_t ms = UINT32_MAX - 2 * Complaint::kMostBetweenMs;
  complaint.Note(ms);
  for (int i = 0; i < 4; ++i) complaint.Note(ms += 1000);
  EXPECT_TRUE(complaint.HasLasted(4000));
  EXPECT_FALSE(complaint.HasLasted(4001));
  for (int64_t i = 0; i <= INT32_MAX / Complaint::kMostBetweenMs; ++i) complaint.Note(ms += Complaint::kMostBetweenMs);
  EXPECT_TRUE(complaint.HasLasted(INT64_MAX));
}

}  // namespace
}  // namespace dory::kafka
