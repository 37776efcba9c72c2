#include "status_http/discards.h"

#include <gtest/gtest.h>

#include "tests/unit/status_http/sample_status.h"

namespace dory::status_http {
namespace {

TEST(DiscardsTest, ThePlainShapeIsTheOldOne) {
  const std::string text = FormatDiscards(SampleStatus(), kNow);
  EXPECT_NE(text.find("\nreport interval in seconds: 600\n\ncurrent (unfinished) reporting period:\n"
                      "    report ID: 60\n    start time: 1795356600 "),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("    malformed msg count: 1\n"
                      "    UNIX stream unclean disconnect count: 0\n"
                      "    TCP unclean disconnect count: 0\n"
                      "    unsupported API key msg count: 2\n"
                      "    unsupported version msg count: 4\n"
                      "    bad topic msg count: 3\n"
                      "\n"
                      "    recent malformed msg: 16[AAAAIGdhcmJhZ2U=]\n"
                      "\n"
                      "    unsupported msg version: 7 count: 3\n"
                      "    unsupported msg version: -1 count: 1\n"
                      "\n"
                      "    recent bad topic: 8[no topic]\n"
                      "    recent bad topic: 2[\xff?]\n"
                      "\n"
                      "    recent too long msg: 4[/w==]\n"
                      "\n"
                      "    rate limit discard topic: 7[web.log] count 2\n"
                      "\n"
                      "    discard topic: 7[web.log] begin [-7] end [1795356700123] count 5 reason too_large\n"
                      "\n"
                      "    possible duplicate topic: 7[web.log] begin [1] end [2] count 3\n"
                      "\nlatest finished reporting period:\n"
                      "    report ID: 59\n    start time: 1795356000 "),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("    malformed msg count: 9\n"), std::string::npos) << text;
}

TEST(DiscardsTest, TheJsonShapeIsTheOldOne) {
  const Json json = MakeDiscards(SampleStatus(), kNow);
  EXPECT_EQ(json["interval"], 600);
  const Json& report = json["unfinished_report"];
  EXPECT_EQ(report["id"], 60);
  EXPECT_EQ(report["start_time"], 1795356600);
  EXPECT_EQ(report["malformed_msg_count"], 1);
  EXPECT_EQ(report["unsupported_api_key_msg_count"], 2);
  EXPECT_EQ(report["unsupported_version_msg_count"], 4);
  EXPECT_EQ(report["bad_topic_msg_count"], 3);
  EXPECT_EQ(report["unsupported_msg_version"][0], Json::parse(R"({"version": 7, "count": 3, "api_key": 256})"));
  EXPECT_EQ(report["rate_limit_discard"], Json::parse(R"([{"topic": "web.log", "count": 2}])"));
  EXPECT_EQ(report["discard_topic"],
            Json::parse(R"([{"topic": "web.log", "min_timestamp": -7, "max_timestamp": 1795356700123,
                             "count": 5, "reason": "too_large"}])"));
  EXPECT_EQ(report["possible_duplicate_topic"],
            Json::parse(R"([{"topic": "web.log", "min_timestamp": 1, "max_timestamp": 2, "count": 3}])"));
  EXPECT_EQ(report["recent_malformed"], Json::parse(R"(["AAAAIGdhcmJhZ2U="])"));
  EXPECT_EQ(report["recent_too_long_msg"], Json::parse(R"(["/w=="])"));
  EXPECT_EQ(report["recent_bad_topic"][0], "no topic");
  EXPECT_EQ(report["recent_bad_topic_base64"][1], "/wo=");
  for (const char* list : {"unix_stream_unclean_disconnect", "tcp_unclean_disconnect"}) {
    EXPECT_EQ(report[list], Json::array()) << list;
  }
  EXPECT_EQ(json["finished_report"]["id"], 59);
  EXPECT_EQ(json["finished_report"]["malformed_msg_count"], 9);
}

TEST(DiscardsTest, IsValidJsonWhateverATopicIsCalled) {
  const Json json = Json::parse(WriteJson(MakeDiscards(HostileStatus(), kNow), 4));
  EXPECT_EQ(json["unfinished_report"]["discard_topic"][0]["topic"], kHostileName);
  EXPECT_EQ(json["unfinished_report"]["recent_bad_topic"][1], "\uFFFD\n");
}

TEST(DiscardsTest, AStatusWithoutPartsHasTheShapeToo) {
  const Json json = MakeDiscards(Json::object(), kNow);
  EXPECT_EQ(json["unfinished_report"]["malformed_msg_count"], 0);
  EXPECT_EQ(json["unfinished_report"]["discard_topic"], Json::array());
  EXPECT_FALSE(json.contains("finished_report"));
}

}  // namespace
}  // namespace dory::status_http
