#include "kafka_worker/lookup_rules.h"

#include <gtest/gtest.h>

#include <vector>

namespace dory::kafka {
namespace {

using protocol::LoggedBatch;
using protocol::ProducerState;

constexpr Sought kSought = {7, 3, 100, 10};

Remembered Judge(const ProducerState& state, const Sought& sought = kSought) {
  const std::vector<ProducerState> states = {{5, 3, 99, 0}, state, {9, 3, 99, 0}};
  return JudgeProducers(states, sought);
}

TEST(LookupRulesTest, HalfOfTheTimeIsSafe) {
  EXPECT_FALSE(MayBeForgotten(4999, 4999, 10'000));
  EXPECT_TRUE(MayBeForgotten(5000, 0, 10'000));
  EXPECT_TRUE(MayBeForgotten(0, 5000, 10'000));
  EXPECT_FALSE(MayBeForgotten(0, -100'000, 10'000));
}

TEST(LookupRulesTest, TheLastSequenceTells) {
  EXPECT_EQ(Judge({7, 3, 99, 0}), Remembered::kBefore);
  EXPECT_EQ(Judge({7, 3, 109, 0}), Remembered::kElse);
  EXPECT_EQ(Judge({7, 3, 50, 0}), Remembered::kElse);
  EXPECT_EQ(Judge({7, 3, -1, 0}), Remembered::kElse);
  EXPECT_EQ(Judge({7, 2, 99, 0}), Remembered::kElse);
  EXPECT_EQ(Judge({8, 3, 109, 0}), Remembered::kNothing);
  EXPECT_EQ(JudgeProducers({}, kSought), Remembered::kNothing);
}

TEST(LookupRulesTest, TheFirstOfAnEpochComesBehindTheEpochBefore) {
  constexpr Sought first = {7, 3, 0, 10};
  EXPECT_EQ(Judge({7, 2, 99, 0}, first), Remembered::kBefore);
  EXPECT_EQ(Judge({7, 3, 9, 0}, first), Remembered::kElse);
  EXPECT_EQ(Judge({7, 3, -1, 0}, first), Remembered::kElse);
  EXPECT_EQ(Judge({7, 4, 9, 0}, first), Remembered::kElse);
}

TEST(LookupRulesTest, ABatchIsKnownByIdEpochSequenceAndCount) {
  const LoggedBatch batch = {40, 49, 2, 7, 3, 100, 500};
  EXPECT_TRUE(IsSought(batch, kSought));
  EXPECT_FALSE(IsSought({40, 49, 2, 8, 3, 100, 500}, kSought));
  EXPECT_FALSE(IsSought({40, 49, 2, 7, 2, 100, 500}, kSought));
  EXPECT_FALSE(IsSought({40, 49, 2, 7, 3, 101, 500}, kSought));
  EXPECT_FALSE(IsSought({40, 48, 2, 7, 3, 100, 500}, kSought));
  EXPECT_FALSE(IsSought({40, 49, 1, 7, 3, 100, 500}, kSought));
}

}  // namespace
}  // namespace dory::kafka
