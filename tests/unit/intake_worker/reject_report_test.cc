#include <gtest/gtest.h>

#include "common/clock.h"
#include "shm/report.h"
#include "tests/unit/intake_worker/lane_fixture.h"

namespace dory::intake {
namespace {

using shm::PrefixKind;
using shm::Reject;

class RejectReportTest : public LaneFixture {
 protected:
  void SetUp() override {
    MakeSegment(64 * 1024, 3);
    StartLane();
  }

  shm::WorkerReport Report() const { return shm::ReadReport(*check_, shm::Role::kIntake, 0); }
  std::vector<std::string> Prefixes(PrefixKind kind, size_t window = 0) const {
    return Report().at(window).prefixes[static_cast<size_t>(kind)];
  }
  void SendRaw(const std::string& bytes) { EXPECT_TRUE(sockets_[0].Send(bytes)); }
  void BeginNextWindow() { lane_->RollReport(Report().at(0).begin_ns + config_.report_interval_ms * 1'000'000); }
};

TEST_F(RejectReportTest, ANewSegmentHasOneEmptyWindow) {
  const shm::WorkerReport report = Report();
  ASSERT_EQ(report.size(), 1u);
  EXPECT_EQ(report[0].begin_ns % (config_.report_interval_ms * 1'000'000), 0);
  EXPECT_LE(report[0].begin_ns, BoottimeNs());
  EXPECT_TRUE(report[0].spans.empty());
}

TEST_F(RejectReportTest, KeepsHowBadMessagesBegin) {
  SendRaw("garbage that is no message");
  SendRaw(std::string(kSlotSize + 1, 'x'));
  Send({.topic = "no topic"});
  Send({.value = "good"});
  Receive();
  EXPECT_EQ(Prefixes(PrefixKind::kMalformed), std::vector<std::string>{"garbage that is no message"});
  EXPECT_EQ(Prefixes(PrefixKind::kTooLong), std::vector<std::string>{std::string(256, 'x')});
  EXPECT_EQ(Prefixes(PrefixKind::kBadTopic), std::vector<std::string>{"no topic"});
}

TEST_F(RejectReportTest, TheLastDistinctOnesAreKept) {
  for (int i = 0; i < 30; ++i) SendRaw("garbage " + std::to_string(i));
  SendRaw("garbage 5");  // forgotten already
  SendRaw("garbage 20");
  while (Receive() == Outcome::kMore) {
  }
  const std::vector<std::string> kept = Prefixes(PrefixKind::kMalformed);
  ASSERT_EQ(kept.size(), shm::kRecentPrefixes);
  EXPECT_EQ(kept[0], "garbage 20");
  EXPECT_EQ(kept[1], "garbage 5");
  EXPECT_EQ(kept[2], "garbage 29");
  EXPECT_EQ(kept.back(), "garbage 6");
}

TEST_F(RejectReportTest, NothingIsKeptOfPayloadsWhereThatIsAskedFor) {
  config_.payload_prefix = 0;
  lane_->Configure(config_);
  SendRaw("garbage");
  Receive();
  EXPECT_TRUE(Prefixes(PrefixKind::kMalformed).empty());
  EXPECT_EQ(Books().RejectedFor(Reject::kMalformed), 1u);
}

TEST_F(RejectReportTest, AWindowTakesWhatComesUntilTheNextOne) {
  SendRaw("one");
  Receive();
  BeginNextWindow();
  SendRaw("two");
  SendRaw("three");
  Receive();
  const shm::WorkerReport report = Report();
  ASSERT_EQ(report.size(), 2u);
  const uint32_t malformed = shm::ReportCounterOf(Reject::kMalformed);
  EXPECT_EQ(report[1].no_topic_base[malformed], 0u);
  EXPECT_EQ(report[0].no_topic_base[malformed], 1u);
  EXPECT_EQ(Books().RejectedFor(Reject::kMalformed), 3u);
  EXPECT_EQ(Prefixes(PrefixKind::kMalformed, 0), (std::vector<std::string>{"three", "two"}));
  EXPECT_EQ(Prefixes(PrefixKind::kMalformed, 1), std::vector<std::string>{"one"});
}

TEST_F(RejectReportTest, AWindowOutlivesTheWorker) {
  SendRaw("garbage");
  Receive();
  BeginNextWindow();
  const int64_t begin_ns = Report()[0].begin_ns;
  StartLane();
  ASSERT_EQ(Report().size(), 2u);
  EXPECT_EQ(Report()[0].begin_ns, begin_ns);
  EXPECT_EQ(Prefixes(PrefixKind::kMalformed, 1), std::vector<std::string>{"garbage"});
}

TEST_F(RejectReportTest, OnlyTheLastTwoWindowsAreShown) {
  for (int i = 0; i < 5; ++i) {
    SendRaw("garbage " + std::to_string(i));
    Receive();
    BeginNextWindow();
  }
  ASSERT_EQ(Report().size(), 2u);
  EXPECT_TRUE(Prefixes(PrefixKind::kMalformed, 0).empty());
  EXPECT_EQ(Prefixes(PrefixKind::kMalformed, 1), std::vector<std::string>{"garbage 4"});
}

TEST_F(RejectReportTest, FirstAndLastTimestampsOfATopicAndReason) {
  config_.topic_defaults.rate_limit = {1, 60'000};
  lane_->Configure(config_);
  for (const int64_t timestamp : {100, 300, -200, 250}) Send({.topic = "t", .timestamp_ms = timestamp});
  Receive();
  const std::vector<shm::ReportSpan> spans = Report().at(0).spans;
  ASSERT_EQ(spans.size(), 1u);
  EXPECT_EQ(spans[0].key, shm::SpanKey(0, shm::ReportCounterOf(Reject::kRateLimit)));
  EXPECT_EQ(spans[0].first_ms, -200);
  EXPECT_EQ(spans[0].last_ms, 300);
}

}  // namespace
}  // namespace dory::intake
