#include "supervisor/discard_report.h"

#include <gtest/gtest.h>

namespace dory::supervisor {
namespace {

using Json = nlohmann::ordered_json;
using shm::Discard;
using shm::Reject;

constexpr int64_t kIntervalNs = 600'000'000'000;

shm::WindowView Window(int64_t number, std::vector<shm::ReportCounters> base = {}) {
  shm::WindowView window;
  window.id = static_cast<uint64_t>(number);
  window.begin_ns = number * kIntervalNs;
  window.start_ms = number * 600'000;
  window.base = std::move(base);
  return window;
}

class DiscardReportTest : public ::testing::Test {
 protected:
  DiscardReportTest() {
    books_.topics.resize(1);
    books_.topics[0].name = "t";
  }

  uint64_t& rejected(Reject reason) { return books_.topics[0].rejected[static_cast<size_t>(reason)]; }
  uint64_t& discarded(Discard reason) { return books_.topics[0].discarded[static_cast<size_t>(reason)]; }
  Json Make() const { return MakeDiscardReport({{&books_, &intake_, &kafka_}}, 600'000); }

  static shm::ReportCounters Counters(uint32_t counter, uint64_t value) {
    shm::ReportCounters counters{};
    counters[counter] = value;
    return counters;
  }

  shm::Books books_;
  shm::WorkerReport intake_;
  shm::WorkerReport kafka_;
};

TEST_F(DiscardReportTest, BeforeAnyWindowThereIsTheInterval) {
  EXPECT_EQ(Make(), Json({{"interval_s", 600}}));
}

TEST_F(DiscardReportTest, AWindowHasWhatTheBooksHaveMoreThanItsBase) {
  const uint32_t counter = shm::ReportCounterOf(Reject::kRateLimit);
  rejected(Reject::kRateLimit) = 9;
  intake_ = {Window(5, {Counters(counter, 7)}), Window(4, {Counters(counter, 3)})};
  intake_[0].spans = {{shm::SpanKey(0, counter), 50, 60}};
  const Json json = Make();
  EXPECT_EQ(json["unfinished"]["id"], 5);
  EXPECT_EQ(json["unfinished"]["start_time"], 3000);
  EXPECT_EQ(json["unfinished"]["rejected_by"], Json({{"rate_limit", 2}}));
  EXPECT_EQ(json["unfinished"]["topics"][0],
            Json({{"topic", "t"}, {"reason", "rate_limit"}, {"count", 2}, {"first_timestamp", 50}, {"last_timestamp", 60}}));
  EXPECT_EQ(json["finished"]["topics"][0]["count"], 4);
  EXPECT_EQ(json["finished"]["topics"][0]["first_timestamp"], 0);  // not known
}

TEST_F(DiscardReportTest, DiscardsAndPossibleDuplicatesAreTheKafkaWorkers) {
  discarded(Discard::kRefused) = 3;
  books_.topics[0].possible_duplicates = 2;
  books_.no_topic.discarded[static_cast<size_t>(Discard::kCorrupt)] = 1;
  kafka_ = {Window(5)};
  kafka_[0].spans = {{shm::SpanKey(0, shm::ReportCounterOf(Discard::kRefused)), -1, 1},
                     {shm::SpanKey(0, shm::kPossibleDuplicates), 8, 9},
                     {shm::SpanKey(0, shm::ReportCounterOf(Discard::kOther)), 8, 9},     // decided otherwise
                     {shm::SpanKey(77, shm::ReportCounterOf(Discard::kOther)), 8, 9}};  // nobody's
  const Json window = Make()["unfinished"];
  EXPECT_EQ(window["discarded_by"], Json({{"corrupt", 1}, {"refused", 3}}));
  ASSERT_EQ(window["topics"].size(), 1u);
  EXPECT_EQ(window["topics"][0]["first_timestamp"], -1);
  EXPECT_EQ(window["possible_duplicates"],
            Json::array({{{"topic", "t"}, {"count", 2}, {"first_timestamp", 8}, {"last_timestamp", 9}}}));
}

TEST_F(DiscardReportTest, AWorkerThatHasNotBegunTheNewestWindowIsInTheOneBefore) {
  rejected(Reject::kNoRoom) = 4;
  discarded(Discard::kOther) = 6;
  intake_ = {Window(5), Window(4)};
  kafka_ = {Window(4)};
  const Json json = Make();
  EXPECT_EQ(json["unfinished"]["rejected_by"], Json({{"no_room", 4}}));
  EXPECT_EQ(json["unfinished"]["discarded_by"], Json::object());
  EXPECT_EQ(json["finished"]["discarded_by"], Json({{"other", 6}}));
}

TEST_F(DiscardReportTest, VersionsAreCountedByWindow) {
  books_.unsupported_versions = {{256, 7, 5}, {257, 9, 2}};
  intake_ = {Window(1)};
  intake_[0].version_base[0] = 5;
  EXPECT_EQ(Make()["unfinished"]["unsupported_versions"],
            Json::array({{{"api_key", 257}, {"version", 9}, {"count", 2}}}));
}

TEST_F(DiscardReportTest, PrefixesAreBase64) {
  intake_ = {Window(1)};
  intake_[0].prefixes[static_cast<size_t>(shm::PrefixKind::kTooLong)] = {"", "a", "ab", "abc", "\xff\xfe\xfd\xfc"};
  EXPECT_EQ(Make()["unfinished"]["prefixes"]["too_long"], Json::array({"", "YQ==", "YWI=", "YWJj", "//79/A=="}));
}

}  // namespace
}  // namespace dory::supervisor
