#include "doryctl/text_table.h"

#include <gtest/gtest.h>

#include "doryctl/status_text.h"

namespace dory::doryctl {
namespace {

TEST(TextTableTest, FirstColumnLeftOthersRight) {
  EXPECT_EQ(FormatTable({{"name", "n"}, {"a", "100"}}), "name    n\na     100\n");
  EXPECT_EQ(FormatTable({}), "");
}

TEST(StatusTextTest, SaysWhatItCannotRead) {
  EXPECT_FALSE(FormatStatus("{").ok());
  EXPECT_FALSE(FormatStatus("{}").ok());
  EXPECT_FALSE(IndentJson("[").ok());
}

}  // namespace
}  // namespace dory::doryctl
