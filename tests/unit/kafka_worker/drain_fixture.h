// Drain, topics and sender over a small segment, without brokers: leaders and partitions are set by hand.

#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/log.h"
#include "kafka_worker/drain.h"
#include "kafka_worker/protocol/record.h"
#include "kafka_worker/start.h"
#include "tests/unit/shm/test_segment.h"

namespace dory::kafka {

class DrainFixture : public ::testing::Test {
 protected:
  explicit DrainFixture(const shm::Geometry& geometry = shm::TestSegment::kSmall) : segment_(geometry) {
    (void)OpenLog("unit_tests", "/dev/null", LogLevel::kError);
    config_ = ParseConfigText("[kafka]\nbrokers = 127.0.0.1:1\n[topic:*]\nbatch_time = 100ms\n", "test.conf").Take();
    segment_.AddTopic("one");
    segment_.AddTopic("two");
    Restart();
  }

  // A life that died, and the next one: nothing but the segment is left.
  void Restart() {
    drain_.reset();
    kafka_ = segment_.Map(shm::Role::kKafka);
    memory_ = std::make_unique<Memory>(*kafka_, 0);
    const std::vector<BatchId> live = Recover(*memory_);
    topics_ = std::make_unique<TopicTable>(*memory_, config_);
    topics_->Adopt(live);
    drain_ = std::make_unique<Drain>(*memory_, *topics_);
  }

  Topic& MakeKnown(uint32_t row, size_t partitions = 2) {
    Topic& topic = topics_->Get(row);
    EXPECT_TRUE(topics_->SetPartitionCount(topic, partitions));
    topic.known = true;
    return topic;
  }

  // The values of a batch's records, settled ones included.
  std::vector<std::string> ValuesOf(BatchId batch) const {
    std::vector<std::byte> gathered;
    const shm::BatchDescriptor& found = memory_->pool.descriptor(batch);
    ByteReader reader(memory_->pool.Read(batch, 0, found.commit.bytes, &gathered));
    std::vector<std::string> values;
    protocol::RecordView record;
    for (uint32_t i = 0; i < found.commit.count; ++i) {
      EXPECT_TRUE(protocol::DecodeRecord(&reader, &record));
      values.emplace_back(AsText(record.value.value_or(ByteSpan{})));
    }
    return values;
  }

  uint64_t Head() const { return shm::Load(segment_.Consumer()->head); }
  void SetWord(BatchId batch, shm::BatchState state, uint64_t first, uint64_t count) {
    shm::Store(memory_->pool.writable(batch).word, shm::MakeBatchWord(state, first, count));
  }

  shm::TestSegment segment_;
  Config config_;
  std::unique_ptr<shm::Segment> kafka_;
  std::unique_ptr<Memory> memory_;
  std::unique_ptr<TopicTable> topics_;
  std::unique_ptr<Drain> drain_;
};

}  // namespace dory::kafka
