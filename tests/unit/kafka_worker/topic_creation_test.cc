#include "kafka_worker/topic_creation.h"

#include "tests/unit/kafka_worker/worker_fixture.h"

namespace dory::kafka {
namespace {

using Names = std::vector<std::string>;

KafkaConfig MakeConfig(const std::string& options) {
  return ParseConfigText("[kafka]\nbrokers = a:1\n" + options, "test.conf").Take().kafka;
}

TEST(TopicCreationTest, IsOffByDefault) {
  TopicCreation creation(MakeConfig(""));
  EXPECT_EQ(creation.Choose({"a", "b"}, 0), Names{});
}

TEST(TopicCreationTest, TheListHasNamesAndBeginnings) {
  TopicCreation creation(MakeConfig("topic_autocreate = yes\ntopic_autocreate_allow = orders, web.*\n"));
  EXPECT_EQ(creation.Choose({"orders", "orders2", "web.", "web.log", "web", "Orders"}, 0),
            (Names{"orders", "web.", "web.log"}));
}

TEST(TopicCreationTest, ByDefaultTheListHasAll) {
  TopicCreation creation(MakeConfig("topic_autocreate = yes\n"));
  EXPECT_EQ(creation.Choose({"a", "b"}, 0), (Names{"a", "b"}));
}

TEST(TopicCreationTest, SoManyInAWhile) {
  TopicCreation creation(MakeConfig("topic_autocreate = yes\ntopic_autocreate_rate = 2/10s\n"));
  EXPECT_EQ(creation.Choose({"a"}, 1000), Names{"a"});
  EXPECT_EQ(creation.Choose({"a", "b", "c", "d"}, 5000), (Names{"a", "b"}));  // a counts once
  EXPECT_EQ(creation.Choose({"b", "c", "d"}, 10'999), Names{"b"});
  EXPECT_EQ(creation.Choose({"b", "c", "d"}, 11'000), (Names{"b", "c"}));
  EXPECT_EQ(creation.Choose({"d"}, 14'999), Names{});
  EXPECT_EQ(creation.Choose({"d"}, 15'000), Names{"d"});
}

class AutocreateTest : public WorkerFixture {
 protected:
  AutocreateTest() { broker_.creates = true; }
  void ConfigureCreation(const std::string& kafka_options) {
    context_.config = ParseConfigText("[kafka]\nbrokers = 127.0.0.1:" + std::to_string(broker_.port()) + "\n" +
                                          kafka_options + "[topic:*]\nbatch_time = 1ms\n", "test.conf").Take();
  }
};

// The broker would create whatever a request that allows it asks for.
TEST_F(AutocreateTest, OnlyWhatTheListHasIsCreated) {
  ConfigureCreation("topic_autocreate = yes\ntopic_autocreate_allow = new.*\n");
  broker_.metadata_version = 4;
  segment_.Append(topic_, "known");
  segment_.AppendKeyed(segment_.AddTopic("new.one"), 1, "new");
  segment_.AppendKeyed(segment_.AddTopic("old.one"), 0, "old");
  EXPECT_TRUE(LiveUntil([this] { return Books().Delivered() == 2 && broker_.metadata_requests >= 6; }));
  EXPECT_EQ(Books().Buffered(), 1u);
  EXPECT_TRUE(broker_.topics.contains("new.one"));
  EXPECT_FALSE(broker_.topics.contains("old.one"));
  for (const AskedMetadata& asked : broker_.asked_metadata) {
    if (asked.allows_creation) {
      EXPECT_EQ(asked.topics, Names{"new.one"});
    }
  }
}

TEST_F(AutocreateTest, NothingIsCreatedByDefault) {
  broker_.metadata_version = 4;
  segment_.Append(segment_.AddTopic("new.one"), "new");
  EXPECT_TRUE(LiveUntil([this] { return broker_.metadata_requests >= 4; }));
  for (const AskedMetadata& asked : broker_.asked_metadata) EXPECT_FALSE(asked.allows_creation);
}

}  // namespace
}  // namespace dory::kafka
