// A whole worker among several brokers: leaders that answers name, throttle times, the bootstrap list,
// large metadata.

#include "kafka_worker/cluster.h"

#include <algorithm>

#include "common/control.pb.h"
#include "tests/unit/kafka_worker/worker_fixture.h"

namespace dory::kafka {
namespace {

std::string Local(uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

class ClusterTest : public WorkerFixture {
 protected:
  // Both of them know both, and that broker 1 leads.
  void JoinTwo() {
    for (FakeBroker* broker : {&broker_, &second_}) {
      broker->topics["topic"] = 1;
      broker->produce_version = 12;
      broker->metadata_version = 12;
    }
    second_.broker_id = 2;
    broker_.other_port = broker_.hinted_port = second_.port();
    second_.other_port = second_.hinted_port = broker_.port();
  }
  size_t CountMetadata() const { return broker_.metadata_requests + second_.metadata_requests; }

  // A life that does `more` once the first messages are settled, until all is.
  bool LiveWith(const std::function<void()>& more) {
    bool done = false;
    return LiveUntil([&] {
      if (!IsSettled()) return false;
      if (done) return true;
      done = true;
      more();
      RingBell();
      return false;
    });
  }

  FakeBroker second_{context_.loop};
};

// ---- leaders that answers name

TEST_F(ClusterTest, AHintIsFollowedWithoutMetadata) {
  JoinTwo();
  broker_.other_port = 0;  // metadata knows nothing of it: the address is the hint's
  broker_.script[0] = {{.code = 6, .leader = 2}};
  const std::vector<std::string> values = AppendMany(5);
  Deliver();
  EXPECT_EQ(second_.log[0], values);
  ASSERT_EQ(broker_.seen[0].size(), 1u);
  ASSERT_EQ(second_.seen[0].size(), 1u);
  EXPECT_EQ(broker_.metadata_requests, broker_.seen[0][0].metadata_requests);
  for (const AskedMetadata& asked : second_.asked_metadata) EXPECT_TRUE(asked.topics.empty());
  EXPECT_EQ(Books().PossibleDuplicates(), 0u);
}

// Both say that the other one leads, and neither says anything new.
TEST_F(ClusterTest, AHintThatIsNoNewerIsAReasonForMetadata) {
  JoinTwo();
  broker_.script[0] = {{.code = 6, .leader = 2, .leader_epoch = 0}, {.code = 6, .leader = 2, .leader_epoch = -1}};
  const std::vector<std::string> values = AppendMany(5);
  Deliver();
  EXPECT_EQ(broker_.log[0], values);
  EXPECT_TRUE(second_.seen[0].empty());
  EXPECT_GT(CountMetadata(), broker_.seen[0][0].metadata_requests);
}

TEST_F(ClusterTest, MetadataThatIsBehindAHintDoesNotUndoIt) {
  JoinTwo();
  broker_.script[0] = {{.code = 6, .leader = 2}};
  second_.script[0] = {{.code = 3}, {.code = 3}};  // each a reason for metadata, which names broker 1
  const std::vector<std::string> values = AppendMany(5);
  Deliver();
  EXPECT_EQ(second_.log[0], values);
  EXPECT_EQ(broker_.seen[0].size(), 1u);
  EXPECT_EQ(second_.seen[0].size(), 3u);
  EXPECT_GT(CountMetadata(), broker_.seen[0][0].metadata_requests);
}

// ---- a broker that is to be spared

TEST_F(ClusterTest, ABrokerIsSparedWhileItThrottles) {
  broker_.throttle_ms = 300;
  AppendMany(5);
  const uint32_t other = segment_.AddTopic("other");
  broker_.topics["other"] = 2;
  EXPECT_TRUE(LiveWith([&] {
    AppendMany(5, "more");
    segment_.AppendKeyed(other, 1, "new");  // whose metadata is wanted, and nobody else could be asked
  }));
  EXPECT_EQ(broker_.early_requests, 0u);
  EXPECT_EQ(broker_.All().size(), 11u);
  EXPECT_EQ(broker_.seen[0].size(), 2u);
}

// The suspect partition would go over the other connection, at once.
TEST_F(ClusterTest, BothConnectionsToABrokerSpareIt) {
  broker_.throttle_ms = 300;
  broker_.script[0] = {{.code = 20, .appends = true}};
  const std::vector<std::string> values = AppendMany(5);
  Deliver();
  EXPECT_EQ(broker_.early_requests, 0u);
  EXPECT_EQ(broker_.log[0], values);
  ASSERT_EQ(broker_.seen[0].size(), 2u);
  EXPECT_NE(broker_.seen[0][0].connection, broker_.seen[0][1].connection);
}

// ---- the bootstrap list

TEST_F(ClusterTest, TheListIsUsedAgainWhenNobodyWhoIsKnownAnswers) {
  ConfigureBrokers(Local(broker_.port()) + ", " + Local(second_.port()), "batch_time = 1ms\n");
  second_.topics["topic"] = 1;
  AppendMany(5);
  EXPECT_TRUE(LiveWith([&] {
    broker_.Stop();  // and the cluster goes on with broker 1 at another address
    AppendMany(5, "more");
  }));
  EXPECT_EQ(broker_.log[0].size() + second_.log[0].size(), 10u);
  EXPECT_EQ(second_.log[0].size(), 5u);
}

TEST_F(ClusterTest, ABrokerMaySendUsBackToTheList) {
  ConfigureBrokers(Local(broker_.port()) + ", " + Local(second_.port()), "batch_time = 1ms\n");
  second_.topics = {{"topic", 1}, {"other", 2}};
  broker_.metadata_version = second_.metadata_version = 13;
  const uint32_t other = segment_.AddTopic("other");
  AppendMany(5);
  EXPECT_TRUE(LiveWith([&] {
    broker_.metadata_error = 129;  // it goes on to serve all else
    segment_.AppendKeyed(other, 1, "new");
  }));
  EXPECT_EQ(broker_.log[0].size(), 5u);
  EXPECT_EQ(second_.log[1], std::vector<std::string>{"new"});
}

TEST_F(ClusterTest, BrokersMayHaveIpv6AddressesAlone) {
  FakeBroker broker(context_.loop, true, AF_INET6);
  broker.topics["topic"] = 1;
  ConfigureBrokers("[::1]:" + std::to_string(broker.port()), "batch_time = 1ms\n");
  const std::vector<std::string> values = AppendMany(5);
  Deliver();
  EXPECT_EQ(broker.log[0], values);
}

// ---- metadata

TEST_F(ClusterTest, OnlyTopicsInUseAreAskedFor) {
  broker_.topics["unused"] = 7;
  const uint32_t other = segment_.AddTopic("other");
  broker_.topics["other"] = 2;
  AppendMany(5);
  EXPECT_TRUE(LiveWith([&] { segment_.AppendKeyed(other, 1, "new"); }));
  for (const AskedMetadata& asked : broker_.asked_metadata) {
    for (const std::string& name : asked.topics) EXPECT_TRUE(name == "topic" || name == "other") << name;
  }
  EXPECT_EQ(broker_.asked_metadata.back().topics, std::vector<std::string>{"other"});
}

// A name that is wrong is asked for again and again, by itself.
TEST_F(ClusterTest, WhatNobodyKnowsDoesNotMakeAllBeAskedFor) {
  const uint32_t other = segment_.AddTopic("other");
  AppendMany(5);
  EXPECT_TRUE(LiveUntil([&] {
    if (segment_.appended() == 5 && IsSettled()) {
      segment_.AppendKeyed(other, 1, "waits");
      RingBell();
    }
    if (broker_.metadata_requests >= 7) broker_.topics["other"] = 2;
    return segment_.appended() == 6 && IsSettled();
  }));
  size_t of_all = 0;
  for (const AskedMetadata& asked : broker_.asked_metadata) {
    of_all += std::count(asked.topics.begin(), asked.topics.end(), "topic");
  }
  EXPECT_EQ(of_all, 1u);
  EXPECT_GE(broker_.asked_metadata.size(), 7u);
}

// It is said in the status, and goes on by itself once they can.
TEST_F(ClusterTest, WhatBrokersAnswerForATopicIsSaid) {
  broker_.topic_errors["topic"] = 38;
  std::string said;
  const std::vector<std::string> values = AppendMany(5);
  EXPECT_TRUE(LiveUntil([&] {
    control::WorkerStatus status;
    context_.handlers.fill_status(&status);
    for (const std::string& warning : status.warnings()) {
      if (warning.find("INVALID_REPLICATION_FACTOR") != std::string::npos) said = warning;
    }
    if (!said.empty()) broker_.topic_errors.clear();
    return IsSettled();
  }));
  EXPECT_EQ(said, "topic topic: brokers answer INVALID_REPLICATION_FACTOR to who asks for it, messages wait");
  EXPECT_EQ(broker_.log[0], values);
}

// An answer of almost 5 MiB, in as many pieces as the socket makes of it.
TEST_F(ClusterTest, FiftyThousandPartitionsComeInOneAnswer) {
  broker_.topics["topic"] = 50'000;
  broker_.replicas = 10;
  for (const int32_t partition : {49'999, 0, 25'000}) {
    segment_.AppendKeyed(topic_, static_cast<uint32_t>(partition), std::to_string(partition));
  }
  Deliver();
  EXPECT_EQ(broker_.log.size(), 3u);
  for (const auto& [partition, values] : broker_.log) EXPECT_EQ(values, std::vector<std::string>{std::to_string(partition)});
  EXPECT_LE(broker_.metadata_requests, 2u);
}

}  // namespace
}  // namespace dory::kafka
