#include "common/figures.h"

#include <gtest/gtest.h>

namespace dory {
namespace {

TEST(FiguresTest, BytesHaveTheUnitThatFits) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(64 << 20), "64.0 MiB");
  EXPECT_EQ(FormatBytes(UINT64_MAX), "16777216.0 TiB");
}

TEST(FiguresTest, SecondsGrowToDays) {
  EXPECT_EQ(FormatSeconds(2.5), "2.5 s");
  EXPECT_EQ(FormatSeconds(61), "1 min 1 s");
  EXPECT_EQ(FormatSeconds(11'100), "3 h 5 min");
  EXPECT_EQ(FormatSeconds(90'000), "1 d 1 h");
}

TEST(FiguresTest, CountsAreGrouped) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(UINT64_MAX), "18,446,744,073,709,551,615");
}

}  // namespace
}  // namespace dory
