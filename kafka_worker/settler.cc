#include "kafka_worker/settler.h"

#include <algorithm>
#include <map>

#include "common/clock.h"
#include "common/crash_point.h"
#include "common/log.h"
#include "kafka_worker/backoff.h"
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

shm::Discard DiscardReasonOf(const ErrorCode& error) {
  switch (error.action) {
    case Action::kSplit:
      return shm::Discard::kTooLarge;
    case Action::kRefuseRecords:
      return shm::Discard::kRefused;
    default:
      return shm::Discard::kOther;
  }
}

// How many records go before the first one that the broker named; none named: -1.
int64_t FindFirstNamed(const protocol::ProducePartitionResult& result) {
  int64_t first = -1;
  for (const protocol::RecordError& error : result.record_errors) {
    if (error.batch_index >= 0 && (first < 0 || error.batch_index < first)) first = error.batch_index;
  }
  return first;
}

}  // namespace

bool FinishSettled(Memory& memory, BatchId id) {
  BatchDescriptor& batch = memory.pool.writable(id);
  shm::KafkaTopicRow& books = memory.books[batch.topic_row];
  const uint64_t end = uint64_t{batch.word.first} + batch.word.count;
  if (static_cast<BatchState>(batch.word.state) == BatchState::kAcked) {
    shm::PartitionRow& row = memory.partitions->rows[batch.partition_row];
    const uint64_t next = (static_cast<uint64_t>(batch.base_sequence) + batch.word.count) & INT32_MAX;
    shm::Store(row.sequence, shm::SequenceWord{static_cast<int32_t>(next), batch.epoch, batch.producer_index});
    DORY_CRASH_POINT("C11.sequence");
    shm::Store(books.delivered, batch.total_after);
  } else {
    shm::Store(books.discarded[batch.discard_reason], batch.total_after);
  }
  DORY_CRASH_POINT("C11.counted");
  if (end == batch.commit.count) {
    memory.pool.Free(id);
    return true;
  }
  shm::Store(batch.word, shm::MakeBatchWord(BatchState::kPinned, end, 0));
  DORY_CRASH_POINT("C12.pinned");
  return false;
}

Settler::Settler(Memory& memory, TopicTable& topics, Cluster& cluster)
    : memory_(memory), topics_(topics), cluster_(cluster), random_(std::random_device{}()) {}

Partition& Settler::PartitionOf(const SentBatch& sent) const {
  return sent.topic->partitions[static_cast<size_t>(sent.partition)];
}

void Settler::OnAnswer(BrokerConnection& connection, const std::vector<SentBatch>& batches, int16_t version,
                       const Result<ByteSpan>& body) {
  if (!body.ok()) {
    for (const SentBatch& sent : batches) Retry(sent, true, body.status().message());
    cluster_.RefreshMetadata();
    return;
  }
  const Result<protocol::ProduceResponse> response = protocol::DecodeProduceResponse(version, body.value());
  if (response.ok()) {
    OnResponse(connection, batches, response.value());
    return;
  }
  for (const SentBatch& sent : batches) Retry(sent, true, response.status().message());
  connection.Close(response.status().Context("an answer that can't be parsed"));
}

void Settler::OnResponse(BrokerConnection& connection, const std::vector<SentBatch>& batches,
                         const protocol::ProduceResponse& response) {
  std::map<std::pair<uint32_t, int32_t>, const PartitionResult*> results;
  for (const protocol::ProduceTopicResult& topic : response.topics) {
    const Topic* known = topics_.FindByName(topic.name);
    if (known == nullptr) continue;
    for (const PartitionResult& result : topic.partitions) results[{known->row, result.partition}] = &result;
  }
  for (const SentBatch& sent : batches) {
    const auto found = results.find({sent.topic->row, sent.partition});
    if (found == results.end()) {
      Retry(sent, true, "the answer says nothing of this partition");
    } else {
      Settle(connection, sent, *found->second);
    }
  }
}

void Settler::Settle(BrokerConnection& connection, const SentBatch& sent, const PartitionResult& result) {
  const ErrorCode& error = protocol::FindErrorCode(result.error_code);
  if (error.refresh_metadata) cluster_.RefreshMetadata();
  switch (error.action) {
    case Action::kDelivered:
      SettleDelivered(sent, result.base_offset);
      break;
    case Action::kRetry:
    case Action::kRetryBackoffOnly:
    case Action::kAuthorization:
      Retry(sent, error.in_log == InLog::kUnknown, error.name);
      break;
    case Action::kSplit:
    case Action::kRefuseRecords:
    case Action::kDiscard:
      Refuse(sent, error, result);
      break;
    case Action::kSequence:
    case Action::kFenced:
      ResetSequence(connection, sent, error);
      break;
    case Action::kRenegotiate:
      Retry(sent, false, error.name);
      connection.Close(Status::Error(std::string(error.name)));
      break;
  }
}

void Settler::SettleDelivered(const SentBatch& sent, int64_t base_offset) {
  BatchDescriptor& batch = memory_.pool.writable(sent.batch);
  shm::PartitionRow& row = memory_.partitions->rows[batch.partition_row];
  if (base_offset >= 0) shm::Store(row.acked_offset, base_offset);  // of a duplicate brokers tell none
  shm::Store(row.acked_boottime_ns, BoottimeNs());
  const shm::KafkaTopicRow& books = memory_.books[batch.topic_row];
  shm::Store(batch.total_after, shm::Load(books.delivered) + batch.word.count);  // C9
  DORY_CRASH_POINT("C9.total");
  shm::Store(batch.word, shm::MakeBatchWord(BatchState::kAcked, batch.word.first, batch.word.count));  // C10
  DORY_CRASH_POINT("C10.acked");
  Release(sent);
}

void Settler::SettleDiscarded(const SentBatch& sent, shm::Discard reason) {
  BatchDescriptor& batch = memory_.pool.writable(sent.batch);
  const uint64_t discarded = shm::Load(memory_.books[batch.topic_row].discarded[static_cast<size_t>(reason)]);
  shm::Store(batch.discard_reason, static_cast<uint16_t>(reason));
  shm::Store(batch.total_after, discarded + batch.word.count);
  DORY_CRASH_POINT("C9.discard_total");
  shm::Store(batch.word, shm::MakeBatchWord(BatchState::kDiscarded, batch.word.first, batch.word.count));
  DORY_CRASH_POINT("C10.discarded");
  Release(sent);
}

// The window is settled: the batch ends or goes on behind it, and the partition is idle.
void Settler::Release(const SentBatch& sent) {
  Partition& partition = PartitionOf(sent);
  partition.state = Partition::State::kIdle;
  partition.batch = shm::kNoIndex;
  partition.failures = 0;
  const BatchKind kind = memory_.pool.descriptor(sent.batch).kind;
  if (!FinishSettled(memory_, sent.batch)) {
    BatchQueue& queue = kind == BatchKind::kKey ? partition.keyed : partition.pinned;
    queue.insert(queue.begin(), sent.batch);
  }
  shm::Store(memory_.page->progress, memory_.page->progress + 1);
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

// A broker refuses the window, or a record of it. What an earlier attempt may have left in the log is
// counted as possible duplicates, and the rest of this goes on as if it had never been sent, under the
// next epoch: other records under its sequence would be taken for what is there, and be lost.
void Settler::Refuse(const SentBatch& sent, const ErrorCode& error, const PartitionResult& result) {
  const BatchDescriptor& batch = memory_.pool.descriptor(sent.batch);
  if (batch.unknown_outcome != 0) {
    LogError("{}/{}: {} after an attempt of unknown outcome", sent.topic->name, sent.partition, error.name);
    CountPossibleDuplicates(sent);
    StartOver(sent, false);
    return;
  }
  if (error.action != Action::kDiscard) {
    RefuseNamed(sent, error, result);
    return;
  }
  LogError("{}/{}: {} messages discarded: {} {}", sent.topic->name, sent.partition, uint64_t{batch.word.count},
           error.name, result.error_message);
  LeaveEpoch(batch, false);  // nothing says that an error which we do not know left the log alone
  SettleDiscarded(sent, DiscardReasonOf(error));
}

// Less of it is sent, down to the one record that is then discarded.
void Settler::RefuseNamed(const SentBatch& sent, const ErrorCode& error, const PartitionResult& result) {
  const uint64_t count = memory_.pool.descriptor(sent.batch).word.count;
  const int64_t named = FindFirstNamed(result);
  if (error.action == Action::kRefuseRecords && named > 0 && static_cast<uint64_t>(named) < count) {
    ShrinkWindow(sent, static_cast<uint64_t>(named));
    return;
  }
  if (error.action == Action::kRefuseRecords && named == 0 && count > 1) {
    shm::Store(memory_.pool.writable(sent.batch).word,
               shm::MakeBatchWord(BatchState::kSent, memory_.pool.descriptor(sent.batch).word.first, 1));
    DORY_CRASH_POINT("C9.named");
  } else if (count > 1) {
    ShrinkWindow(sent, count / 2);
    return;
  }
  LogError("{}/{}: a message discarded: {} {}", sent.topic->name, sent.partition, error.name,
           result.error_message);
  SettleDiscarded(sent, DiscardReasonOf(error));
}

// Nothing of what is left can be told apart any more.
void Settler::DiscardCorrupt(const SentBatch& sent) {
  BatchDescriptor& batch = memory_.pool.writable(sent.batch);
  const uint64_t left = batch.commit.count - batch.word.first;
  LogError("{}/{}: {} messages discarded: their crc does not hold", sent.topic->name, sent.partition, left);
  shm::Store(batch.word, shm::MakeBatchWord(BatchState::kSent, batch.word.first, left));
  DORY_CRASH_POINT("C9.corrupt");
  SettleDiscarded(sent, shm::Discard::kCorrupt);
}

// The same base sequence with fewer records: nothing of the window is in the log.
void Settler::ShrinkWindow(const SentBatch& sent, uint64_t count) {
  BatchDescriptor& batch = memory_.pool.writable(sent.batch);
  if (!BatchHolds(memory_.pool, sent.batch)) {
    DiscardCorrupt(sent);
    return;
  }
  shm::Store(batch.word, shm::MakeBatchWord(BatchState::kSent, batch.word.first, count));
  DORY_CRASH_POINT("C9.halved");
  PartitionOf(sent).state = Partition::State::kRetry;
  topics_.MarkDirty(*sent.topic);
}

void Settler::CountPossibleDuplicates(const SentBatch& sent) {
  BatchDescriptor& batch = memory_.pool.writable(sent.batch);
  if (batch.unknown_outcome == 0) return;
  shm::KafkaTopicRow& books = memory_.books[batch.topic_row];
  shm::Store(books.possible_duplicates, shm::Load(books.possible_duplicates) + batch.word.count);
  shm::Store(batch.unknown_outcome, 0);
  LogError("{}/{}: {} messages are possible duplicates", sent.topic->name, sent.partition,
           uint64_t{batch.word.count});
}

// The broker does not take this sequence. Where the batch is surely not in the log it goes again under
// the next epoch, from sequence 0; where that is not sure, it is a possible duplicate first.
void Settler::ResetSequence(BrokerConnection& connection, const SentBatch& sent, const ErrorCode& error) {
  const BatchDescriptor& batch = memory_.pool.descriptor(sent.batch);
  const bool fenced = error.action == Action::kFenced;
  const bool offers_3 = connection.VersionOf(protocol::Api::kInitProducerId).value_or(0) >= 3;
  const InLog in_log = fenced ? InLog::kUnknown
                              : protocol::JudgeSequenceError(error.code, batch.unknown_outcome == 0, offers_3);
  LogError("{}/{}: {} at sequence {} of epoch {}; {}", sent.topic->name, sent.partition, error.name,
           batch.base_sequence, batch.epoch, fenced ? "a new producer id" : "the next epoch");
  if (in_log == InLog::kUnknown) CountPossibleDuplicates(sent);
  StartOver(sent, fenced);
}

// What comes next in the batch's partition begins at sequence 0: of the next epoch, or of the next id.
void Settler::LeaveEpoch(const BatchDescriptor& batch, bool new_producer_id) {
  shm::SequenceWord next{0, static_cast<int16_t>(batch.epoch + 1), batch.producer_index};
  if (new_producer_id || batch.epoch == INT16_MAX) {
    cluster_.RenewProducerId(batch.producer_index);
    next = shm::kNoSequence;
  }
  shm::Store(memory_.partitions->rows[batch.partition_row].sequence, next);
  DORY_CRASH_POINT("C9.epoch");
}

// SENT to PINNED: the window has no sequence any more, and its batch stands first again. It keeps its
// partition: younger batches of its kind may have gone to others meanwhile.
void Settler::StartOver(const SentBatch& sent, bool new_producer_id) {
  BatchDescriptor& batch = memory_.pool.writable(sent.batch);
  LeaveEpoch(batch, new_producer_id);
  shm::Store(batch.word, shm::MakeBatchWord(BatchState::kPinned, batch.word.first, 0));
  DORY_CRASH_POINT("C9.pinned");
  Partition& partition = PartitionOf(sent);
  BatchQueue& queue = batch.kind == BatchKind::kKey ? partition.keyed : partition.pinned;
  queue.insert(queue.begin(), sent.batch);
  partition.state = Partition::State::kIdle;
  partition.batch = shm::kNoIndex;
  ++partition.failures;
  partition.not_before_ms = MonotonicMs() + ChooseDelayMs(kPartitionBackoff, partition.failures, random_());
  topics_.MarkDirtyAt(*sent.topic, partition.not_before_ms);
}

}  // namespace dory::kafka
