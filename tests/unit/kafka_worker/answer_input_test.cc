// Who gives up where answers that are not whole have more bytes together than there may be.

#include "kafka_worker/answer_input.h"

#include <gtest/gtest.h>

#include <array>

namespace dory::kafka {
namespace {

class AnswerInputTest : public testing::Test {
 protected:
  // Nobody looks into it.
  BrokerConnection* Holder(size_t i) { return reinterpret_cast<BrokerConnection*>(&places_.at(i)); }

  std::array<std::byte, 3> places_{};
  AnswerInput input_{100};
};

TEST_F(AnswerInputTest, WhoHoldsMostGivesUp) {
  EXPECT_EQ(input_.Note(Holder(0), 10), nullptr);
  EXPECT_EQ(input_.Note(Holder(1), 60), nullptr);
  EXPECT_EQ(input_.Note(Holder(2), 30), nullptr);
  EXPECT_EQ(input_.Note(Holder(0), 11), Holder(1));
  EXPECT_EQ(input_.Note(Holder(2), 89), Holder(2));
}

TEST_F(AnswerInputTest, WhatIsForgottenLeavesRoom) {
  EXPECT_EQ(input_.Note(Holder(0), 0), nullptr);
  EXPECT_EQ(input_.Note(Holder(0), 100), nullptr);
  EXPECT_EQ(input_.Note(Holder(1), 1), Holder(0));
  EXPECT_EQ(input_.Note(Holder(0), 0), nullptr);
  EXPECT_EQ(input_.Note(Holder(1), 100), nullptr);
  EXPECT_EQ(input_.Note(Holder(1), 50), nullptr);
  EXPECT_EQ(input_.Note(Holder(2), 50), nullptr);
}

TEST(InputBufferTest, BothKindsOfMemoryGrowAndShrink) {
  InputBuffer buffer;
  for (const size_t size : {size_t{1}, size_t{1} << 20, size_t{4} << 20, size_t{3}}) {
    buffer.resize(size, std::byte{7});
    buffer.shrink_to_fit();
    EXPECT_EQ(buffer.front(), std::byte{7});
    EXPECT_EQ(buffer.back(), std::byte{7});
  }
}

}  // namespace
}  // namespace dory::kafka
