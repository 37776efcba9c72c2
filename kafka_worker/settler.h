// C9 to C12: what an answer means for each batch that it is about.
//
// Order: total_after, then ACKED (or DISCARDED), then the partition's sequence and the counter, which are
//   set and not added to, then FREE, or PINNED behind the window where records are left. A sequence that
//   may be in the log is never used for other records: the partition goes on under the next epoch.
// On crash: at most one descriptor is ACKED or DISCARDED; a start redoes C11 and C12 of it
//   (FinishSettled), each a set, guarded by a state that the very next step ends.
// Errors: the table of error codes says what an answer means (protocol/error_codes.h). No answer, and
//   one that can't be parsed, mean "unknown".

#pragma once

#include <random>
#include <vector>

#include "kafka_worker/cluster.h"
#include "kafka_worker/log_lookup.h"
#include "kafka_worker/memory.h"
#include "kafka_worker/protocol/error_codes.h"
#include "kafka_worker/protocol/produce.h"
#include "kafka_worker/sent_batch.h"
#include "kafka_worker/topics.h"

namespace dory::kafka {

// C11 and C12 of an ACKED or DISCARDED batch. True where it is FREE now.
bool FinishSettled(Memory& memory, BatchId batch);

// C9 to C12 without a send, of what an OPEN or PINNED batch has left: it is DISCARDED at once, so that no life takes
// it for one that was sent, and FREE then. REQUIRES: the drain is between two passes.
void DiscardUnsent(Memory& memory, BatchId batch, shm::Discard reason);

class Settler {
 public:
  Settler(Memory& memory, TopicTable& topics, Cluster& cluster, LogLookup& lookup, const KafkaConfig& config);

  // Whether a batch is in the log is asked before it goes on otherwise than under its sequence.
  void OnLookupEnd(const Question& question, Verdict verdict, int64_t offset);

  void OnAnswer(BrokerConnection& connection, const std::vector<SentBatch>& batches, int16_t version,
                const Answer& answer);

  // A SENT batch whose records are not what they were: what is left of it.
  void DiscardCorrupt(const SentBatch& sent);

  // A SENT batch whose leader knows no sequences: it goes again without one, or waits for another leader.
  void OnSequenceUnknown(const SentBatch& sent);

  // A SENT batch under a producer id of another cluster.
  void OnOtherCluster(const SentBatch& sent);

  // One of a partition that its topic no longer has.
  void OnPartitionGone(const SentBatch& sent);

  // A SENT batch whose leader has refused us for longer than it may.
  void OnRefused(const SentBatch& sent);

  // One of unknown outcome, whose leader may have forgotten its sequence.
  void OnMaybeForgotten(const SentBatch& sent);

 private:
  using PartitionResult = protocol::ProducePartitionResult;

  // settler.cc
  void OnNoAnswer(const SentBatch& sent, const Answer& answer);
  void OnResponse(BrokerConnection& connection, const std::vector<SentBatch>& batches,
                  const protocol::ProduceResponse& response, int64_t took_ms);
  void NoteAttempt(const SentBatch& sent, Attempt attempt);
  bool FollowHint(const SentBatch& sent, const PartitionResult& result, const protocol::ProduceResponse& response);
  void Settle(BrokerConnection& connection, const SentBatch& sent, const PartitionResult& result, bool hinted);
  void SettleDelivered(const SentBatch& sent, int64_t base_offset);
  void SettleDiscarded(const SentBatch& sent, shm::Discard reason);
  void Release(const SentBatch& sent);
  void Retry(const SentBatch& sent, bool unknown_outcome, std::string_view why);
  void GoAtOnce(const SentBatch& sent);

  // settler_sequence.cc
  void OnAmbiguous(const SentBatch& sent, bool new_producer_id, std::string_view why);
  void SettleUnsure(const Question& question);
  void DiscardAmbiguous(const SentBatch& sent, bool new_producer_id);
  void SendAgain(const SentBatch& sent);
  void OnNoSequences(const SentBatch& sent, const protocol::ErrorCode& error, const PartitionResult& result);
  void LeaveSequence(const SentBatch& sent, std::string_view why);
  void ResetSequence(BrokerConnection& connection, const SentBatch& sent, const protocol::ErrorCode& error);
  void ForgetOffset(const shm::BatchDescriptor& batch);
  void StartOver(const SentBatch& sent, bool new_producer_id);
  void LeaveEpoch(const shm::BatchDescriptor& batch, bool new_producer_id);

  // settler_refuse.cc
  void OnServerError(const SentBatch& sent, const protocol::ErrorCode& error);
  void DoubtHeaders(const SentBatch& sent, const protocol::ErrorCode& error);
  void OnUnauthorized(const SentBatch& sent, const protocol::ErrorCode& error, const PartitionResult& result);
  bool IsCutOffForGood(const SentBatch& sent);
  void NarrowDown(const SentBatch& sent, std::string_view why);
  void Refuse(const SentBatch& sent, const protocol::ErrorCode& error, const PartitionResult& result);
  void RefuseCodec(const SentBatch& sent, const protocol::ErrorCode& error);
  void RefuseNamed(const SentBatch& sent, const protocol::ErrorCode& error, const PartitionResult& result);
  void LearnBatchLimit(const SentBatch& sent);
  void ShrinkWindow(const SentBatch& sent, uint64_t count);
  Partition& PartitionOf(const SentBatch& sent) const;

  Memory& memory_;
  TopicTable& topics_;
  Cluster& cluster_;
  LogLookup& lookup_;
  KafkaConfig config_;
  std::minstd_rand random_;
};

}  // namespace dory::kafka
