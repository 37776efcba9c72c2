#include "kafka_worker/authorization_deadline.h"

#include "common/clock.h"
#include "common/log.h"
#include "kafka_worker/window.h"

namespace dory::kafka {
namespace {

constexpr int64_t kLookMs = 200;  // deadlines are seconds
constexpr int64_t kNsPerMs = 1'000'000;

}  // namespace

AuthorizationDeadline::AuthorizationDeadline(Memory& memory, TopicTable& topics, Cluster& cluster, LogLookup& lookup,
                                             Settler& settler, Drain& drain)
    : memory_(memory), topics_(topics), cluster_(cluster), lookup_(lookup), settler_(settler), drain_(drain) {}

void AuthorizationDeadline::Enforce(int64_t now_ms) {
  if (!cluster_.IsAnyRefusing() || now_ms < next_look_ms_) return;
  next_look_ms_ = now_ms + kLookMs;
  now_ms_ = now_ms;
  now_ns_ = BoottimeNs();
  for (const auto& topic : topics_.topics()) {
    if (topic->config.authorization_deadline_ms > 0) LookAt(*topic);
  }
}

// Of a partition what is SENT first: it is the oldest.
void AuthorizationDeadline::LookAt(Topic& topic) {
  Refusal every = topic.known ? Refusal{} : cluster_.RefusalOfAll();
  // Those that the topic no longer has give what they hold to others.
  const size_t count = topic.known ? topic.partition_count : topic.partitions.size();
  for (size_t i = 0; i < count; ++i) {
    const Partition& partition = topic.partitions[i];
    if (topic.known) {
      const Refusal refusal = cluster_.RefusalOf(partition.leader, partition.suspicion.suspect);
      every = i == 0 ? refusal : Join(every, refusal);
      LookAtPartition(topic, i, refusal);
    } else {
      LookAtPartition(topic, i, every);
    }
  }
  while (!topic.any.empty() && IsOver(topic, topic.any.front(), every)) DiscardFirst(topic, &topic.any);
  if (!topic.known) DiscardWaiting(topic, every);
}

bool AuthorizationDeadline::IsOver(const Topic& topic, BatchId batch, const Refusal& refusal) const {
  const int64_t waited_ms = (now_ns_ - memory_.pool.descriptor(batch).first_record_boottime_ns) / kNsPerMs;
  return IsRefusedTooLong(refusal, waited_ms, topic.config.authorization_deadline_ms, now_ms_);
}

void AuthorizationDeadline::LookAtPartition(Topic& topic, size_t index, const Refusal& refusal) {
  Partition& partition = topic.partitions[index];
  const auto number = static_cast<int32_t>(index);
  if (partition.state == Partition::State::kAsking && IsOver(topic, partition.batch, refusal)) {
    lookup_.GiveUp(topic, number);
  }
  if (partition.state == Partition::State::kRetry && IsOver(topic, partition.batch, refusal)) {
    settler_.OnRefused({&topic, number, partition.batch, partition.leader, partition.suspicion.suspect, false});
  }
  for (BatchQueue* queue : {&partition.pinned, &partition.keyed}) {
    while (partition.state == Partition::State::kIdle && !queue->empty() && IsOver(topic, queue->front(), refusal)) {
      DiscardFirst(topic, queue);
      partition.trouble.most_records = 0;  // the next batch has its own records
    }
  }
}

void AuthorizationDeadline::DiscardFirst(Topic& topic, BatchQueue* queue) {
  const BatchId id = queue->front();
  LogError("{}: {} messages discarded: brokers refuse us", topic.name, CountWindow(memory_.pool.descriptor(id)));
  queue->erase(queue->begin());
  DiscardUnsent(memory_, id, shm::Discard::kNotAuthorized);
  topics_.MarkDirty(topic);
}

void AuthorizationDeadline::DiscardWaiting(Topic& topic, const Refusal& refusal) {
  if (topic.waiting.empty() || !IsOver(topic, topic.waiting.front(), refusal)) return;
  const int64_t before_ns = now_ns_ - topic.config.authorization_deadline_ms * kNsPerMs;
  const uint64_t count = drain_.DiscardWaiting(topic, shm::Discard::kNotAuthorized, [before_ns](int64_t received_ns) {
    return received_ns <= before_ns;
  });
  if (count > 0) LogError("{}: {} waiting messages discarded: brokers refuse us", topic.name, count);
}

}  // namespace dory::kafka
