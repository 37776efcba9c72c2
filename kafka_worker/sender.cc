#include "kafka_worker/sender.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "common/clock.h"
#include "common/crash_point.h"
#include "kafka_worker/look_ahead.h"
#include "kafka_worker/lookup_rules.h"
#include "shm/store.h"

namespace dory::kafka {
namespace {

using protocol::Api;
using shm::BatchDescriptor;
using shm::BatchKind;
using shm::BatchState;

// What is encoded anew before sockets are looked at again: the slowest codec takes a second for it.
constexpr uint64_t kEncodedPerTurn = 1 << 20;

// Whether what goes there is encoded in private memory: compressed, or in a format that the pool has not.
bool IsEncodedAnew(const Topic& topic, const BrokerConnection& connection) {
  return IsCompressed(topic) || protocol::ChooseMessageFormat(connection.VersionOf(Api::kProduce).value_or(3)) < 2;
}

bool IsPinned(const BatchDescriptor& batch) { return static_cast<BatchState>(batch.word.state) == BatchState::kPinned; }

}  // namespace

Sender::Sender(Memory& memory, TopicTable& topics, Cluster& cluster, ChunkStore& chunks, const KafkaConfig& config,
               Callbacks callbacks)
    : memory_(memory),
      topics_(topics),
      cluster_(cluster),
      chunks_(chunks),
      config_(config),
      callbacks_(std::move(callbacks)) {
  chunks_.on_room = [this] { OnChunkRoom(); };
}

Sender::~Sender() { chunks_.on_room = nullptr; }

void Sender::Dispatch(const DueRule& rule, int64_t now_ms) {
  Turn turn{.rule = rule, .now_ms = now_ms, .loads = {}, .suspects = {}};
  const std::vector<Topic*> dirty = topics_.TakeDirty();
  for (size_t i = 0; i < dirty.size(); ++i) {
    LookAheadInParts(memory_, dirty, i);
    AssignTopic(*dirty[i], &turn);
  }
  AssignSuspects(&turn);
  for (auto& [connection, load] : turn.loads) SendLoad(*connection, std::move(load));
  OnChunkRoom();  // what was not worth it, or is written already, took none
}

void Sender::AssignTopic(Topic& topic, Turn* turn) {
  if (!topic.known) return;
  if (topic.partitions.size() > topic.partition_count) EmptyLost(topic);
  turn->look_again_ms = INT64_MAX;
  if (MayNeedIdle(topic, turn)) {
    AssignToAll(topic, turn);
  } else {
    turn->has_healthy = true;  // nobody asks
    for (const size_t index : TopicTable::ListBusy(topic)) {
      if (index < topic.partition_count) LookAt(topic, index, turn);
    }
  }
  if (turn->look_again_ms != INT64_MAX) topics_.MarkDirtyAt(topic, turn->look_again_ms);
}

// Whether a partition may have something to do that has no batch of its own: one of any partition is due, or it
// stands in for its neighbours.
bool Sender::MayNeedIdle(Topic& topic, Turn* turn) const {
  if (topic.config.partition_key_fallback == PartitionKeyFallback::kNext) return true;
  Pick pick;
  Consider(topic, &topic.any, turn, &pick);
  return pick.from != nullptr;
}

void Sender::AssignToAll(Topic& topic, Turn* turn) {
  const size_t count = topic.partition_count;
  const size_t start = topic.next_partition;
  turn->has_healthy = std::any_of(topic.partitions.begin(), topic.partitions.end(),
                                  [](const Partition& p) { return p.leader >= 0 && !p.suspicion.suspect; });
  for (size_t i = 0; i < count; ++i) LookAt(topic, (start + i) % count, turn);
}

void Sender::LookAt(Topic& topic, size_t index, Turn* turn) {
  const Partition& partition = topic.partitions[index];
  if (partition.state == Partition::State::kInFlight && !DORY_IS_MUTANT("two batches of one partition SENT")) return;
  if (partition.state == Partition::State::kAsking) return;
  if (partition.not_before_ms > turn->now_ms) {
    turn->look_again_ms = std::min(turn->look_again_ms, partition.not_before_ms);
  } else {
    AssignPartition(topic, index, turn);
  }
}

// A suspect one takes an AnyPartition batch where no other could, and now and then to see whether it is
// still slow.
bool Sender::MayTakeAny(const Partition& partition, Turn* turn) const {
  if (!partition.suspicion.suspect || !turn->has_healthy || partition.any_not_before_ms <= turn->now_ms) return true;
  turn->look_again_ms = std::min(turn->look_again_ms, partition.any_not_before_ms);
  return false;
}

// Whether one more of its batches may be encoded anew now, where it has to be. One always may, so that none
// is ever too large.
bool Sender::MayEncode(Topic& topic, const BrokerConnection& connection, Turn* turn) {
  if (!IsEncodedAnew(topic, connection)) return true;
  if (turn->to_encode >= kEncodedPerTurn) {
    topics_.MarkDirty(topic);
    return false;
  }
  if (chunks_.used() + turn->to_encode < static_cast<uint64_t>(config_.in_flight_bytes)) return true;
  if (chunks_.used() == 0 && turn->to_encode == 0) return true;
  if (std::find(without_room_.begin(), without_room_.end(), &topic) == without_room_.end()) {
    without_room_.push_back(&topic);
  }
  return false;
}

void Sender::OnChunkRoom() {
  if (chunks_.used() >= static_cast<uint64_t>(config_.in_flight_bytes)) return;
  for (Topic* topic : without_room_) topics_.MarkDirty(*topic);
  without_room_.clear();
}

// A batch of unknown outcome goes again only while its leader would know it. Every Kafka that has producer
// ids offers Fetch.
bool Sender::HasToAsk(const Topic& topic, const Partition& partition, const BrokerConnection& connection,
                      const Turn& turn) const {
  if (partition.state != Partition::State::kRetry || partition.asked) return false;
  if (DORY_IS_MUTANT("sent again without asking")) return false;
  const BatchDescriptor& batch = memory_.pool.descriptor(partition.batch);
  if (batch.unknown_outcome == 0 || !HasSequence(batch) || !connection.IsIdempotent()) return false;
  const int64_t sent_ms_ago = (turn.rule.now_ns - batch.first_sent_boottime_ns) / 1'000'000;
  const int64_t newest_ms_ago = WallClockMs() - memory_.pool.End(partition.batch).max_timestamp;
  const bool forgotten = MayBeForgotten(sent_ms_ago, newest_ms_ago, config_.producer_id_expiration_ms);
  return (forgotten || IsLogNew(memory_.partitions->rows[batch.partition_row], topic.id)) &&
         connection.VersionOf(Api::kFetch).has_value();
}

bool Sender::IsForeign(const Partition& partition) const {
  if (partition.state != Partition::State::kRetry) return false;
  const BatchDescriptor& batch = memory_.pool.descriptor(partition.batch);
  return HasSequence(batch) && cluster_.IsForeign(batch.producer_index);
}

// Takes the oldest batch of the queue where it is due, and older than what was found before.
void Sender::Consider(const Topic& topic, BatchQueue* queue, Turn* turn, Pick* pick) const {
  if (queue->empty()) return;
  const BatchDescriptor& batch = memory_.pool.descriptor(queue->front());
  if (batch.commit.count == batch.word.first) return;
  if (const int64_t wait_ms = DueInMs(batch, topic.config, queue->size() == 1, turn->rule); wait_ms > 0) {
    turn->look_again_ms = std::min(turn->look_again_ms, turn->now_ms + wait_ms);
    return;
  }
  if (pick->from != nullptr && memory_.pool.descriptor(pick->batch).order < batch.order) return;
  *pick = {queue->front(), queue};
}

// The oldest batch that is due and may go to this partition. REQUIRES: it has a leader.
Sender::Pick Sender::PickBatch(Topic& topic, size_t index, Turn* turn) const {
  Partition& partition = topic.partitions[index];
  if (partition.state == Partition::State::kRetry) return {partition.batch, nullptr};
  Pick pick;
  // A pinned batch goes before younger ones of its kind; its order is the smallest of them.
  Consider(topic, &partition.pinned, turn, &pick);
  Consider(topic, &partition.keyed, turn, &pick);
  if (partition.pinned.empty() && !topic.any.empty() && MayTakeAny(partition, turn)) {
    Consider(topic, &topic.any, turn, &pick);
  }
  if (topic.config.partition_key_fallback == PartitionKeyFallback::kWait) return pick;
  // It is the next one for those directly before it that have no leader; what was sent once would come here behind
  // younger ones that did not wait for it.
  const size_t count = topic.partition_count;
  for (size_t back = 1; back < count; ++back) {
    Partition& before = topic.partitions[(index + count - back) % count];
    if (before.leader >= 0) break;
    if (!before.keyed.empty() && !IsPinned(memory_.pool.descriptor(before.keyed.front()))) {
      Consider(topic, &before.keyed, turn, &pick);
    }
  }
  return pick;
}

// Whether this broker can be told which topic is meant: where ids alone would do, brokers are asked for it.
bool Sender::CanName(const Topic& topic, const BrokerConnection& connection) {
  if (ChooseProduceVersion(connection, topic.id != protocol::kNoTopicId)) return true;
  if (!connection.VersionOf(Api::kProduce)) return true;  // it will be closed for it
  cluster_.RefreshMetadata();
  return false;
}

// By address, which is nobody's, or another one's, once it is gone: then a topic is looked at for nothing.
void Sender::OnRoom(const BrokerConnection& connection) {
  for (Topic* topic : std::exchange(waiters_[&connection], {})) {
    std::erase(topic->waits_at, &connection);
    topics_.MarkDirty(*topic);
  }
}

// The leader's connection where it can take a request. One that comes up or goes down marks every topic dirty,
// one that has room again those that wait for it; one that waits after a failure is tried again by us.
BrokerConnection* Sender::FindRoom(Topic& topic, const Partition& partition, Turn* turn) {
  BrokerConnection* connection = partition.suspicion.suspect ? cluster_.SuspectBroker(partition.leader)
                                                             : cluster_.Broker(partition.leader);
  if (connection == nullptr) return nullptr;
  if (connection->HasRoom()) {
    return cluster_.IsOfThisCluster(*connection) && CanName(topic, *connection) ? connection : nullptr;
  }
  if (connection->state() == BrokerConnection::State::kDown) {
    turn->look_again_ms = std::min(turn->look_again_ms, std::max(connection->not_before_ms(), turn->now_ms + 1));
  } else if (std::find(topic.waits_at.begin(), topic.waits_at.end(), connection) == topic.waits_at.end()) {
    topic.waits_at.push_back(connection);
    waiters_[connection].push_back(&topic);
  }
  return nullptr;
}

void Sender::AssignPartition(Topic& topic, size_t index, Turn* turn) {
  Partition& partition = topic.partitions[index];
  if (partition.leader < 0) return;
  const auto [id, from] = PickBatch(topic, index, turn);
  if (id == shm::kNoIndex) return;
  BrokerConnection* connection = FindRoom(topic, partition, turn);
  if (connection == nullptr || !connection->HasRoom() || !MayEncode(topic, *connection, turn)) return;
  const SentBatch again{&topic, static_cast<int32_t>(index), id, partition.leader, partition.suspicion.suspect, false};
  if (IsForeign(partition)) return callbacks_.on_other_cluster(again);
  if (HasToAsk(topic, partition, *connection, *turn)) return callbacks_.on_maybe_forgotten(again);
  if (partition.suspicion.suspect) {
    turn->suspects.push_back({&topic, index, partition.attempted_ms});
    return;
  }
  const auto begun = turn->loads.find(connection);
  const uint64_t bytes = memory_.pool.descriptor(id).commit.bytes;
  if (begun != turn->loads.end() && begun->second.bytes + bytes > static_cast<uint64_t>(config_.max_request_bytes)) {
    topics_.MarkDirty(topic);
    return;
  }
  Assign(topic, index, id, from, connection, turn);
}

// One of each broker's, the one whose last attempt is the longest ago. What it would have sent may have
// gone to a healthy partition meanwhile. The others look again, and find no room.
void Sender::AssignSuspects(Turn* turn) {
  std::stable_sort(turn->suspects.begin(), turn->suspects.end(),
                   [](const Candidate& a, const Candidate& b) { return a.attempted_ms < b.attempted_ms; });
  for (const Candidate& candidate : turn->suspects) {
    Partition& partition = candidate.topic->partitions[candidate.index];
    BrokerConnection* connection = cluster_.SuspectBroker(partition.leader);
    if (turn->loads.contains(connection)) {
      topics_.MarkDirty(*candidate.topic);
      continue;
    }
    if (!MayEncode(*candidate.topic, *connection, turn)) continue;
    const auto [id, from] = PickBatch(*candidate.topic, candidate.index, turn);
    if (id != shm::kNoIndex) Assign(*candidate.topic, candidate.index, id, from, connection, turn);
  }
}

void Sender::Assign(Topic& topic, size_t index, BatchId id, BatchQueue* from, BrokerConnection* connection,
                    Turn* turn) {
  Partition& partition = topic.partitions[index];
  if (from != nullptr && !PrepareFirstSend(topic, static_cast<int32_t>(index), id,
                                           ChooseSequencing(topic, *connection, turn->now_ms), turn->rule.now_ns)) {
    return;
  }
  if (from == &topic.any) topic.next_partition = index + 1;
  if (from != nullptr) from->erase(from->begin());
  TopicTable::NoteBusy(topic, index);
  partition.state = Partition::State::kInFlight;
  partition.batch = id;
  partition.asked = false;
  partition.attempted_ms = turn->now_ms;
  Load& load = turn->loads[connection];
  load.batches.push_back({&topic, static_cast<int32_t>(index), id, partition.leader, partition.suspicion.suspect,
                          false});
  load.bytes += memory_.pool.descriptor(id).commit.bytes;
  if (IsEncodedAnew(topic, *connection)) turn->to_encode += memory_.pool.descriptor(id).commit.bytes;
  load.timeout_ms = partition.suspicion.suspect
                        ? ChooseRequestTimeoutMs(partition.suspicion, config_.request_timeout_ms)
                        : config_.request_timeout_ms;
}

// What was acknowledged last may have been in the log of a topic that is gone. The offset is forgotten first.
void Sender::NoteLog(shm::PartitionRow* row, const protocol::TopicId& id) const {
  if (id == protocol::kNoTopicId || std::equal(id.begin(), id.end(), row->topic_id)) return;
  if (row->acked_offset >= 0 && !DORY_IS_MUTANT("acked_offset of another topic")) {
    shm::Store(row->acked_offset, int64_t{-1});
    DORY_CRASH_POINT("C6.new_log");
  }
  shm::Copy(row->topic_id, id.data(), id.size());
  DORY_CRASH_POINT("C6.topic_id");
}

// The partition's next `count` sequences; for a new producer id, or behind the wrap, from 0 on. False: the
// producer's epochs are used up.
bool Sender::TakeSequence(shm::PartitionRow* row, int producer, uint64_t count, shm::SequenceWord* taken) {
  shm::SequenceWord sequence = row->sequence;
  if (sequence.producer_index != producer) {
    // What was acknowledged last may have been in another cluster's log.
    if (row->acked_offset >= 0 && !cluster_.IsOurOwn(sequence.producer_index) &&
        !DORY_IS_MUTANT("acked_offset of another cluster")) {
      shm::Store(row->acked_offset, int64_t{-1});
      DORY_CRASH_POINT("C6.no_offset");
    }
    sequence = {0, memory_.ProducerOf(static_cast<uint64_t>(producer)).epoch, static_cast<uint16_t>(producer)};
    shm::Store(row->sequence, sequence);
    DORY_CRASH_POINT("C6.new_id");
  }
  if (static_cast<uint64_t>(sequence.next_sequence) + count > uint64_t{1} << 31) {
    if (sequence.epoch == INT16_MAX) {
      cluster_.RenewProducerId(sequence.producer_index);
      return false;
    }
    sequence = {0, static_cast<int16_t>(sequence.epoch + 1), sequence.producer_index};
    shm::Store(row->sequence, sequence);  // a batch never straddles the wrap
    DORY_CRASH_POINT("C6.wrap");
  }
  *taken = sequence;
  return true;
}

// With one where that can be, now or as soon as there is a producer id.
Sender::Sequencing Sender::ChooseSequencing(const Topic& topic, const BrokerConnection& connection,
                                            int64_t now_ms) const {
  const bool required = config_.idempotence == Idempotence::kRequired;
  const bool known = connection.IsIdempotent() && (required || topic.without_sequences_until_ms <= now_ms);
  if (known && cluster_.ProducerIndex() >= 0) return Sequencing::kWith;
  if (required) return Sequencing::kWait;
  return known && !cluster_.IsProducerIdRefused() ? Sequencing::kWait : Sequencing::kWithout;
}

// C6 and C7. False where there is no partition row, or it has to wait for its sequence.
bool Sender::PrepareFirstSend(Topic& topic, int32_t number, BatchId id, Sequencing sequencing, int64_t now_ns) {
  if (sequencing == Sequencing::kWait) return false;
  Partition& partition = topic.partitions[static_cast<size_t>(number)];
  if (partition.row == shm::kNoIndex) partition.row = topics_.EnsurePartitionRow(topic.row, number);
  if (partition.row == shm::kNoIndex) return false;

  memory_.Mark(shm::Step::kC6, id);
  shm::PartitionRow& row = memory_.partitions->rows[partition.row];
  BatchDescriptor& batch = memory_.pool.writable(id);
  uint64_t count = batch.commit.count - batch.word.first;
  if (partition.trouble.most_records > 0) count = std::min<uint64_t>(count, partition.trouble.most_records);
  if (topic.batch_bytes_limit < batch.commit.bytes) {  // it began when more was allowed; about so many do
    count = std::clamp<uint64_t>(topic.batch_bytes_limit * batch.commit.count / batch.commit.bytes, 1, count);
  }
  NoteLog(&row, topic.id);
  shm::SequenceWord sequence = shm::kNoSequence;
  const bool with = sequencing == Sequencing::kWith;
  if (with && !TakeSequence(&row, cluster_.ProducerIndex(), count, &sequence)) return false;
  shm::Store(batch.partition_row, partition.row);
  shm::Store(batch.producer_index, sequence.producer_index);
  shm::Store(batch.epoch, sequence.epoch);
  shm::Store(batch.base_sequence, sequence.next_sequence);
  shm::Store(batch.unknown_outcome, 0);
  shm::Store(batch.attempts, 0);
  shm::Store(batch.first_sent_boottime_ns, now_ns);
  DORY_CRASH_POINT("C6.fixed");
  memory_.Mark(shm::Step::kC7, id);
  const BatchState sent = DORY_IS_MUTANT("SENT after the write") ? BatchState::kOpen : BatchState::kSent;
  if (DORY_IS_MUTANT("C7 beside the seam")) batch.word = shm::MakeBatchWord(sent, batch.word.first, count);
  shm::Store(batch.word, shm::MakeBatchWord(sent, batch.word.first, count));
  DORY_CRASH_POINT("C7.sent");
  return true;
}

}  // namespace dory::kafka
