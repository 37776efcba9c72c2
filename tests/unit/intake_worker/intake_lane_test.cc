#include "intake_worker/intake_lane.h"

#include <gtest/gtest.h>

#include "common/clock.h"
#include "tests/unit/intake_worker/lane_fixture.h"

namespace dory::intake {
namespace {

using shm::Reject;
using Values = std::vector<std::string>;

constexpr uint64_t kRing = 1 << 20;
constexpr uint32_t kTopics = 8;

class IntakeLaneTest : public LaneFixture {
 protected:
  void SetUp() override {
    MakeSegment(kRing, kTopics);
    StartLane();
  }
};

TEST_F(IntakeLaneTest, MovesMessagesIntoTheRingInOrder) {
  ASSERT_TRUE(Send({.topic = "a", .value = "one"}));
  ASSERT_TRUE(Send({.api_key = 257, .partition_key = 42, .topic = "b", .key = "k", .value = "two"}));
  const int64_t before_ns = BoottimeNs();
  EXPECT_EQ(Receive(), Outcome::kEmpty);
  EXPECT_EQ(Consume(), (Values{"one", "two"}));
  EXPECT_EQ(last_header_.topic_row, 1u);
  EXPECT_EQ(last_header_.kind, shm::MessageKind::kPartitionKey);
  EXPECT_EQ(last_header_.partition_key, 42u);
  EXPECT_EQ(last_header_.key_size, 1);
  EXPECT_EQ(last_header_.timestamp_ms, 1'700'000'000'123);
  EXPECT_GE(last_boottime_ns_, before_ns);
  EXPECT_LE(last_boottime_ns_, BoottimeNs());
  EXPECT_EQ(Books().topics[0].name, "a");
  EXPECT_EQ(Books().topics[1].appended, 1u);
  EXPECT_EQ(Books().Received(), 2u);
}

TEST_F(IntakeLaneTest, AnEmptySocketIsNoBurst) {
  EXPECT_EQ(Receive(), Outcome::kEmpty);
  EXPECT_EQ(Books().Received(), 0u);
}

TEST_F(IntakeLaneTest, SaysMoreWhereAllSlotsWereFilled) {
  for (int i = 0; i < 70; ++i) ASSERT_TRUE(Send({.value = std::to_string(i)}));
  EXPECT_EQ(Receive(), Outcome::kMore);
  EXPECT_EQ(Receive(), Outcome::kEmpty);
  EXPECT_EQ(Consume().size(), 70u);
}

TEST_F(IntakeLaneTest, CountsEachRejectUnderItsReason) {
  ASSERT_TRUE(sockets_[0].Send(""));
  ASSERT_TRUE(sockets_[0].Send("1234567"));
  ASSERT_TRUE(Send({.flags = 1}));
  ASSERT_TRUE(Send({.api_key = 3}));
  ASSERT_TRUE(Send({.api_version = 2}));
  ASSERT_TRUE(Send({.topic = "bad topic"}));
  ASSERT_TRUE(Send({.value = std::string(2 * kSlotSize, 'v')}));
  ASSERT_TRUE(Send({.value = "good"}));
  EXPECT_EQ(Receive(), Outcome::kEmpty);
  EXPECT_EQ(Consume(), Values{"good"});
  const shm::Books books = Books();
  EXPECT_EQ(books.RejectedFor(Reject::kMalformed), 3u);
  EXPECT_EQ(books.RejectedFor(Reject::kUnsupportedKey), 1u);
  EXPECT_EQ(books.RejectedFor(Reject::kUnsupportedVersion), 1u);
  EXPECT_EQ(books.RejectedFor(Reject::kBadTopic), 1u);
  EXPECT_EQ(books.RejectedFor(Reject::kTooLong), 1u);
  EXPECT_EQ(books.Rejected(), 7u);
  EXPECT_EQ(books.Appended(), 1u);
}

TEST_F(IntakeLaneTest, ASlotThatWasTruncatedIsGivenBackClean) {
  ASSERT_TRUE(Send({.value = std::string(2 * kSlotSize, 'v')}));
  Receive();
  ASSERT_TRUE(Send({.value = "good"}));
  Receive();
  EXPECT_EQ(Consume(), Values{"good"});
}

TEST_F(IntakeLaneTest, AnInputsOwnLimitIsTooLongBelowTheSlotSize) {
  settings_.limits = {kSlotSize, 100};
  StartLane();
  for (const size_t input : {0, 1}) ASSERT_TRUE(Send({.value = std::string(200, 'v')}, input));
  Receive(0);
  Receive(1);
  EXPECT_EQ(Books().Appended(), 1u);
  EXPECT_EQ(Books().RejectedFor(Reject::kTooLong), 1u);
}

TEST_F(IntakeLaneTest, TalliesUnsupportedVersionsByNumber) {
  for (const int version : {7, 9, 7}) ASSERT_TRUE(Send({.api_version = version}));
  ASSERT_TRUE(Send({.api_key = 257, .api_version = 7}));
  Receive();
  StartLane();
  ASSERT_TRUE(Send({.api_version = 9}));
  Receive();
  const shm::VersionTally* tallies = RawBooks().unsupported_versions;
  EXPECT_EQ(tallies[0].api_version, 7);
  EXPECT_EQ(tallies[0].count, 2u);
  EXPECT_EQ(tallies[1].api_version, 9);
  EXPECT_EQ(tallies[1].count, 2u);
  EXPECT_EQ(tallies[2].api_key, 257);
  EXPECT_EQ(tallies[2].count, 1u);
  EXPECT_EQ(tallies[3].used, 0u);
}

TEST_F(IntakeLaneTest, VersionsBeyondTheTallyTableAreStillCounted) {
  for (int version = 2; version <= 41; ++version) ASSERT_TRUE(Send({.api_version = version}));
  Receive();
  EXPECT_EQ(Books().RejectedFor(Reject::kUnsupportedVersion), 40u);
  EXPECT_EQ(RawBooks().unsupported_versions[shm::kVersionTallies - 1].count, 1u);
}

TEST_F(IntakeLaneTest, TopicsBeyondMaxTopicsAreRejected) {
  for (uint32_t i = 0; i < kTopics + 2; ++i) ASSERT_TRUE(Send({.topic = "t" + std::to_string(i)}));
  ASSERT_TRUE(Send({.topic = "t0"}));
  Receive();
  EXPECT_EQ(Books().Appended(), kTopics + 1);
  EXPECT_EQ(Books().RejectedFor(Reject::kTooManyTopics), 2u);
}

TEST_F(IntakeLaneTest, TopicRowsOutliveTheProcess) {
  for (const char* topic : {"a", "b"}) ASSERT_TRUE(Send({.topic = topic}));
  Receive();
  StartLane();
  for (const char* topic : {"b", "c", "a"}) ASSERT_TRUE(Send({.topic = topic}));
  Receive();
  const shm::Books books = Books();
  EXPECT_EQ(books.topics[0].appended, 2u);
  EXPECT_EQ(books.topics[1].appended, 2u);
  EXPECT_EQ(books.topics[2].name, "c");
  EXPECT_EQ(Consume().size(), 5u);  // the ordinals go on, too
}

TEST_F(IntakeLaneTest, EmptyKeyIsNullAndEmptyValueIsByTheTopicsOption) {
  config_.topics["keep"] = config_.topic_defaults;
  config_.topics["keep"].empty_value = EmptyValue::kEmpty;
  StartLane();
  ASSERT_TRUE(Send({.topic = "other", .value = ""}));
  Receive();
  Consume();
  EXPECT_EQ(last_header_.key_size, shm::kNullSize);
  EXPECT_EQ(last_header_.value_size, shm::kNullSize);
  ASSERT_TRUE(Send({.topic = "keep", .value = ""}));
  Receive();
  Consume();
  EXPECT_EQ(last_header_.value_size, 0);
}

TEST_F(IntakeLaneTest, Version1SaysItselfWhatIsNull) {
  for (const bool null : {false, true}) {
    ASSERT_TRUE(Send({.api_version = 1, .value = "", .null_key = null, .null_value = null}));
    Receive();
    Consume();
    EXPECT_EQ(last_header_.key_size, null ? shm::kNullSize : 0);
    EXPECT_EQ(last_header_.value_size, null ? shm::kNullSize : 0);
  }
}

TEST_F(IntakeLaneTest, HeadersLieInTheRingAsKafkaHasThem) {
  const std::string long_name(300, 'n');
  ASSERT_TRUE(Send({.api_version = 1, .headers = {{"a", "xy"}, {"b", std::nullopt}, {"", ""}}}));
  Receive();
  EXPECT_EQ(Consume(), Values{"value"});
  EXPECT_EQ(last_header_.header_count, 3);
  EXPECT_EQ(last_headers_, std::string("\2a\4xy" "\2b\1" "\0\0", 10));
  ASSERT_TRUE(Send({.api_version = 1, .headers = {{long_name, "v"}}}));
  Receive();
  EXPECT_EQ(Consume(), Values{"value"});
  EXPECT_EQ(last_headers_, "\xd8\4" + long_name + "\2v");
  ASSERT_TRUE(Send({.api_version = 1}));
  Receive();
  Consume();
  EXPECT_EQ(last_header_.header_count, 0);
  EXPECT_EQ(last_headers_, "");
}

TEST_F(IntakeLaneTest, ReceiveTimestampsReplaceTheClients) {
  config_.topics["now"] = config_.topic_defaults;
  config_.topics["now"].timestamp = TimestampSource::kReceive;
  lane_->Configure(config_);
  const int64_t before_ms = WallClockMs();
  ASSERT_TRUE(Send({.topic = "now"}));
  Receive();
  Consume();
  EXPECT_GE(last_header_.timestamp_ms, before_ms);
  EXPECT_LE(last_header_.timestamp_ms, WallClockMs());
}

TEST_F(IntakeLaneTest, ATopicsRateIsHeldTopicByTopic) {
  config_.topics["slow"] = config_.topic_defaults;
  config_.topics["slow"].rate_limit = {2, kLongestRateMs};
  StartLane();
  for (const char* const value : {"1", "2", "3", "4"}) {
    ASSERT_TRUE(Send({.topic = "slow", .value = value}));
    ASSERT_TRUE(Send({.topic = "free", .value = value}));
  }
  Receive();
  EXPECT_EQ(Consume(), (Values{"1", "1", "2", "2", "3", "4"}));
  EXPECT_EQ(Books().RejectedFor(Reject::kRateLimit), 2u);
  EXPECT_EQ(Books().topics[0].rejected[static_cast<size_t>(Reject::kRateLimit)], 2u);
  config_.topics["slow"].rate_limit = {};
  lane_->Configure(config_);
  ASSERT_TRUE(Send({.topic = "slow", .value = "5"}));
  Receive();
  EXPECT_EQ(Consume(), Values{"5"});
}

TEST_F(IntakeLaneTest, ReconfiguringReachesTopicsThatHaveARow) {
  ASSERT_TRUE(Send({.value = ""}));
  Receive();
  config_.topic_defaults.empty_value = EmptyValue::kEmpty;
  lane_->Configure(config_);
  ASSERT_TRUE(Send({.value = ""}));
  Receive();
  Consume();
  EXPECT_EQ(last_header_.value_size, 0);
}

TEST_F(IntakeLaneTest, RingsTheDoorbellOfASleepingConsumerOnly) {
  uint64_t count = 0;
  EXPECT_EQ(::read(doorbell_.get(), &count, sizeof(count)), 8);  // a start signals once, always
  ASSERT_TRUE(Send({}));
  Receive();
  EXPECT_EQ(::read(doorbell_.get(), &count, sizeof(count)), -1);
  shm::Store(Consumer().data_sleep, 1);
  ASSERT_TRUE(Send({}));
  Receive();
  EXPECT_EQ(::read(doorbell_.get(), &count, sizeof(count)), 8);
}

TEST_F(IntakeLaneTest, HoldsBackAQuarterOfTheRingAtMost) {
  EXPECT_EQ(CountHeldBack(64 << 20, 65536, {65536}, 10), 11 * LargestRecord(65536));
  EXPECT_EQ(CountHeldBack(64 << 20, 65536, {65536, 1024}, 10), 11 * (LargestRecord(65536) + LargestRecord(1024)));
  EXPECT_EQ(CountHeldBack(4 << 20, 65536, {65536}, 512), 1u << 20);
  EXPECT_EQ(CountHeldBack(4 << 20, (2 << 20) - 64, {65536}, 512), 0u);
}

TEST_F(IntakeLaneTest, TheLargestRecordIsThatOfTheSmallestTopic) {
  const std::string bytes = ClientMessage{.topic = "t", .value = std::string(500, 'v')}.Bytes();
  ASSERT_TRUE(sockets_[0].Send(bytes));
  Receive();
  EXPECT_EQ(Producer().tail, LargestRecord(bytes.size()));
}

}  // namespace
}  // namespace dory::intake
