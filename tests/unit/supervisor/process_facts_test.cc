#include "supervisor/process_facts.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace dory::supervisor {
namespace {

TEST(ProcessFactsTest, ReadsBehindACommandOfAnyName) {
  const std::optional<ProcessFacts> facts = ParseProcessStat(
      "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 200 100 0 0 20 0 1 0 123456 1000000 250 18446744073709551615\n");
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->start_time, 123456u);
  EXPECT_EQ(facts->rss_bytes, 250u * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)));
  EXPECT_DOUBLE_EQ(facts->cpu_s, 300.0 / static_cast<double>(::sysconf(_SC_CLK_TCK)));
}

TEST(ProcessFactsTest, FindsNothingInATextThatIsNone) {
  EXPECT_FALSE(ParseProcessStat(""));
  EXPECT_FALSE(ParseProcessStat("7 (a) S 1"));
}

TEST(ProcessFactsTest, KnowsThisProcess) {
  const std::optional<ProcessFacts> facts = ReadProcessFacts(::getpid());
  ASSERT_TRUE(facts);
  EXPECT_GT(facts->start_time, 0u);
  EXPECT_GT(facts->rss_bytes, 0u);
  EXPECT_FALSE(ReadProcessFacts(0));
}

}  // namespace
}  // namespace dory::supervisor
