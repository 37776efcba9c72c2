// The third part of settler.h: sequences that can't be kept, and what becomes of a batch that may be in the
// log under one.
//
// A batch of unknown outcome goes again under its sequence as long as its leader can be taken to know that.
// Where not, or where an answer said that it can't, the log is asked (log_lookup.h):
//
//                  before a re-send            after an answer
//     in the log   delivered                   delivered
//     absent       again, the same             anew, under the next epoch
//     unknown      on_ambiguous: again, the same, or anew, counted as possible duplicates; or discarded
//
// That it is absent is no reason to reuse its sequence for something else: an old request may still be on
// its way, and is then told by the sequence.

#include "common/clock.h"
#include "common/crash_point.h"
#include "common/log.h"
#include "kafka_worker/backoff.h"
#include "kafka_worker/possible_duplicates.h"
#include "kafka_worker/settler.h"
#include "shm/store.h"

namespace dory::kafka {

using protocol::Action;
using protocol::ErrorCode;
using protocol::InLog;
using shm::BatchDescriptor;
using shm::BatchKind;
using shm::BatchState;

void Settler::OnMaybeForgotten(const SentBatch& sent) {
  lookup_.Begin({sent, true, false, "sent long ago, or old, or to a topic that is gone"});
}

// Nobody here can say what became of it there.
void Settler::OnOtherCluster(const SentBatch& sent) {
  if (memory_.pool.descriptor(sent.batch).unknown_outcome != 0) {
    SettleUnsure({sent, false, true, "sent to another cluster"});
  } else {
    StartOver(sent, true);
  }
}

void Settler::OnPartitionGone(const SentBatch& sent) {
  if (memory_.pool.descriptor(sent.batch).unknown_outcome != 0) {
    SettleUnsure({sent, false, false, "its partition is gone"});
  } else {
    StartOver(sent, false);
  }
}

// The window can't go on under its sequence, and an earlier attempt may have left it in the log.
void Settler::OnAmbiguous(const SentBatch& sent, bool new_producer_id, std::string_view why) {
  const Question question{sent, false, new_producer_id, why};
  if (HasSequence(memory_.pool.descriptor(sent.batch))) {
    lookup_.Begin(question);
  } else {
    SettleUnsure(question);
  }
}

void Settler::OnLookupEnd(const Question& question, Verdict verdict, int64_t offset) {
  memory_.Mark(shm::Step::kC9, question.sent.batch);
  const BatchDescriptor& batch = memory_.pool.descriptor(question.sent.batch);
  if (cluster_.IsForeign(batch.producer_index)) return OnOtherCluster(question.sent);  // the wrong log was asked
  if (verdict == Verdict::kInLog) {
    SettleDelivered(question.sent, offset);
  } else if (verdict == Verdict::kUnknown) {
    SettleUnsure(question);
  } else if (question.before_resend && !DORY_IS_MUTANT("absent goes under the next epoch")) {
    SendAgain(question.sent);
  } else {
    StartOver(question.sent, question.new_producer_id);
  }
}

// Nobody can say whether it is in the log. Under the next epoch it goes on as if it had never been sent: other
// records under its sequence would be taken for what is there, and be lost.
void Settler::SettleUnsure(const Question& question) {
  const SentBatch& sent = question.sent;
  const BatchDescriptor& batch = memory_.pool.descriptor(sent.batch);
  LogError("{}/{}: {} after an attempt of unknown outcome", sent.topic->name, sent.partition, question.why);
  if (sent.topic->config.on_ambiguous == dory::OnAmbiguous::kAtMostOnce && HasSequence(batch)) {
    DiscardAmbiguous(sent, question.new_producer_id);
  } else if (question.before_resend) {
    if (!DORY_IS_MUTANT("a repetition is not counted")) CountRepetition(memory_, sent);
    SendAgain(sent);
  } else {
    CountPossibleDuplicates(memory_, sent);
    StartOver(sent, question.new_producer_id);
  }
}

void Settler::DiscardAmbiguous(const SentBatch& sent, bool new_producer_id) {
  const BatchDescriptor& batch = memory_.pool.descriptor(sent.batch);
  LogError("{}/{}: {} messages discarded, possibly delivered", sent.topic->name, sent.partition,
           uint64_t{batch.word.count});
  if (!DORY_IS_MUTANT("what was discarded gives its sequence back")) LeaveEpoch(batch, new_producer_id);
  SettleDiscarded(sent, shm::Discard::kAmbiguous);
}

void Settler::SendAgain(const SentBatch& sent) {
  Partition& partition = PartitionOf(sent);
  partition.state = Partition::State::kRetry;
  partition.asked = true;
  topics_.MarkDirty(*sent.topic);
}

// The broker does not take this sequence. Where the batch is surely not in the log it goes again under
// the next epoch, from sequence 0.
void Settler::ResetSequence(BrokerConnection& connection, const SentBatch& sent, const ErrorCode& error) {
  const BatchDescriptor& batch = memory_.pool.descriptor(sent.batch);
  const bool fenced = error.action == Action::kFenced;
  const bool offers_3 = connection.VersionOf(protocol::Api::kInitProducerId).value_or(0) >= 3;
  const InLog in_log = fenced ? InLog::kUnknown
                              : protocol::JudgeSequenceError(error.code, batch.unknown_outcome == 0, offers_3);
  LogError("{}/{}: {} at sequence {} of epoch {}; {}", sent.topic->name, sent.partition, error.name,
           batch.base_sequence, batch.epoch, fenced ? "a new producer id" : "the next epoch");
  const bool asks = !DORY_IS_MUTANT("left its sequence without asking");
  if (in_log == InLog::kUnknown && batch.unknown_outcome != 0 && asks) {
    OnAmbiguous(sent, fenced, error.name);
  } else {
    if (!fenced) ForgetOffset(batch);
    StartOver(sent, fenced);
  }
}

// A leader that has forgotten us may have another log than the one in which the last batch was acknowledged.
void Settler::ForgetOffset(const BatchDescriptor& batch) {
  shm::Store(memory_.partitions->rows[batch.partition_row].acked_offset, int64_t{-1});
  DORY_CRASH_POINT("C9.no_offset");
}

void Settler::OnSequenceUnknown(const SentBatch& sent) { LeaveSequence(sent, "a leader older than Kafka 0.11"); }

// Brokers of 0.11 to 3.x answer so where the topic's log.message.format.version is older than 0.11. It may
// be raised, so it is asked again now and then, by sending with a sequence.
void Settler::OnNoSequences(const SentBatch& sent, const ErrorCode& error, const PartitionResult& result) {
  if (!HasSequence(memory_.pool.descriptor(sent.batch))) {
    Refuse(sent, error, result);
    return;
  }
  int64_t& until = sent.topic->without_sequences_until_ms;
  if (until == 0) {
    LogWarning("topic {}: its message format is older than Kafka 0.11, headers are left out: {}", sent.topic->name,
               DescribeWithoutSequences(config_));
  }
  until = MonotonicMs() + config_.metadata_refresh_ms;
  sent.topic->without_headers_until_ms = until;
  LeaveSequence(sent, error.name);
}

void Settler::LeaveSequence(const SentBatch& sent, std::string_view why) {
  if (config_.idempotence == Idempotence::kRequired) {
    Retry(sent, false, why);
    return;
  }
  LogDebug("{}/{}: {}; from here on without a sequence", sent.topic->name, sent.partition, why);
  if (memory_.pool.descriptor(sent.batch).unknown_outcome != 0) {
    OnAmbiguous(sent, false, why);
  } else {
    StartOver(sent, false);
  }
}

// What comes next in the batch's partition begins at sequence 0: of the next epoch, or of the next id.
void Settler::LeaveEpoch(const BatchDescriptor& batch, bool new_producer_id) {
  if (!HasSequence(batch)) return;
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
  partition.duplicates_counted = false;
  ++partition.failures;
  partition.not_before_ms = MonotonicMs() + ChooseDelayMs(kPartitionBackoff, partition.failures, random_());
  topics_.MarkDirtyAt(*sent.topic, partition.not_before_ms);
}

}  // namespace dory::kafka
