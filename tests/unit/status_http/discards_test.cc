#include "status_http/discards.h"

#include <gtest/gtest.h>

#include "tests/unit/status_http/sample_status.h"

namespace dory::status_http {
namespace {

TEST(DiscardsTest, ThePlainShapeIsTheOldOne) {
  const std::string text = FormatDiscards(SampleStatus(), kNow);
  EXPECT_NE(text.find("\nreport interval in seconds: 0\n\ncurrent (unfinished) reporting period:\n"
                      "    report ID: 0\n    start time: 1795356000 "),
            std::string::npos)
      << text;
  EXPECT_TRUE(text.ends_with("    malformed msg count: 1\n"
                             "    UNIX stream unclean disconnect count: 0\n"
                             "    TCP unclean disconnect count: 0\n"
                             "    unsupported API key msg count: 2\n"
                             "    unsupported version msg count: 4\n"
                             "    bad topic msg count: 3\n"
                             "\n"
                             "    unsupported msg version: 7 count: 3\n"
                             "    unsupported msg version: -1 count: 1\n"
                             "\n"
                             "    rate limit discard topic: 7[web.log] count 2\n"
                             "\n"
                             "    discard topic: 7[web.log] begin [0] end [0] count 5 reason too_large\n"
                             "\n"
                             "    possible duplicate topic: 7[web.log] begin [0] end [0] count 3\n"))
      << text;
}

TEST(DiscardsTest, TheJsonShapeIsTheOldOne) {
  const Json json = MakeDiscards(SampleStatus(), kNow);
  EXPECT_EQ(json["interval"], 0);
  EXPECT_FALSE(json.contains("finished_report"));
  const Json& report = json["unfinished_report"];
  EXPECT_EQ(report["id"], 0);
  EXPECT_EQ(report["start_time"], 1795356000);
  EXPECT_EQ(report["malformed_msg_count"], 1);
  EXPECT_EQ(report["unsupported_api_key_msg_count"], 2);
  EXPECT_EQ(report["unsupported_version_msg_count"], 4);
  EXPECT_EQ(report["bad_topic_msg_count"], 3);
  EXPECT_EQ(report["unsupported_msg_version"][0], Json::parse(R"({"version": 7, "count": 3, "api_key": 256})"));
  EXPECT_EQ(report["rate_limit_discard"], Json::parse(R"([{"topic": "web.log", "count": 2}])"));
  EXPECT_EQ(report["discard_topic"], Json::parse(R"([{"topic": "web.log", "min_timestamp": 0, "max_timestamp": 0,
                                                      "count": 5, "reason": "too_large"}])"));
  EXPECT_EQ(report["possible_duplicate_topic"][0]["count"], 3);
  for (const char* list : {"recent_malformed", "unix_stream_unclean_disconnect", "tcp_unclean_disconnect",
                           "recent_bad_topic", "recent_too_long_msg"}) {
    EXPECT_EQ(report[list], Json::array()) << list;
  }
}

TEST(DiscardsTest, IsValidJsonWhateverATopicIsCalled) {
  const Json json = Json::parse(WriteJson(MakeDiscards(HostileStatus(), kNow), 4));
  EXPECT_EQ(json["unfinished_report"]["discard_topic"][1]["topic"], kHostileName);
}

TEST(DiscardsTest, AStatusWithoutPartsHasTheShapeToo) {
  const Json report = MakeDiscards(Json::object(), kNow)["unfinished_report"];
  EXPECT_EQ(report["malformed_msg_count"], 0);
  EXPECT_EQ(report["discard_topic"], Json::array());
}

}  // namespace
}  // namespace dory::status_http
