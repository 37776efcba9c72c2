#include "kafka_worker/look_ahead.h"

#include <array>

#include "common/prefetch.h"
#include "kafka_worker/route.h"
#include "kafka_worker/sent_batch.h"

namespace dory::kafka {
namespace {

// What is looked at of a topic, and of a batch: for a record, and for the whole batch. What comes behind is seldom.
constexpr size_t kTopicBytesOfRecord = 128;
constexpr size_t kBatchBytesOfRecord = 128;
constexpr size_t kTopicBytes = 320;
constexpr size_t kBatchBytes = offsetof(shm::BatchDescriptor, reserved);

struct Path {
  const shm::MessageView* message;
  const Topic* topic;
  const BatchQueue* queue = nullptr;
  BatchId batch = shm::kNoIndex;
};

const BatchQueue* FindQueue(const Topic& topic, const shm::MessageView& message) {
  if (!topic.known) return &topic.waiting;
  const Route route = ChooseRoute(message, topic.config.partitioner, topic.partition_count);
  return route.kind == shm::BatchKind::kKey ? &topic.partitions[route.partition].keyed : &topic.any;
}

}  // namespace

void LookAhead(const Memory& memory, const TopicTable& topics, std::span<const shm::RingRecord> records) {
  std::array<Path, kLookAhead> paths;
  size_t count = 0;
  for (const shm::RingRecord& record : records) {
    if (record.verdict != shm::RingRecord::Verdict::kMessage) continue;
    const Topic* topic = topics.Find(record.message.header.topic_row);
    if (topic == nullptr) continue;
    Prefetch(topic, kTopicBytesOfRecord);
    paths[count++] = {&record.message, topic};
  }
  const std::span found(paths.data(), count);
  for (Path& path : found) {
    path.queue = FindQueue(*path.topic, *path.message);
    Prefetch(*path.queue);
  }
  for (Path& path : found) {
    if (path.queue->empty()) continue;
    path.batch = path.queue->back();
    Prefetch(&memory.pool.descriptor(path.batch), kBatchBytesOfRecord);
    Prefetch(memory.pool.ChainOf(path.batch), 1);
  }
  for (const Path& path : found) {
    if (path.batch != shm::kNoIndex) Prefetch(memory.pool.EndOf(path.batch), path.message->RecordSize());
  }
}

void LookAhead(const Memory& memory, std::span<Topic* const> topics) {
  for (const Topic* topic : topics) Prefetch(topic, kTopicBytes);
  for (const Topic* topic : topics) Prefetch(topic->busy.data(), kCacheLine);
  const auto each_busy = [&topics](auto use) {
    for (const Topic* topic : topics) {
      const size_t count = std::min(topic->busy.size(), kLookAhead);
      for (size_t i = 0; i < count; ++i) use(topic->partitions[topic->busy[i]]);
    }
  };
  each_busy([](const Partition& partition) { Prefetch(partition); });
  each_busy([&memory](const Partition& partition) {
    if (partition.row != shm::kNoIndex) Prefetch(memory.partitions->rows[partition.row]);
  });
  each_busy([&memory](const Partition& partition) {
    if (!partition.keyed.empty()) Prefetch(&memory.pool.descriptor(partition.keyed.front()), kBatchBytes);
  });
}

void LookAhead(const Memory& memory, std::span<const SentBatch> batches) {
  for (const SentBatch& sent : batches) {
    Prefetch(&memory.pool.descriptor(sent.batch), kBatchBytes);
    Prefetch(sent.topic, kTopicBytes);
    Prefetch(memory.books[sent.topic->row]);
  }
  for (const SentBatch& sent : batches) Prefetch(sent.topic->partitions[static_cast<size_t>(sent.partition)]);
  for (const SentBatch& sent : batches) {
    Prefetch(memory.partitions->rows[memory.pool.descriptor(sent.batch).partition_row]);
  }
}

}  // namespace dory::kafka
