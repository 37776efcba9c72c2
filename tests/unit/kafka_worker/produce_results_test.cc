#include "kafka_worker/produce_results.h"

#include <gtest/gtest.h>

namespace dory::kafka {
namespace {

using protocol::ProducePartitionResult;
using protocol::ProduceResponse;
using protocol::TopicId;

ProducePartitionResult Result(int32_t partition, int64_t base_offset) {
  ProducePartitionResult result;
  result.partition = partition;
  result.base_offset = base_offset;
  return result;
}

class MatchResultsTest : public testing::Test {
 protected:
  MatchResultsTest() {
    one_.name = "one";
    two_.name = "two";
  }

  void Add(Topic& topic, int32_t partition, const TopicId& id = protocol::kNoTopicId) {
    SentBatch sent{&topic, partition, 0, 0, false, false};
    sent.topic_id = id;
    batches_.push_back(sent);
  }

  // The offsets of the results, in the batches' order; -1: none.
  std::vector<int64_t> Match(const ProduceResponse& response) const {
    std::vector<int64_t> offsets;
    for (const ProducePartitionResult* result : MatchResults(batches_, response)) {
      offsets.push_back(result == nullptr ? -1 : result->base_offset);
    }
    return offsets;
  }

  Topic one_, two_;
  std::vector<SentBatch> batches_;
};

TEST_F(MatchResultsTest, WhateverTheirOrder) {
  for (const int32_t partition : {1, 5, 7}) Add(two_, partition);
  for (const int32_t partition : {0, 5}) Add(one_, partition);
  ProduceResponse response;
  response.topics = {{.name = "one", .id = {}, .partitions = {Result(5, 50), Result(0, 40)}},
                     {.name = "two", .id = {}, .partitions = {Result(7, 30), Result(1, 10), Result(5, 20)}}};
  EXPECT_EQ(Match(response), (std::vector<int64_t>{10, 20, 30, 40, 50}));
}

TEST_F(MatchResultsTest, ATopicMayComeInParts) {
  for (const int32_t partition : {1, 2}) Add(one_, partition);
  ProduceResponse response;
  response.topics = {{.name = "one", .id = {}, .partitions = {Result(2, 20)}},
                     {.name = "one", .id = {}, .partitions = {Result(1, 10)}}};
  EXPECT_EQ(Match(response), (std::vector<int64_t>{10, 20}));
}

TEST_F(MatchResultsTest, WhatWasNotAskedForIsNobodys) {
  Add(one_, 1);
  ProduceResponse response;
  response.topics = {{.name = "two", .id = {}, .partitions = {Result(1, 10)}},
                     {.name = "one", .id = {}, .partitions = {Result(0, 10), Result(2, 10), Result(-1, 10)}},
                     {.name = "", .id = {}, .partitions = {Result(1, 10)}}};
  EXPECT_EQ(Match(response), (std::vector<int64_t>{-1}));
  EXPECT_EQ(Match({}), (std::vector<int64_t>{-1}));
}

TEST_F(MatchResultsTest, OfTwoForOneTheLast) {
  Add(one_, 1);
  ProduceResponse response;
  response.topics = {{.name = "one", .id = {}, .partitions = {Result(1, 10), Result(1, 20)}}};
  EXPECT_EQ(Match(response), (std::vector<int64_t>{20}));
}

// By which the topic was called in the request, whatever metadata has said since.
TEST_F(MatchResultsTest, ByIds) {
  const TopicId first{std::byte{1}}, second{std::byte{2}};
  one_.id = second;
  Add(one_, 3, first);
  Add(two_, 3, second);
  ProduceResponse response;
  response.topics = {{.name = {}, .id = second, .partitions = {Result(3, 20)}},
                     {.name = {}, .id = first, .partitions = {Result(3, 10)}}};
  EXPECT_EQ(Match(response), (std::vector<int64_t>{10, 20}));
}

}  // namespace
}  // namespace dory::kafka
