#include "intake_worker/topic_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace dory::intake {
namespace {

constexpr uint32_t kMaxTopics = 5000;

class TopicRowsTest : public testing::Test {
 protected:
  static constexpr size_t kHeadRows = sizeof(shm::IntakeBooks) / sizeof(shm::IntakeTopicRow) + 1;

  std::vector<shm::IntakeTopicRow> memory_{kHeadRows + kMaxTopics};
  BooksWriter books_{std::as_writable_bytes(std::span(memory_)), kMaxTopics};
  Config config_ = ParseConfigText("[kafka]\nbrokers = 127.0.0.1:1\n", "test.conf").Take();
};

TEST_F(TopicRowsTest, EachTopicHasItsRow) {
  TopicTable table(&books_, kMaxTopics, config_);
  const auto name = [](uint32_t i) { return "topic-" + std::to_string(i); };
  for (uint32_t i = 0; i < kMaxTopics; ++i) ASSERT_EQ(table.FindOrAdd(name(i)), i);
  EXPECT_EQ(table.FindOrAdd("one more"), shm::kNoIndex);
  TopicTable next(&books_, kMaxTopics, config_);  // of the next worker
  uint32_t guessed = 0;
  for (uint32_t i = kMaxTopics; i-- > 0;) {
    ASSERT_EQ(next.FindOrAdd(name(i)), i);
    ASSERT_EQ(next.FindOrAdd(name(i)), i);
    guessed += next.FirstPlaceOf(name(i))->row == i ? 1 : 0;
  }
  EXPECT_GT(guessed, kMaxTopics / 2);  // most lie where the look-up begins
  EXPECT_EQ(books_.topic_count(), kMaxTopics);
}

TEST_F(TopicRowsTest, NamesThatBeginAlikeAreOthers) {
  TopicTable table(&books_, kMaxTopics, config_);
  EXPECT_EQ(table.FindOrAdd(std::string(shm::kMaxTopicName, 'a')), 0u);
  EXPECT_EQ(table.FindOrAdd(std::string(shm::kMaxTopicName - 1, 'a')), 1u);
  EXPECT_EQ(table.FindOrAdd("a"), 2u);
  EXPECT_EQ(table.FindOrAdd(std::string(shm::kMaxTopicName, 'a')), 0u);
}

}  // namespace
}  // namespace dory::intake
