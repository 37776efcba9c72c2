// A whole kafka worker on a small segment, against a FakeBroker, in one event loop.
//
// A life ends where the test lets the loop stop; the next one starts from the segment alone.

#pragma once

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/log.h"
#include "kafka_worker/kafka_worker.h"
#include "tests/unit/kafka_worker/fake_broker.h"
#include "tests/unit/shm/test_segment.h"

namespace dory::kafka {

class WorkerFixture : public ::testing::Test {
 protected:
  static constexpr int64_t kLimitMs = 60'000;

  WorkerFixture() : broker_(context_.loop) {
    (void)OpenLog("unit_tests", "/dev/null", LogLevel::kError);
    Configure("batch_time = 1ms\n");
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    supervisor_.Reset(ends[1]);
    context_.name = "kafka-0";
    context_.link = std::make_unique<ControlLink>(context_.loop, ends[0], [](const std::string&) {},
                                                  [](const std::string&) {});
    context_.descriptors = {{"data_doorbell", data_bell_.get()}, {"room_doorbell", room_bell_.get()}};
    topic_ = segment_.AddTopic("topic");
    broker_.topics["topic"] = 1;
  }
  ~WorkerFixture() override { EndLife(); }

  void Configure(const std::string& topic_options, const std::string& kafka_options = "") {
    ConfigureBrokers("127.0.0.1:" + std::to_string(broker_.port()), topic_options, kafka_options);
  }
  void ConfigureBrokers(const std::string& list, const std::string& topic_options,
                        const std::string& kafka_options = "") {
    context_.config = ParseConfigText("[kafka]\nbrokers = " + list + "\n" + kafka_options + "[topic:*]\n" + topic_options,
                                      "test.conf").Take();
  }

  void StartLife() {
    EndLife();
    kafka_ = segment_.Map(shm::Role::kKafka);
    worker_ = std::make_unique<KafkaWorker>(context_, *kafka_);
  }
  void EndLife() {
    context_.loop.SetBeforeWait(nullptr);
    worker_.reset();
  }

  // A life until `done`, and its end. False: it took too long.
  bool LiveUntil(const std::function<bool()>& done) {
    StartLife();
    const int64_t begin = MonotonicMs();
    bool reached = false;
    Timer look(context_.loop, [&] {
      reached = done();
      if (reached || MonotonicMs() - begin > kLimitMs) context_.loop.Stop();
    });
    look.StartEvery(1);
    worker_->Run();
    EndLife();
    return reached;
  }

  shm::Books Books() const { return shm::ReadBooks(segment_.check(), 0); }
  bool IsSettled() const { return Books().Buffered() == 0; }

  // A life until nothing is buffered; then the books are held against what was counted.
  void Deliver() {
    EXPECT_TRUE(LiveUntil([this] { return IsSettled(); }));
    const shm::BufferCheck found = segment_.ExpectBalance();
    EXPECT_EQ(found.buffered_counted, 0u);
    EXPECT_EQ(found.books.Appended(), segment_.appended());
  }

  std::vector<std::string> AppendMany(int count, const std::string& prefix = "m") {
    std::vector<std::string> values;
    for (int i = 0; i < count; ++i) {
      values.push_back(prefix + std::to_string(i));
      segment_.Append(topic_, values.back());
    }
    return values;
  }

  // What an intake does behind P4, while a life goes on.
  void RingBell() {
    shm::DoorbellWaker(&segment_.Consumer()->data_sleep, data_bell_.get()).WakeIfAsleep();
  }

  const shm::PartitionRow& PartitionRowOf(uint32_t index) const {
    return segment_.check().Get<shm::PartitionRows>(shm::RegionKind::kPartitions, 0)->rows[index];
  }
  // For states that a test sets by hand, between lives.
  shm::PartitionRows& WritablePartitions() {
    writable_ = segment_.Map(shm::Role::kKafka);
    return *writable_->GetWritable<shm::PartitionRows>(shm::RegionKind::kPartitions, 0);
  }
  shm::BatchDescriptor& WritableBatch(shm::BatchId batch) {
    writable_ = segment_.Map(shm::Role::kKafka);
    return writable_->GetWritable<shm::BatchDescriptor>(shm::RegionKind::kBatches, 0)[batch];
  }
  // The first batch in that state that is not a waiting one.
  const shm::BatchDescriptor* FindBatch(shm::BatchState state) const {
    const auto* batches = segment_.check().Get<shm::BatchDescriptor>(shm::RegionKind::kBatches, 0);
    for (uint32_t i = 0; i < segment_.check().geometry().BlockCount(); ++i) {
      const bool found = static_cast<shm::BatchState>(shm::Load(batches[i].word).state) == state;
      if (found && batches[i].kind != shm::BatchKind::kWaiting) return &batches[i];
    }
    return nullptr;
  }

  // A wild write into the records of the batch that is SENT. REQUIRES: there is one.
  void DamageSent(size_t offset) {
    const auto kafka = segment_.Map(shm::Role::kKafka);
    const auto* batches = segment_.check().Get<shm::BatchDescriptor>(shm::RegionKind::kBatches, 0);
    const auto batch = static_cast<uint64_t>(FindBatch(shm::BatchState::kSent) - batches);
    kafka->WritableBytes(shm::RegionKind::kPool, 0)[batch * shm::kBlockSize + offset] ^= std::byte{1};
  }

  size_t CountSent() const {
    const auto* batches = segment_.check().Get<shm::BatchDescriptor>(shm::RegionKind::kBatches, 0);
    const auto* end = batches + segment_.check().geometry().BlockCount();
    return static_cast<size_t>(std::count_if(batches, end, [](const shm::BatchDescriptor& batch) {
      return static_cast<shm::BatchState>(shm::Load(batch.word).state) == shm::BatchState::kSent;
    }));
  }

  shm::TestSegment segment_;
  WorkerContext context_;
  FakeBroker broker_;
  FileDescriptor data_bell_{::eventfd(0, EFD_NONBLOCK)};
  FileDescriptor room_bell_{::eventfd(0, EFD_NONBLOCK)};
  FileDescriptor supervisor_;
  uint32_t topic_ = 0;
  std::unique_ptr<shm::Segment> kafka_;
  std::unique_ptr<shm::Segment> writable_;
  std::unique_ptr<KafkaWorker> worker_;
};

}  // namespace dory::kafka
