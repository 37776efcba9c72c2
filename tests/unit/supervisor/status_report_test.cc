#include "supervisor/status_report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace dory::supervisor {
namespace {

using Json = nlohmann::json;

shm::TopicBooks MakeTopic(const std::string& name, uint64_t appended, uint64_t delivered) {
  shm::TopicBooks topic;
  topic.name = name;
  topic.appended = appended;
  topic.delivered = delivered;
  return topic;
}

LaneFacts MakeLane(std::vector<shm::TopicBooks> topics) {
  LaneFacts lane;
  lane.books.topics = std::move(topics);
  lane.ring_bytes = 100;
  lane.ring_used = 10;
  lane.pool_bytes = 1000;
  return lane;
}

Json Make(const StatusFacts& facts) { return Json::parse(MakeStatusJson(facts)); }

TEST(StatusReportTest, SumsTopicsOverLanes) {
  StatusFacts facts;
  facts.lanes = {MakeLane({MakeTopic("a", 10, 4)}), MakeLane({MakeTopic("b", 3, 3), MakeTopic("a", 5, 1)})};
  facts.lanes[0].books.no_topic.rejected[static_cast<size_t>(shm::Reject::kMalformed)] = 2;
  facts.lanes[1].books.topics[1].discarded[static_cast<size_t>(shm::Discard::kRefused)] = 1;
  const Json json = Make(facts);
  const Json& books = json["books"];
  EXPECT_EQ(books["received"], 20);
  EXPECT_EQ(books["rejected"], 2);
  EXPECT_EQ(books["appended"], 18);
  EXPECT_EQ(books["delivered"], 8);
  EXPECT_EQ(books["discarded"], 1);
  EXPECT_EQ(books["buffered"], 9);
  EXPECT_EQ(json["rejected_by"]["malformed"], 2);
  EXPECT_EQ(json["buffer"]["ring_bytes"], 200);
  ASSERT_EQ(json["topics"].size(), 2u);
  EXPECT_EQ(json["topics"][0]["name"], "a");
  EXPECT_EQ(json["topics"][0]["received"], 15);
  EXPECT_EQ(json["topics"][0]["buffered"], 9);
  EXPECT_EQ(json["topics"][0]["discarded_by"]["refused"], 1);
}

TEST(StatusReportTest, InputsHaveWhatTheirKindHas) {
  StatusFacts facts;
  facts.inputs = {{"d", InputType::kUnixDatagram, 0, 0, 1}, {"s", InputType::kUnixStream, 2, 3, 0},
                  {"t", InputType::kTcp, 4, 5, 0}};
  EXPECT_EQ(Make(facts)["inputs"], Json::parse(R"([
      {"name": "d", "type": "unix_datagram", "restored": 1},
      {"name": "s", "type": "unix_stream", "restored": 0, "connections": 2, "accepted": 3},
      {"name": "t", "type": "tcp", "connections": 4, "accepted": 5}])"));
}

TEST(StatusReportTest, WithoutAnAnswerThereAreNoBrokersButAWarning) {
  StatusFacts facts;
  facts.lanes = {MakeLane({})};
  facts.silent = {"kafka-0"};
  const Json json = Make(facts);
  EXPECT_FALSE(json.contains("brokers"));
  EXPECT_TRUE(json["buffer"]["pool_used"].is_null());
  EXPECT_TRUE(json["oldest_message_age_s"].is_null());
  EXPECT_EQ(json["warnings"][0]["name"], "no_status");
}

TEST(StatusReportTest, TakesBrokersTopicsAndPoolFromTheKafkaWorkers) {
  StatusFacts facts;
  facts.lanes = {MakeLane({MakeTopic("a", 1, 0)})};
  control::WorkerStatus& answer = facts.answers["kafka-0"];
  answer.set_pool_blocks(10);
  answer.set_pool_blocks_free(7);
  answer.add_warnings("idempotence is off");
  control::BrokerStatus* broker = answer.add_brokers();
  broker->set_id(3);
  broker->set_state("up");
  control::TopicStatus* topic = answer.add_topics();
  topic->set_name("a");
  topic->set_partitions(4);
  topic->set_oldest_age_ms(1500);
  const Json json = Make(facts);
  EXPECT_EQ(json["brokers"][0]["id"], 3);
  EXPECT_EQ(json["buffer"]["pool_used"], 3 * shm::kBlockSize);
  EXPECT_EQ(json["topics"][0]["partitions"], 4);
  EXPECT_EQ(json["oldest_message_age_s"], 1.5);
  EXPECT_EQ(json["warnings"][0]["text"], "kafka-0: idempotence is off");
}

TEST(StatusReportTest, SumsUnsupportedVersionsOverLanes) {
  StatusFacts facts;
  facts.lanes = {MakeLane({}), MakeLane({})};
  facts.lanes[0].books.unsupported_versions = {{256, 7, 1}};
  facts.lanes[1].books.unsupported_versions = {{257, 2, 4}, {256, 7, 2}};
  const Json json = Make(facts);
  EXPECT_EQ(json["unsupported_versions"],
            Json::parse(R"([{"api_key": 256, "version": 7, "count": 3}, {"api_key": 257, "version": 2, "count": 4}])"));
}

TEST(StatusReportTest, IsValidJsonWhateverATopicIsCalled) {
  StatusFacts facts;
  facts.lanes = {MakeLane({MakeTopic("quote\" \xff\xfe", UINT64_MAX / 2, 0)})};
  const Json json = Make(facts);
  EXPECT_EQ(json["topics"][0]["received"].get<uint64_t>(), UINT64_MAX / 2);
}

}  // namespace
}  // namespace dory::supervisor
