#include "status_http/counters.h"

#include <gtest/gtest.h>

#include "tests/unit/status_http/sample_status.h"

namespace dory::status_http {
namespace {

uint64_t ValueOf(const std::string& name) {
  for (const Counter& counter : ListCounters(SampleStatus())) {
    if (counter.name == name) return counter.value;
  }
  ADD_FAILURE() << "no counter " << name;
  return 0;
}

TEST(CountersTest, CountIn64Bits) {
  EXPECT_EQ(ValueOf("MessagesReceived"), UINT64_MAX);
  EXPECT_EQ(ValueOf("MessagesDelivered"), 9007199254740993u);  // no double has it
}

TEST(CountersTest, EveryReasonHasOne) {
  EXPECT_EQ(ValueOf("RejectMalformed"), 1u);
  EXPECT_EQ(ValueOf("RejectUncleanDisconnectUnix"), 0u);
  EXPECT_EQ(ValueOf("DiscardTooLarge"), 5u);
  EXPECT_EQ(ValueOf("WorkerDeaths"), 8u);
}

TEST(CountersTest, OldNamesStandBesideOurs) {
  EXPECT_EQ(ValueOf("UnixDgInputAgentForwardMsg"), UINT64_MAX - 12);
  EXPECT_EQ(ValueOf("InputAgentDiscardMsgMalformed"), 1u);
  EXPECT_EQ(ValueOf("InputAgentDiscardMsgUnsupportedApiKey"), 2u);
  EXPECT_EQ(ValueOf("DiscardDueToRateLimit"), 2u);
  EXPECT_EQ(ValueOf("DiscardLongMsg"), 5u);
  EXPECT_EQ(ValueOf("PossibleDuplicateMsg"), 3u);
}

TEST(CountersTest, ThePlainShapeIsTheOldOne) {
  const std::string text = FormatCounters(SampleStatus(), kNow);
  EXPECT_TRUE(text.starts_with("pid: 28164\nversion: 0.1.0\nsince: 1795356781 ")) << text;
  EXPECT_NE(text.find("\nnow: 1795356785 "), std::string::npos);
  EXPECT_NE(text.find("\n\n[intake_worker].MessagesReceived=18446744073709551615\n"), std::string::npos);
  EXPECT_TRUE(text.ends_with("[kafka_worker].PossibleDuplicateMsg=3\n"));
}

TEST(CountersTest, TheJsonShapeIsTheOldOne) {
  const Json json = MakeCounters(SampleStatus(), kNow);
  EXPECT_EQ(json["pid"], 28164);
  EXPECT_EQ(json["since"], 1795356781);
  EXPECT_EQ(json["now"], kNow);
  EXPECT_EQ(json["counters"][0],
            Json::parse(R"({"location": "[intake_worker]", "name": "MessagesReceived", "value": 18446744073709551615})"));
}

}  // namespace
}  // namespace dory::status_http
