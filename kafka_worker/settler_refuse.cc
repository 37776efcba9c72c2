// The second part of settler.h: answers that are not taken for final at once, and refused windows.

#include <algorithm>

#include "common/clock.h"
#include "common/crash_point.h"
#include "common/log.h"
#include "common/text_check.h"
#include "kafka_worker/possible_duplicates.h"
#include "kafka_worker/settler.h"
#include "kafka_worker/window.h"
#include "shm/store.h"

namespace dory::kafka {
namespace {

using protocol::Action;
using protocol::ErrorCode;
using shm::BatchDescriptor;
using shm::BatchState;

constexpr uint32_t kHeaderDoubts = 3;    // server errors in a row
constexpr uint32_t kNarrowAttempts = 5;  // for each window while the cause is sought

shm::Discard DiscardReasonOf(const ErrorCode& error) {
  switch (error.action) {
    case Action::kSplit:
      return shm::Discard::kTooLarge;
    case Action::kRefuseRecords:
    case Action::kNoSequences:
      return shm::Discard::kRefused;
    case Action::kAuthorization:
      return shm::Discard::kNotAuthorized;
    default:
      return shm::Discard::kOther;
  }
}

// Whether some of the records may be the cause, and the others be taken.
bool IsOfRecords(const ErrorCode& error) {
  return error.action == Action::kSplit || error.action == Action::kRefuseRecords ||
         error.action == Action::kNoSequences;
}

}  // namespace

// Retried like an unknown outcome; what it does not go away for is narrowed down after the deadline.
void Settler::OnServerError(const SentBatch& sent, const ErrorCode& error) {
  Partition& partition = PartitionOf(sent);
  Trouble& trouble = partition.trouble;
  trouble.server_error.Note(MonotonicMs());
  const int64_t deadline = sent.topic->config.server_error_deadline_ms;
  const bool expired = deadline > 0 && trouble.server_error.HasLasted(deadline);
  Retry(sent, true, error.name);
  const bool enough = trouble.most_records == 0 || partition.failures >= kNarrowAttempts;
  if (expired && enough) return NarrowDown(sent, error.name);
  DoubtHeaders(sent, error);
}

// One that goes without a sequence for another reason is not told of the topic's format: a try without headers
// will show it.
void Settler::DoubtHeaders(const SentBatch& sent, const ErrorCode& error) {
  if (error.code != protocol::error::kUnknownServerError || sent.leaves_headers) return;
  if (HasSequence(memory_.pool.descriptor(sent.batch)) || PartitionOf(sent).failures < kHeaderDoubts) return;
  int64_t& until = sent.topic->without_headers_until_ms;
  if (until == 0) LogWarning("topic {}: {} again and again; headers are left out", sent.topic->name, error.name);
  until = MonotonicMs() + config_.metadata_refresh_ms;
}

void Settler::OnUnauthorized(const SentBatch& sent, const ErrorCode& error, const PartitionResult& result) {
  Complaint& unauthorized = PartitionOf(sent).trouble.unauthorized;
  unauthorized.Note(MonotonicMs());
  const int64_t deadline = sent.topic->config.authorization_deadline_ms;
  if (deadline > 0 && unauthorized.HasLasted(deadline)) {
    Refuse(sent, error, result);
  } else {
    Retry(sent, false, error.name);
  }
}

// Nothing else can be asked of it, its log neither.
void Settler::OnRefused(const SentBatch& sent) {
  memory_.Mark(shm::Step::kC9, sent.batch);
  const BatchDescriptor& batch = memory_.pool.descriptor(sent.batch);
  if (batch.unknown_outcome != 0 && !DORY_IS_MUTANT("refused whatever came of it")) {
    SettleUnsure({sent, false, false, "its leader refuses us"});
    return;
  }
  LogError("{}/{}: {} messages discarded: its leader refuses us", sent.topic->name, sent.partition,
           uint64_t{batch.word.count});
  SettleDiscarded(sent, shm::Discard::kNotAuthorized);
}

// Whether it is the batch's doing.
bool Settler::IsCutOffForGood(const SentBatch& sent) {
  return sent.suspect && PartitionOf(sent).trouble.lone_cuts.Note(sent.broker, cluster_.LastAcknowledged(sent.broker));
}

// The window can't be got through as it is, and nobody knows whether it is in the log: the half of it
// goes under the next epoch, counted as possible duplicates, down to the one record that is the cause.
void Settler::NarrowDown(const SentBatch& sent, std::string_view why) {
  Trouble& trouble = PartitionOf(sent).trouble;
  const uint64_t count = memory_.pool.descriptor(sent.batch).word.count;
  const bool halves = count > 1 && sent.topic->config.on_ambiguous == dory::OnAmbiguous::kAtLeastOnce;
  trouble.lone_cuts = {};
  LogError("{}/{}: {} messages can't be sent: {}; {}", sent.topic->name, sent.partition, count, why,
           halves ? "half of them" : "discarded, possibly delivered");
  if (halves) {
    CountPossibleDuplicates(memory_, sent);
    trouble.most_records = static_cast<uint32_t>(count / 2);
    StartOver(sent, false);
    PartitionOf(sent).failures = 0;
    return;
  }
  trouble.most_records = 0;
  LeaveEpoch(memory_.pool.descriptor(sent.batch), false);
  SettleDiscarded(sent, shm::Discard::kAmbiguous);
}

// A broker refuses the window, or a record of it.
void Settler::Refuse(const SentBatch& sent, const ErrorCode& error, const PartitionResult& result) {
  if (error.code == protocol::error::kUnsupportedCompressionType && sent.compressed) {
    RefuseCodec(sent, error);
    return;
  }
  const BatchDescriptor& batch = memory_.pool.descriptor(sent.batch);
  if (batch.unknown_outcome != 0) {
    OnAmbiguous(sent, false, error.name);
    return;
  }
  if (IsOfRecords(error)) {
    RefuseNamed(sent, error, result);
    return;
  }
  LogError("{}/{}: {} messages discarded: {} {}", sent.topic->name, sent.partition, uint64_t{batch.word.count},
           error.name, Quote(result.error_message));
  // Nothing but its name says that an error which no broker should answer has left the log alone.
  if (error.action == Action::kDiscard) LeaveEpoch(batch, false);
  SettleDiscarded(sent, DiscardReasonOf(error));
}

// The same again, uncompressed, and so are all that follow: this broker looked at nothing but the codec.
void Settler::RefuseCodec(const SentBatch& sent, const ErrorCode& error) {
  if (!sent.topic->codec_refused) {
    LogWarning("topic {}: broker {} answers {}; its batches go uncompressed until it is configured anew",
               sent.topic->name, sent.broker, error.name);
  }
  sent.topic->codec_refused = true;
  Retry(sent, false, error.name);
}

// Less of it is sent, down to the one record that is then discarded.
void Settler::RefuseNamed(const SentBatch& sent, const ErrorCode& error, const PartitionResult& result) {
  const uint64_t count = memory_.pool.descriptor(sent.batch).word.count;
  const int32_t named = result.first_refused;  // so many records go before it
  if (error.action != Action::kSplit && named > 0 && static_cast<uint64_t>(named) < count) {
    ShrinkWindow(sent, static_cast<uint64_t>(named));
    return;
  }
  if (error.action != Action::kSplit && named == 0 && count > 1) {
    shm::Store(memory_.pool.writable(sent.batch).word,
               shm::MakeBatchWord(BatchState::kSent, memory_.pool.descriptor(sent.batch).word.first, 1));
    DORY_CRASH_POINT("C9.named");
  } else if (count > 1) {
    if (error.action == Action::kSplit) LearnBatchLimit(sent);
    ShrinkWindow(sent, count / 2);
    return;
  }
  LogError("{}/{}: a message discarded: {} {}", sent.topic->name, sent.partition, error.name,
           Quote(result.error_message));
  SettleDiscarded(sent, DiscardReasonOf(error));
}

// Nothing of what is left can be told apart any more. A window that may be in the log, from an attempt
// before the damage, goes by itself: discarded, possibly delivered.
void Settler::DiscardCorrupt(const SentBatch& sent) {
  BatchDescriptor& batch = memory_.pool.writable(sent.batch);
  if (batch.unknown_outcome != 0) {
    LogError("{}/{}: {} messages discarded, possibly delivered: their crc does not hold", sent.topic->name,
             sent.partition, uint64_t{batch.word.count});
    LeaveEpoch(batch, false);
    SettleDiscarded(sent, shm::Discard::kAmbiguous);
    return;
  }
  const uint64_t left = batch.commit.count - batch.word.first;
  LogError("{}/{}: {} messages discarded: their crc does not hold", sent.topic->name, sent.partition, left);
  shm::Store(batch.word, shm::MakeBatchWord(BatchState::kSent, batch.word.first, left));
  DORY_CRASH_POINT("C9.corrupt");
  SettleDiscarded(sent, shm::Discard::kCorrupt);
}

// The window was too large: from here on batches of the topic do not grow to more than half of it. Less than a block
// would not save a request that is refused as often as blocks of which most is empty.
void Settler::LearnBatchLimit(const SentBatch& sent) {
  if (!BatchHolds(memory_.pool, sent.batch)) return;
  uint64_t bytes = 0;
  ForEachOfWindow(memory_.pool, sent.batch,
                  [&bytes](const protocol::RecordView& record, int64_t) { bytes += protocol::RecordSize(record); });
  const uint64_t limit = std::max<uint64_t>(bytes / 2, shm::kBlockSize);
  if (limit >= sent.topic->batch_bytes_limit) return;
  sent.topic->batch_bytes_limit = limit;
  LogInfo("topic {}: batches have at most {} bytes from now on", sent.topic->name, limit);
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

}  // namespace dory::kafka
