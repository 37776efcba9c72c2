#include "doryctl/text_table.h"

#include <gtest/gtest.h>

#include "doryctl/status_text.h"

namespace dory::doryctl {
namespace {

TEST(TextTableTest, FirstColumnLeftOthersRight) {
  EXPECT_EQ(FormatTable({{"name", "n"}, {"a", "100"}}), "name    n\na     100\n");
  EXPECT_EQ(FormatTable({}), "");
}

TEST(TextTableTest, FormatsUnits) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(64 << 20), "64.0 MiB");
  EXPECT_EQ(FormatSeconds(2.5), "2.5 s");
  EXPECT_EQ(FormatSeconds(11'100), "3 h 5 min");
}

TEST(StatusTextTest, SaysWhatItCannotRead) {
  EXPECT_FALSE(FormatStatus("{").ok());
  EXPECT_FALSE(FormatStatus("{}").ok());
  EXPECT_FALSE(IndentJson("[").ok());
}

}  // namespace
}  // namespace dory::doryctl
