#include "kafka_worker/settler.h"

#include <algorithm>

#include "common/clock.h"
#include "common/crash_point.h"
#include "common/log.h"
#include "kafka_worker/backoff.h"
#include "kafka_worker/discard_report.h"
#include "kafka_worker/look_ahead.h"
#include "kafka_worker/produce_results.h"
#include "kafka_worker/window.h"
#include "shm/store.h"

namespace dory::kafka {
namespace {

using protocol::Action;
using protocol::ErrorCode;
using protocol::InLog;
using shm::BatchDescriptor;
using shm::BatchKind;
using shm::BatchState;

constexpr int64_t kProbeMs = 5000;  // a suspect partition gets no AnyPartition batch for so long, or longer

bool IsSlownessOf(int16_t code) {
  return code == protocol::error::kRequestTimedOut || code == protocol::error::kNotEnoughReplicasAfterAppend;
}

// Whether the sender has to look at the topic now that this partition of it is idle.
bool MayHaveMore(const Topic& topic, const Partition& partition) {
  return !partition.keyed.empty() || !partition.pinned.empty() || !topic.any.empty() ||
         topic.partitions.size() > topic.partition_count ||
         topic.config.partition_key_fallback == PartitionKeyFallback::kNext;
}

// What an answer says of how quick its partition is. One answer came for all: where a partition in it
// is named as the slow one (`explained`), the others were in time.
Attempt ClassifyAttempt(const ErrorCode& error, int64_t took_ms, bool explained) {
  if (error.action == Action::kDelivered) return took_ms > kSlowMs && !explained ? Attempt::kSlow : Attempt::kInTime;
  if (error.code == protocol::error::kRequestTimedOut) return Attempt::kTimedOut;
  const bool replicas = error.code == protocol::error::kNotEnoughReplicas ||
                        error.code == protocol::error::kNotEnoughReplicasAfterAppend;
  return replicas ? Attempt::kReplicas : Attempt::kOther;
}

void AdvanceSequence(Memory& memory, const BatchDescriptor& batch) {
  shm::PartitionRow& row = memory.partitions->rows[batch.partition_row];
  const int32_t base = DORY_IS_MUTANT("next_sequence added") ? row.sequence.next_sequence : batch.base_sequence;
  const uint64_t next = (static_cast<uint64_t>(base) + batch.word.count) & INT32_MAX;
  shm::Store(row.sequence, shm::SequenceWord{static_cast<int32_t>(next), batch.epoch, batch.producer_index});
}

// C11: the outcomes of the window.
void AnswerWindow(Memory& memory, BatchId id, bool delivered) {
  const BatchDescriptor& batch = memory.pool.descriptor(id);
  const auto reason = static_cast<shm::Discard>(batch.discard_reason);
  Settlement settled{.code = delivered ? shm::kDeliveredCode : shm::CodeOf(reason)};
  if (batch.partition_row != shm::kNoIndex) settled.partition = memory.partitions->rows[batch.partition_row].partition;
  if (delivered) settled.offset = batch.settled_offset;
  settled.index = batch.word.first;
  memory.receipts.AnswerUpTo(id, uint64_t{batch.word.first} + batch.word.count, settled);
}

// C9 and C10.
void StoreDiscarded(Memory& memory, BatchId id, shm::Discard reason) {
  NoteWindowDiscarded(memory, id, reason);
  BatchDescriptor& batch = memory.pool.writable(id);
  const uint64_t count = CountWindow(batch);
  const bool late = DORY_IS_MUTANT("total_after behind DISCARDED");
  const uint64_t discarded = shm::Load(memory.books[batch.topic_row].discarded[static_cast<size_t>(reason)]);
  shm::Store(batch.discard_reason, static_cast<uint16_t>(reason));
  DORY_CRASH_POINT("C9.discard_reason");
  if (!late) shm::Store(batch.total_after, discarded + count);
  DORY_CRASH_POINT("C9.discard_total");
  memory.Mark(shm::Step::kC10, id);
  shm::Store(batch.word, shm::MakeBatchWord(BatchState::kDiscarded, batch.word.first, count));
  DORY_CRASH_POINT("C10.discarded");
  if (late) shm::Store(batch.total_after, discarded + count);
}

void NoteProgress(Memory& memory) {
  if (DORY_IS_MUTANT("a write beside the seam")) ++memory.page->progress;
  shm::Store(memory.page->progress, memory.page->progress + 1);
}

}  // namespace

bool FinishSettled(Memory& memory, BatchId id) {
  memory.Mark(shm::Step::kC11, id);
  BatchDescriptor& batch = memory.pool.writable(id);
  shm::KafkaTopicRow& books = memory.books[batch.topic_row];
  const shm::BatchWord word = batch.word;
  const uint64_t end = uint64_t{word.first} + word.count;
  const bool freed_before = DORY_IS_MUTANT("FREE before it is counted") && end == batch.commit.count;
  if (freed_before) memory.pool.Free(id);
  const bool delivered = static_cast<BatchState>(word.state) == BatchState::kAcked;
  AnswerWindow(memory, id, delivered);
  if (delivered) {
    if (HasSequence(batch)) AdvanceSequence(memory, batch);
    DORY_CRASH_POINT("C11.sequence");
    shm::Store(books.delivered, DORY_IS_MUTANT("delivered added") ? books.delivered + word.count : batch.total_after);
  } else {
    shm::Store(books.discarded[batch.discard_reason], batch.total_after);
  }
  DORY_CRASH_POINT("C11.counted");
  memory.Mark(shm::Step::kC12, id);
  if (freed_before) return true;
  if (end == batch.commit.count) {
    memory.pool.Free(id);
    return true;
  }
  shm::Store(batch.word, shm::MakeBatchWord(BatchState::kPinned, end, 0));
  DORY_CRASH_POINT("C12.pinned");
  return false;
}

void DiscardUnsent(Memory& memory, BatchId id, shm::Discard reason) {
  BatchDescriptor& batch = memory.pool.writable(id);
  if (DORY_IS_MUTANT("what was never sent is not counted")) return memory.pool.Free(id);
  memory.Mark(shm::Step::kC9, id);
  if (batch.kind == BatchKind::kAny && static_cast<BatchState>(batch.word.state) == BatchState::kOpen) {
    shm::Store(batch.partition_row, shm::kNoIndex);  // whatever a C6 without its C7 has left there
    DORY_CRASH_POINT("C9.no_partition");
  }
  StoreDiscarded(memory, id, reason);
  FinishSettled(memory, id);
  NoteProgress(memory);
}

Settler::Settler(Memory& memory, TopicTable& topics, Cluster& cluster, LogLookup& lookup, const KafkaConfig& config)
    : memory_(memory),
      topics_(topics),
      cluster_(cluster),
      lookup_(lookup),
      config_(config),
      random_(std::random_device{}()) {}

Partition& Settler::PartitionOf(const SentBatch& sent) const {
  return sent.topic->partitions[static_cast<size_t>(sent.partition)];
}

void Settler::OnAnswer(BrokerConnection& connection, const std::vector<SentBatch>& batches, int16_t version,
                       const Answer& answer) {
  if (answer.end != Answer::End::kAnswered) {
    for (const SentBatch& sent : batches) OnNoAnswer(sent, answer);
    cluster_.RefreshMetadata();
    return;
  }
  const Result<protocol::ProduceResponse> response =
      answer.body.ok() ? protocol::DecodeProduceResponse(version, answer.body.value()) : answer.body.status();
  if (response.ok()) {
    const int32_t throttle_ms = response.value().throttle_time_ms;
    connection.NoteThrottle(protocol::Api::kProduce, version, throttle_ms);
    const bool came_late = !protocol::IsSparedAfterAnswer(protocol::Api::kProduce, version);
    OnResponse(connection, batches, response.value(), answer.took_ms - (came_late ? throttle_ms : 0));
    return;
  }
  const Status why = response.status().Context("an answer that can't be parsed");
  for (const SentBatch& sent : batches) OnNoAnswer(sent, {Answer::End::kCut, why, answer.took_ms});
  connection.Close(why);
}

// Nobody knows what became of it: the same again.
void Settler::OnNoAnswer(const SentBatch& sent, const Answer& answer) {
  const bool in_time = answer.end != Answer::End::kDeadline;
  NoteAttempt(sent, in_time ? Attempt::kCut : Attempt::kTimedOut);
  Retry(sent, true, answer.body.status().message());
  if (in_time && IsCutOffForGood(sent)) NarrowDown(sent, "its connection is cut again and again");
}

void Settler::OnResponse(BrokerConnection& connection, const std::vector<SentBatch>& batches,
                         const protocol::ProduceResponse& response, int64_t took_ms) {
  const std::vector<const PartitionResult*> results = MatchResults(batches, response);
  const bool explained = std::any_of(results.begin(), results.end(), [](const PartitionResult* result) {
    return result != nullptr && IsSlownessOf(result->error_code);
  });
  for (size_t i = 0; i < batches.size(); ++i) {
    const SentBatch& sent = batches[i];
    LookAheadInParts(memory_, batches, i);
    PartitionOf(sent).trouble.lone_cuts = {};
    if (results[i] == nullptr) {
      NoteAttempt(sent, Attempt::kOther);
      Retry(sent, true, "the answer says nothing of this partition");
    } else {
      NoteAttempt(sent, ClassifyAttempt(protocol::FindErrorCode(results[i]->error_code), took_ms, explained));
      Settle(connection, sent, *results[i], FollowHint(sent, *results[i], response));
    }
  }
}

void Settler::NoteAttempt(const SentBatch& sent, Attempt attempt) {
  Partition& partition = PartitionOf(sent);
  const bool before = partition.suspicion.suspect;
  partition.suspicion = Suspect(partition.suspicion, attempt);
  if (before != partition.suspicion.suspect) {
    LogDebug("{}/{}: {}", sent.topic->name, sent.partition, before ? "in time again" : "suspect");
  }
  if (!partition.suspicion.suspect) return;
  partition.any_not_before_ms = MonotonicMs() + ChooseRequestTimeoutMs(partition.suspicion, kProbeMs);
}

// Whether a broker that does not lead the partition any more has named the one that does. Only a newer word
// than the one we went by counts: two brokers that name each other are no news.
bool Settler::FollowHint(const SentBatch& sent, const PartitionResult& result,
                         const protocol::ProduceResponse& response) {
  Partition& partition = PartitionOf(sent);
  const bool moved = result.error_code == protocol::error::kNotLeaderOrFollower ||
                     result.error_code == protocol::error::kFencedLeaderEpoch;
  if (!moved || result.leader_id < 0 || result.leader_epoch <= partition.leader_epoch) return false;
  for (const protocol::NodeEndpoint& node : response.node_endpoints) {
    if (node.id != result.leader_id || node.port < 1 || node.port > UINT16_MAX) continue;
    cluster_.LearnBroker(node.id, {std::string(node.host), static_cast<uint16_t>(node.port)});
  }
  if (!cluster_.Knows(result.leader_id)) return false;
  SetLeader(partition, result.leader_id, result.leader_epoch, MonotonicMs());
  return true;
}

void Settler::Settle(BrokerConnection& connection, const SentBatch& sent, const PartitionResult& result, bool hinted) {
  memory_.Mark(shm::Step::kC9, sent.batch);
  const ErrorCode& error = protocol::FindErrorCode(result.error_code);
  if (error.refresh_metadata && !hinted) cluster_.RefreshMetadata();
  if (error.action != Action::kAuthorization) PartitionOf(sent).trouble.unauthorized = {};
  switch (error.action) {
    case Action::kDelivered:
      SettleDelivered(sent, result.base_offset);
      break;
    case Action::kRetry:
    case Action::kRetryBackoffOnly:
      Retry(sent, error.in_log == InLog::kUnknown, error.name);
      if (hinted) GoAtOnce(sent);
      break;
    case Action::kServerError:
      OnServerError(sent, error);
      break;
    case Action::kAuthorization:
      OnUnauthorized(sent, error, result);
      break;
    case Action::kSplit:
    case Action::kRefuseRecords:
    case Action::kDiscard:
      Refuse(sent, error, result);
      break;
    case Action::kNoSequences:
      OnNoSequences(sent, error, result);
      break;
    case Action::kSequence:
    case Action::kFenced:
      ResetSequence(connection, sent, error);
      break;
    case Action::kRenegotiate:
      Retry(sent, false, error.name);
      if (connection.up()) connection.Renegotiate();  // another batch's hint may have ended it
      break;
  }
}

void Settler::SettleDelivered(const SentBatch& sent, int64_t base_offset) {
  BatchDescriptor& batch = memory_.pool.writable(sent.batch);
  shm::PartitionRow& row = memory_.partitions->rows[batch.partition_row];
  if (base_offset >= 0) shm::Store(row.acked_offset, base_offset);  // of a duplicate brokers tell none
  DORY_CRASH_POINT("C9.offset");
  shm::Store(row.acked_boottime_ns, BoottimeNs());
  DORY_CRASH_POINT("C9.time");
  shm::Store(batch.settled_offset, base_offset);
  DORY_CRASH_POINT("C9.settled_offset");
  if (DORY_IS_MUTANT("outcomes before C10")) AnswerWindow(memory_, sent.batch, true);
  const shm::KafkaTopicRow& books = memory_.books[batch.topic_row];
  shm::Store(batch.total_after, shm::Load(books.delivered) + batch.word.count);  // C9
  DORY_CRASH_POINT("C9.total");
  memory_.Mark(shm::Step::kC10, sent.batch);
  shm::Store(batch.word, shm::MakeBatchWord(BatchState::kAcked, batch.word.first, batch.word.count));  // C10
  DORY_CRASH_POINT("C10.acked");
  cluster_.NoteAcknowledged(sent.broker);
  if (HasSequence(batch)) sent.topic->without_sequences_until_ms = sent.topic->without_headers_until_ms = 0;
  Trouble& trouble = PartitionOf(sent).trouble;
  if (trouble.most_records == 0) trouble.server_error = {};
  Release(sent);
}

void Settler::SettleDiscarded(const SentBatch& sent, shm::Discard reason) {
  StoreDiscarded(memory_, sent.batch, reason);
  Release(sent);
}

// The window is settled: the batch ends or goes on behind it, and the partition is idle.
void Settler::Release(const SentBatch& sent) {
  Partition& partition = PartitionOf(sent);
  partition.state = Partition::State::kIdle;
  partition.batch = shm::kNoIndex;
  partition.duplicates_counted = false;
  partition.failures = 0;
  const BatchKind kind = memory_.pool.descriptor(sent.batch).kind;
  if (FinishSettled(memory_, sent.batch)) {
    partition.trouble.most_records = 0;  // the next batch has its own records
  } else {
    BatchQueue& queue = kind == BatchKind::kKey ? partition.keyed : partition.pinned;
    queue.insert(queue.begin(), sent.batch);
  }
  NoteProgress(memory_);
  if (MayHaveMore(*sent.topic, partition)) topics_.MarkDirty(*sent.topic);
}

// A back-off is for a state that has to pass; this one has.
void Settler::GoAtOnce(const SentBatch& sent) {
  PartitionOf(sent).not_before_ms = 0;
  topics_.MarkDirty(*sent.topic);
}

void Settler::Retry(const SentBatch& sent, bool unknown_outcome, std::string_view why) {
  Partition& partition = PartitionOf(sent);
  if (unknown_outcome) shm::Store(memory_.pool.writable(sent.batch).unknown_outcome, 1);
  DORY_CRASH_POINT("C9.unknown");
  partition.state = Partition::State::kRetry;
  ++partition.failures;
  partition.not_before_ms = MonotonicMs() + ChooseDelayMs(kPartitionBackoff, partition.failures, random_());
  topics_.MarkDirtyAt(*sent.topic, partition.not_before_ms);
  if ((partition.failures & (partition.failures - 1)) == 0) {  // the 1st, 2nd, 4th, 8th ...
    LogWarning("{}/{}: attempt {}: {}", sent.topic->name, sent.partition, partition.failures, why);
  }
}

}  // namespace dory::kafka
