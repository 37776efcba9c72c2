#include "shm/books.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/shm/test_segment.h"

namespace dory::shm {
namespace {

class BooksTest : public ::testing::Test {
 protected:
  BooksTest()
      : kafka_(segment_.Map(Role::kKafka)),
        rows_(kafka_->GetWritable<KafkaTopicRow>(RegionKind::kKafkaBooks, 0)),
        consumer_(*kafka_->GetWritable<ConsumerPage>(RegionKind::kConsumer, 0)) {}

  Books Read() const { return ReadBooks(segment_.check(), 0); }
  uint64_t CounterOf(const uint64_t& counter) {
    return static_cast<uint64_t>(&counter - reinterpret_cast<const uint64_t*>(&segment_.books()));
  }
  Stage& stage() { return segment_.producer().stage; }

  TestSegment segment_;
  std::unique_ptr<Segment> kafka_;
  KafkaTopicRow* rows_;
  ConsumerPage& consumer_;
};

TEST_F(BooksTest, ANewSegmentHasEmptyBooks) {
  EXPECT_TRUE(Read().topics.empty());
  EXPECT_EQ(Read().Received(), 0u);
  EXPECT_EQ(Read().Buffered(), 0u);
}

TEST_F(BooksTest, UnsupportedVersionsAreTheTalliesInUse) {
  VersionTally* const tallies = segment_.books().unsupported_versions;
  tallies[0] = {256, 7, 1, 3};
  tallies[1] = {257, 2, 1, 1};
  ASSERT_EQ(Read().unsupported_versions.size(), 2u);
  stage().journal[0] = {CounterOf(tallies[1].count), 2};  // decided, not counted yet
  stage().journal_count = 1;
  stage().decided = kNothingAppended;
  const std::vector<VersionCount> versions = Read().unsupported_versions;
  EXPECT_EQ(versions[0].api_version, 7);
  EXPECT_EQ(versions[0].count, 3u);
  EXPECT_EQ(versions[1].api_key, 257);
  EXPECT_EQ(versions[1].count, 2u);
}

TEST_F(BooksTest, TotalsAreSumsOfRowsAndOfTheRestWithoutOne) {
  segment_.AddTopic("one");
  segment_.AddTopic("two");
  segment_.TopicRow(0).appended = 10;
  segment_.TopicRow(1).appended = 5;
  segment_.TopicRow(1).rejected[static_cast<size_t>(Reject::kTooLong)] = 2;
  segment_.books().rejected[static_cast<size_t>(Reject::kMalformed)] = 3;
  rows_[0].delivered = 4;
  rows_[0].possible_duplicates = 1;
  rows_[1].discarded[static_cast<size_t>(Discard::kTooLarge)] = 1;
  rows_[4].discarded[static_cast<size_t>(Discard::kCorrupt)] = 2;  // max_topics is 4
  const Books books = Read();
  ASSERT_EQ(books.topics.size(), 2u);
  EXPECT_EQ(books.topics[1].name, "two");
  EXPECT_EQ(books.Appended(), 15u);
  EXPECT_EQ(books.Rejected(), 5u);
  EXPECT_EQ(books.Received(), 20u);
  EXPECT_EQ(books.Delivered(), 4u);
  EXPECT_EQ(books.Discarded(), 3u);
  EXPECT_EQ(books.Buffered(), 8u);
  EXPECT_EQ(books.PossibleDuplicates(), 1u);
  EXPECT_EQ(books.RejectedFor(Reject::kMalformed), 3u);
  EXPECT_EQ(books.DiscardedFor(Discard::kCorrupt), 2u);
}

TEST_F(BooksTest, ADecidedBurstCountsBeforeItIsCounted) {
  segment_.AddTopic("one");
  segment_.TopicRow(0).appended = 10;
  stage().journal_count = 2;
  stage().journal[0] = {CounterOf(segment_.TopicRow(0).appended), 12};
  stage().journal[1] = {CounterOf(segment_.books().rejected[0]), 1};
  EXPECT_EQ(Read().Received(), 10u);  // tail == base: not decided
  segment_.producer().tail = 64;
  EXPECT_EQ(Read().Appended(), 12u);
  EXPECT_EQ(Read().Rejected(), 1u);
  segment_.TopicRow(0).appended = 12;  // P5 was half done
  EXPECT_EQ(Read().Received(), 13u);
}

TEST_F(BooksTest, SoDoesABurstOfNothingButRejects) {
  stage().journal_count = 1;
  stage().journal[0] = {CounterOf(segment_.books().rejected[0]), 7};
  stage().decided = kNothingAppended;
  EXPECT_EQ(Read().Rejected(), 7u);
  stage().decided = kWrittenToOverflow;  // its messages are decided when they are read from there
  EXPECT_EQ(Read().Rejected(), 0u);
}

TEST_F(BooksTest, ADiscardCountsFromItsCommitOn) {
  segment_.AddTopic("one");
  segment_.TopicRow(0).appended = 10;
  const uint64_t* counter = &rows_[0].discarded[static_cast<size_t>(Discard::kUnknownTopic)];
  consumer_.cell.counter = static_cast<uint64_t>(counter - reinterpret_cast<const uint64_t*>(rows_));
  consumer_.cell.value = 3;
  EXPECT_EQ(Read().Discarded(), 0u);
  consumer_.cell.position = 96;
  EXPECT_EQ(Read().Discarded(), 3u);
  EXPECT_EQ(Read().Buffered(), 7u);
  rows_[0].discarded[static_cast<size_t>(Discard::kUnknownTopic)] = 3;
  consumer_.cell.done = 96;
  EXPECT_EQ(Read().Discarded(), 3u);
}

TEST_F(BooksTest, EveryReasonHasANameOfItsOwn) {
  std::set<std::string> names;
  for (size_t i = 0; i < kRejectReasons; ++i) names.insert(NameOf(static_cast<Reject>(i)));
  EXPECT_EQ(names.size(), kRejectReasons);
  names.clear();
  for (size_t i = 0; i < kDiscardReasons; ++i) names.insert(NameOf(static_cast<Discard>(i)));
  EXPECT_EQ(names.size(), kDiscardReasons);
}

}  // namespace
}  // namespace dory::shm
