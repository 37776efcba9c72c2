// A whole worker and a broker that knows topics by their ids: Produce 13, Metadata 10 and newer.

#include <gtest/gtest.h>

#include "tests/unit/kafka_worker/worker_fixture.h"

namespace dory::kafka {
namespace {

constexpr protocol::TopicId kOld = {std::byte{1}};
constexpr protocol::TopicId kNew = {std::byte{2}};

class TopicIdsTest : public WorkerFixture {
 protected:
  TopicIdsTest() {
    broker_.produce_version = 13;
    broker_.metadata_version = 13;
    broker_.ids["topic"] = kOld;
  }

  std::vector<int16_t> VersionsOf(int32_t partition) {
    std::vector<int16_t> versions;
    for (const SeenBatch& batch : broker_.seen[partition]) versions.push_back(batch.version);
    return versions;
  }
};

TEST_F(TopicIdsTest, TheNewestVersionCallsTopicsByTheirIds) {
  const std::vector<std::string> values = AppendMany(10);
  Deliver();
  EXPECT_EQ(broker_.log[0], values);
  EXPECT_EQ(VersionsOf(0), std::vector<int16_t>{13});
}

TEST_F(TopicIdsTest, EveryVersionDelivers) {
  std::vector<std::string> values;
  for (int16_t version = 3; version <= 13; ++version) {
    broker_.produce_version = version;
    for (const std::string& value : AppendMany(3, std::to_string(version) + ".")) values.push_back(value);
    Deliver();
    EXPECT_EQ(broker_.seen[0].back().version, version);
  }
  EXPECT_EQ(broker_.log[0], values);
}

TEST_F(TopicIdsTest, EveryVersionOfMetadataWillDo) {
  std::vector<std::string> values;
  for (int16_t version = 0; version <= 13; ++version) {
    broker_.metadata_version = version;
    for (const std::string& value : AppendMany(3, std::to_string(version) + ".")) values.push_back(value);
    Deliver();
    EXPECT_EQ(broker_.seen[0].back().version, version < 10 ? 12 : 13);
  }
  EXPECT_EQ(broker_.log[0], values);
}

// One request is one version: a topic without an id takes those with one along.
TEST_F(TopicIdsTest, WithoutAnIdTheNameIsUsed) {
  const uint32_t other = segment_.AddTopic("other");
  broker_.topics["other"] = 2;  // whose id nobody tells
  segment_.Append(topic_, "a");
  segment_.AppendKeyed(other, 1, "b");
  Deliver();
  EXPECT_EQ(broker_.All(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(VersionsOf(1), std::vector<int16_t>{12});
  EXPECT_EQ(VersionsOf(0), std::vector<int16_t>(1, broker_.seen[0].at(0).in_request == 2 ? 12 : 13));
}

// Nothing of it is SENT meanwhile.
TEST_F(TopicIdsTest, WhereOnlyIdsWouldDoMetadataIsAskedForThem) {
  broker_.produce_version_lowest = 13;
  broker_.ids.clear();
  AppendMany(3);
  EXPECT_TRUE(LiveUntil([this] { return broker_.metadata_requests >= 3; }));
  EXPECT_EQ(CountSent(), 0u);
  EXPECT_TRUE(broker_.seen[0].empty());
  broker_.ids["topic"] = kOld;
  Deliver();
  EXPECT_EQ(broker_.log[0].size(), 3u);
}

// Deleted and created anew, while a life goes on: the old id is nobody's, and the new one is learnt.
TEST_F(TopicIdsTest, AnUnknownIdIsAskedForAnew) {
  const std::vector<std::string> before = AppendMany(3, "before");
  bool recreated = false;
  size_t asked = 0;
  EXPECT_TRUE(LiveUntil([&] {
    if (!IsSettled()) return false;
    if (!recreated) {
      recreated = true;
      asked = broker_.metadata_requests;
      broker_.ids["topic"] = kNew;
      AppendMany(3, "after");
      RingBell();
      return false;
    }
    return true;
  }));
  EXPECT_EQ(broker_.log[0].size(), 6u);
  EXPECT_GT(broker_.metadata_requests, asked);
  EXPECT_EQ(VersionsOf(0), (std::vector<int16_t>{13, 13}));
  EXPECT_EQ(Books().PossibleDuplicates(), 0u);
}

// Brokers older than the newest version of ApiVersions that is asked for, but not older than client names.
TEST_F(TopicIdsTest, ApiVersionsIsAskedForInTheNewestThatIsKnown) {
  broker_.api_versions_version = 3;
  AppendMany(1);
  Deliver();
  EXPECT_EQ(broker_.asked_versions.at(0), 4);
  EXPECT_EQ(broker_.asked_versions.at(1), 3);
  broker_.asked_versions.clear();
  broker_.api_versions_version = 4;
  AppendMany(1);
  Deliver();
  EXPECT_EQ(broker_.asked_versions, (std::vector<int16_t>{4, 4}));  // bootstrap, then the broker
}

}  // namespace
}  // namespace dory::kafka
