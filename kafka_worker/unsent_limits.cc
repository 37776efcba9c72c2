#include "kafka_worker/unsent_limits.h"

#include <algorithm>

#include "common/clock.h"
#include "common/log.h"
#include "kafka_worker/settler.h"
#include "kafka_worker/window.h"
#include "shm/books.h"

namespace dory::kafka {
namespace {

using shm::BatchDescriptor;
using shm::BatchState;

constexpr int64_t kSayAgainMs = 60'000;
constexpr int64_t kLongestLookMs = 1000;  // alarms of topics that are looked at for another reason, too, stay few
constexpr int64_t kNsPerMs = 1'000'000;

uint64_t BlocksOf(const BatchDescriptor& batch) { return (batch.commit.bytes + shm::kBlockSize - 1) / shm::kBlockSize; }

bool WasNeverSent(const BatchDescriptor& batch) {
  return static_cast<BatchState>(batch.word.state) == BatchState::kOpen && batch.word.first == 0;
}

}  // namespace

uint64_t CountBlocks(const shm::Pool& pool, const BatchQueue& queue) {
  uint64_t blocks = 0;
  for (const BatchId id : queue) blocks += BlocksOf(pool.descriptor(id));
  return blocks;
}

uint64_t ChooseBatchLimit(const Topic& topic, uint64_t share_blocks, uint64_t most) {
  if (topic.config.partition_full == PartitionFull::kWait) return most;
  return std::min(most, std::max<uint64_t>(share_blocks / kUnsentParts, 1) * shm::kBlockSize);
}

bool IsOfOneAge(const TopicConfig& config, const BatchDescriptor& batch, int64_t received_boottime_ns) {
  if (config.delivery_deadline_ms == 0) return true;
  const int64_t most_ns = config.delivery_deadline_ms * kNsPerMs / kUnsentParts;
  return received_boottime_ns - batch.first_record_boottime_ns <= most_ns;
}

int64_t FindExpiryNs(const Topic& topic, int64_t first_record_boottime_ns) {
  if (topic.config.delivery_deadline_ms == 0) return INT64_MAX;
  const int64_t deadline_ns = topic.config.delivery_deadline_ms * kNsPerMs;
  return std::max(first_record_boottime_ns + deadline_ns / kUnsentParts, topic.deadline_since_ns) + deadline_ns;
}

void SayFull(Topic& topic, int64_t now_ms) {
  if (now_ms - topic.full_said_ms < kSayAgainMs) return;
  topic.full_said_ms = now_ms;
  LogWarning("{}", DescribeFull(topic, now_ms));
}

std::string DescribeFull(const Topic& topic, int64_t now_ms) {
  if (now_ms - topic.full_said_ms >= kSayAgainMs) return "";
  const bool newest = topic.config.partition_full == PartitionFull::kDiscardNewest;
  return "topic " + topic.name + ": what waits uses up [buffer] partition_share; its " +
         (newest ? "newest" : "oldest") + " messages are discarded";
}

bool UnsentLimits::Enforce(int64_t now_ms) {
  const uint32_t free_before = memory_.pool.free_blocks();
  now_ms_ = now_ms;
  now_ns_ = BoottimeNs();
  share_blocks_ = topics_.ShareBlocks();
  for (Topic* topic : topics_.dirty()) {
    const bool limited = topic->config.delivery_deadline_ms > 0 ||
                         topic->config.partition_full == PartitionFull::kDiscardOldest;
    if (limited) EnforceOn(*topic);
  }
  return memory_.pool.free_blocks() > free_before;
}

void UnsentLimits::EnforceOn(Topic& topic) {
  next_expiry_ns_ = INT64_MAX;
  expired_ = 0;
  EnforceOnWaiting(topic);
  EnforceOnQueue(topic, &topic.any);
  for (const size_t index : TopicTable::ListBusy(topic)) EnforceOnQueue(topic, &topic.partitions[index].keyed);
  if (expired_ > 0) {
    LogWarning("topic {}: {} messages discarded, never sent for longer than delivery_deadline", topic.name, expired_);
  }
  if (next_expiry_ns_ == INT64_MAX) return;
  const int64_t left_ms = (next_expiry_ns_ - now_ns_ + kNsPerMs - 1) / kNsPerMs;
  topics_.MarkDirtyAt(topic, now_ms_ + std::min(left_ms, kLongestLookMs));
}

bool UnsentLimits::IsOver(const Topic& topic, BatchId batch) {
  const int64_t expiry_ns = FindExpiryNs(topic, memory_.pool.descriptor(batch).first_record_boottime_ns);
  if (expiry_ns <= now_ns_) return true;
  next_expiry_ns_ = std::min(next_expiry_ns_, expiry_ns);
  return false;
}

// It is in the order of time, but for clocks that are read a little apart: the first that stays ends it. What was sent
// once is at its front. The last one stays however large it is.
void UnsentLimits::EnforceOnQueue(Topic& topic, BatchQueue* queue) {
  const auto begin = std::find_if(queue->begin(), queue->end(),
                                  [this](BatchId id) { return WasNeverSent(memory_.pool.descriptor(id)); });
  const bool sheds_oldest = topic.config.partition_full == PartitionFull::kDiscardOldest;
  uint64_t blocks = sheds_oldest ? CountBlocks(memory_.pool, *queue) : 0;
  auto end = begin;
  for (; end != queue->end(); ++end) {
    const uint64_t freed = BlocksOf(memory_.pool.descriptor(*end));
    if (blocks > share_blocks_ && end + 1 != queue->end()) {
      Discard(topic, *end, shm::Discard::kPartitionFull);
    } else if (IsOver(topic, *end)) {
      Discard(topic, *end, shm::Discard::kDeadline);
    } else {
      break;
    }
    blocks -= std::min(blocks, freed);
  }
  queue->erase(begin, end);
}

void UnsentLimits::Discard(Topic& topic, BatchId batch, shm::Discard reason) {
  if (reason == shm::Discard::kDeadline) expired_ += CountWindow(memory_.pool.descriptor(batch));
  if (reason == shm::Discard::kPartitionFull) SayFull(topic, now_ms_);
  DiscardUnsent(memory_, batch, reason);
}

// Each record by itself. A batch begins with its oldest, and goes when the deadline of its youngest is over.
void UnsentLimits::EnforceOnWaiting(Topic& topic) {
  if (topic.waiting.empty()) return;
  if (topic.config.partition_full == PartitionFull::kDiscardOldest) {
    const uint64_t count = drain_.DiscardWaiting(topic, shm::Discard::kPartitionFull, [&](int64_t) {
      return topic.waiting.size() > 1 && CountBlocks(memory_.pool, topic.waiting) > share_blocks_;
    });
    if (count > 0) SayFull(topic, now_ms_);
  }
  if (topic.waiting.empty() || !IsOver(topic, topic.waiting.front())) return;
  const int64_t before_ns = now_ns_ - topic.config.delivery_deadline_ms * kNsPerMs;
  expired_ += drain_.DiscardWaiting(topic, shm::Discard::kDeadline,
                                    [before_ns](int64_t received_ns) { return received_ns <= before_ns; });
  if (!topic.waiting.empty()) (void)IsOver(topic, topic.waiting.front());
}

}  // namespace dory::kafka
