#include "kafka_worker/topics.h"

#include <algorithm>
#include <utility>

#include "common/clock.h"
#include "common/crash_point.h"
#include "shm/kafka_start.h"
#include "shm/store.h"

namespace dory::kafka {

using shm::BatchDescriptor;
using shm::BatchKind;
using shm::BatchState;

namespace {

constexpr int64_t kTicksPerBatchTime = 4;

// Nothing would be missed with it.
bool IsUnused(const Partition& partition) {
  return partition.state == Partition::State::kIdle && !partition.listed_busy && partition.keyed.empty() &&
         partition.pinned.empty();
}

}  // namespace

int64_t FindDueNs(int64_t first_record_boottime_ns, int64_t batch_time_ms) {
  const int64_t batch_time_ns = batch_time_ms * 1'000'000;
  const int64_t due_ns = first_record_boottime_ns + batch_time_ns;
  return due_ns - due_ns % (batch_time_ns / kTicksPerBatchTime);
}

int64_t DueInMs(const BatchDescriptor& batch, const TopicConfig& config, bool last, const DueRule& rule) {
  const bool pinned = static_cast<BatchState>(batch.word.state) == BatchState::kPinned;
  if (rule.drain || !last || pinned || config.batching == Batching::kOff) return 0;
  if (config.batching == Batching::kCombined && batch.order < rule.combined_before) return 0;
  if (batch.commit.bytes >= static_cast<uint64_t>(config.batch_bytes)) return 0;
  if (config.batch_messages > 0 && batch.commit.count >= static_cast<uint64_t>(config.batch_messages)) return 0;
  const int64_t left_ns = FindDueNs(batch.first_record_boottime_ns, config.batch_time_ms) - rule.now_ns;
  return left_ns <= 0 ? 0 : (left_ns + 999'999) / 1'000'000;
}

TopicTable::TopicTable(Memory& memory, const Config& config)
    : memory_(memory), config_(config), by_row_(memory.segment.geometry().max_topics, nullptr) {
  const uint64_t rows = shm::Load(memory_.partitions->count);
  for (uint32_t i = 0; i < rows; ++i) {
    const shm::PartitionRow& row = memory_.partitions->rows[i];
    partition_rows_[{row.topic_row, row.partition}] = i;
  }
}

Topic& TopicTable::Get(uint32_t row, bool* created) {
  if (Topic* known = by_row_.at(row)) return *known;
  const shm::IntakeTopicRow& found = memory_.TopicRow(row);
  auto topic = std::make_unique<Topic>();
  topic->row = row;
  topic->name.assign(found.name, found.name_size);
  topic->config = config_.ForTopic(topic->name);
  by_row_[row] = topic.get();
  by_name_[topic->name] = topic.get();
  topics_.push_back(std::move(topic));
  if (created != nullptr) *created = true;
  return *topics_.back();
}

Topic* TopicTable::FindByName(std::string_view name) {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

uint32_t TopicTable::FindPartitionRow(uint32_t topic_row, int32_t partition) const {
  const auto found = partition_rows_.find({topic_row, partition});
  return found == partition_rows_.end() ? shm::kNoIndex : found->second;
}

uint32_t TopicTable::EnsurePartitionRow(uint32_t topic_row, int32_t partition) {
  const uint32_t found = FindPartitionRow(topic_row, partition);
  if (found != shm::kNoIndex) return found;
  const uint64_t count = shm::Load(memory_.partitions->count);
  if (count == shm::kMaxPartitions) return shm::kNoIndex;
  shm::PartitionRow& row = memory_.partitions->rows[count];
  shm::Store(row.topic_row, topic_row);
  shm::Store(row.partition, partition);
  shm::Store(row.sequence, shm::kNoSequence);
  shm::Store(row.acked_offset, -1);
  shm::Store(row.acked_boottime_ns, 0);
  DORY_CRASH_POINT("C6.row_stored");
  shm::Store(memory_.partitions->count, count + 1);
  DORY_CRASH_POINT("C6.row_published");
  const auto index = static_cast<uint32_t>(count);
  partition_rows_[{topic_row, partition}] = index;
  return index;
}

bool TopicTable::SetPartitionCount(Topic& topic, size_t count) {
  const size_t before = topic.partitions.size();
  if (count > before && partitions_ + (count - before) > shm::kMaxPartitions) return false;
  topic.partition_count = count;
  for (size_t i = count; i < before; ++i) topic.partitions[i].leader = -1;
  size_t needed = std::max(count, before);
  while (needed > count && IsUnused(topic.partitions[needed - 1])) --needed;
  ResizePartitions(topic, needed);
  for (size_t i = before; i < count; ++i) {
    topic.partitions[i].row = FindPartitionRow(topic.row, static_cast<int32_t>(i));
  }
  return true;
}

// No memory is taken ahead, and none kept: a broker may have told of 65,536 that there never were.
void TopicTable::ResizePartitions(Topic& topic, size_t size) {
  const size_t before = topic.partitions.size();
  if (size == before) return;
  partitions_ = partitions_ - before + size;
  topic.partitions.reserve(size);
  topic.partitions.resize(size);
  if (size < before) topic.partitions.shrink_to_fit();
}

void TopicTable::AdoptPartitioned(Topic& topic, BatchId id) {
  const BatchDescriptor& batch = memory_.pool.descriptor(id);
  const int32_t number = memory_.partitions->rows[batch.partition_row].partition;
  // The topic counts as not known until brokers say how many partitions it has; fewer only if it was created anew.
  ResizePartitions(topic, std::max(topic.partitions.size(), static_cast<size_t>(number) + 1));
  topic.partition_count = topic.partitions.size();
  Partition& partition = topic.partitions[static_cast<size_t>(number)];
  partition.row = batch.partition_row;
  NoteBusy(topic, static_cast<size_t>(number));
  if (static_cast<BatchState>(batch.word.state) == BatchState::kSent) {
    if (partition.batch != shm::kNoIndex) std::abort();  // two SENT batches of one partition
    partition.batch = id;
    partition.state = Partition::State::kRetry;
  } else {
    (batch.kind == BatchKind::kKey ? partition.keyed : partition.pinned).push_back(id);
  }
}

void TopicTable::Adopt(const std::vector<BatchId>& live) {
  for (const BatchId id : live) {
    const BatchDescriptor& batch = memory_.pool.descriptor(id);
    Topic& topic = Get(batch.topic_row);
    const bool open = static_cast<BatchState>(batch.word.state) == BatchState::kOpen;
    if (batch.kind == BatchKind::kWaiting) {
      topic.waiting.push_back(id);
      NoteWaiting(topic);
    } else if (batch.kind == BatchKind::kAny && open) {
      topic.any.push_back(id);  // it died before C7: no partition, whatever C6 wrote
    } else {
      AdoptPartitioned(topic, id);
    }
    MarkDirty(topic);
  }
  for (const auto& topic : topics_) topic->waiting_place = FindWaitingPlace(*topic);
}

shm::WaitingPlace TopicTable::FindWaitingPlace(const Topic& topic) const {
  shm::WaitingPlace place{};
  if (topic.waiting.empty()) return place;
  const BatchId oldest = topic.waiting.front();
  const uint32_t first = static_cast<uint32_t>(memory_.pool.descriptor(oldest).word.first);
  while (place.index < first) place = shm::NextWaiting(memory_.pool, oldest, place);
  place.index = first;  // what is left of it, where a wild write hit a record before
  return place;
}

void TopicTable::NoteBusy(Topic& topic, size_t partition) {
  if (topic.partitions[partition].listed_busy) return;
  topic.partitions[partition].listed_busy = true;
  topic.busy.push_back(partition);
}

const std::vector<size_t>& TopicTable::ListBusy(Topic& topic) {
  std::erase_if(topic.busy, [&topic](size_t index) {
    Partition& partition = topic.partitions[index];
    const bool idle = partition.state == Partition::State::kIdle;
    partition.listed_busy = !idle || !partition.keyed.empty() || !partition.pinned.empty();
    return !partition.listed_busy;
  });
  return topic.busy;
}

void TopicTable::NoteWaiting(Topic& topic) {
  if (topic.listed_waiting) return;
  topic.listed_waiting = true;
  waiting_.push_back(&topic);
}

const std::vector<Topic*>& TopicTable::ListWaiting() {
  std::erase_if(waiting_, [](Topic* topic) {
    topic->listed_waiting = !topic->waiting.empty();
    return topic->waiting.empty();
  });
  return waiting_;
}

void TopicTable::MarkDirty(Topic& topic) {
  if (topic.dirty) return;
  topic.dirty = true;
  dirty_.push_back(&topic);
}

void TopicTable::MarkAllDirty() {
  for (const auto& topic : topics_) MarkDirty(*topic);
}

std::vector<Topic*> TopicTable::TakeDirty() {
  std::vector<Topic*> taken;
  taken.swap(dirty_);
  for (Topic* topic : taken) topic->dirty = false;
  return taken;
}

void TopicTable::MarkDirtyAt(Topic& topic, int64_t at_ms) {
  if (at_ms >= topic.alarm_ms) return;
  topic.alarm_ms = at_ms;
  alarms_[at_ms].push_back(&topic);
}

void TopicTable::NoteCombined(Topic& topic, uint64_t bytes, int64_t now_ms) {
  const TopicConfig& config = topic.config;
  if (!std::exchange(topic.is_combined, true)) combined_.topics.push_back(&topic);
  combined_.bytes += bytes;
  combined_.messages += 1;
  combined_.due_ms = std::min(combined_.due_ms, now_ms + config.batch_time_ms);
  const bool enough = combined_.bytes >= static_cast<uint64_t>(config.batch_bytes) ||
                      (config.batch_messages > 0 && combined_.messages >= config.batch_messages);
  if (enough) MakeCombinedDue();
}

// All together, so that they share requests.
void TopicTable::MakeCombinedDue() {
  for (Topic* topic : combined_.topics) {
    topic->is_combined = false;
    MarkDirty(*topic);
  }
  combined_ = {.topics = {}, .before = memory_.pool.next_order()};
}

void TopicTable::MarkDue(int64_t now_ms) {
  if (combined_.due_ms <= now_ms) MakeCombinedDue();
  const auto end = alarms_.upper_bound(now_ms);
  for (auto alarm = alarms_.begin(); alarm != end; alarm = alarms_.erase(alarm)) {
    for (Topic* topic : alarm->second) {
      if (topic->alarm_ms == alarm->first) topic->alarm_ms = INT64_MAX;
      MarkDirty(*topic);
    }
  }
}

int64_t TopicTable::NextDueMs(int64_t now_ms) const {
  const int64_t next_ms = std::min(combined_.due_ms, alarms_.empty() ? INT64_MAX : alarms_.begin()->first);
  return next_ms == INT64_MAX ? -1 : std::max<int64_t>(next_ms - now_ms, 0);
}

uint64_t TopicTable::ShareBlocks() const {
  const auto percent = static_cast<uint64_t>(config_.partition_share);
  return std::max<uint64_t>(memory_.pool.block_count() * percent / 100, 1);
}

void TopicTable::SetConfig(const Config& config) {
  config_ = config;
  for (const auto& topic : topics_) {
    const TopicConfig& fresh = config_.ForTopic(topic->name);
    if (fresh.compression != topic->config.compression) topic->codec_missed = topic->codec_refused = false;
    if (fresh.delivery_deadline_ms != topic->config.delivery_deadline_ms) topic->deadline_since_ns = BoottimeNs();
    topic->batch_bytes_limit = kBatchBytesLimit;  // brokers may have been configured anew, too
    topic->config = fresh;
  }
  MarkAllDirty();
}

std::string DescribeTooMany(const Topic& topic) {
  return "topic " + topic.name + ": with its partitions all topics in use have more than " +
         std::to_string(shm::kMaxPartitions) + "; messages wait for those of it that are too many";
}

}  // namespace dory::kafka
