// Asks the leader of a partition whether a SENT batch of unknown outcome is in its log.
//
//     DescribeProducers     what the leader remembers of our producer id (2.8 and newer)
//     ListOffsets           where to begin, if nothing of ours was acknowledged in this partition yet
//     Fetch                 from there to the high watermark: is there a batch of our id, epoch and sequence?
//
// The last batch that was acknowledged is read as well: where it is gone, an election has lost it, and what has been
// written in its place since may have begun before it.
//
// Owner: KafkaWorker. At most one lookup of a partition, whose state meanwhile is kAsking; others go on.
// Order: it goes over the broker's connection for suspects, whose batches come first, one request at a time.
// On crash: nothing of it is in the segment; the next life begins anew where it is needed.
// Errors: a leader that does not answer is asked again; one that refuses, or can't be understood, or answers others
//   alone, leads to kUnknown. What a leader has and its followers have not yet is not seen.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string_view>
#include <utility>

#include "kafka_worker/cluster.h"
#include "kafka_worker/lookup_rules.h"
#include "kafka_worker/memory.h"
#include "kafka_worker/protocol/fetch.h"
#include "kafka_worker/protocol/list_offsets.h"
#include "kafka_worker/sent_batch.h"
#include "kafka_worker/topics.h"
#include "kafka_worker/unanswered.h"

namespace dory::kafka {

// Why it is asked.
struct Question {
  SentBatch sent;
  // It would go again under its sequence, and the leader may have forgotten that. Else an answer said that
  // it can't.
  bool before_resend;
  bool new_producer_id;  // it would go on under, else under the next epoch
  std::string_view why;
};

enum class Verdict {
  kInLog,
  kAbsent,
  kRemembered,  // the leader itself knows a repetition
  kUnknown,
};

class LogLookup {
 public:
  // `offset` is the batch's where it is in the log. Called by Begin where the leader is known to offer no Fetch,
  // else by Dispatch, or when an answer has come.
  using OnEnd = std::function<void(const Question& question, Verdict verdict, int64_t offset)>;

  LogLookup(Memory& memory, TopicTable& topics, Cluster& cluster, OnEnd on_end);

  // REQUIRES: the batch is its partition's, SENT with a sequence, and not on its way.
  void Begin(const Question& question);

  // Its leader refuses us: nobody can say, unless an answer is on its way.
  void GiveUp(const Topic& topic, int32_t partition);

  // Asks what can be asked now.
  void Dispatch(int64_t now_ms);

 private:
  enum class Step { kProducers, kEarliest, kByTime, kRead };
  using Key = std::pair<uint32_t, int32_t>;  // topic row, partition

  struct Lookup {
    Question question;
    Sought sought;
    Step step = Step::kProducers;
    bool under_way = false;
    int64_t not_before_ms = 0;
    uint32_t failures = 0;  // in a row
    uint32_t refusals = 0;  // of these, answers
    Unanswered unanswered = {};  // the others, until records have come
    bool complete = true;   // the log was not cut off behind where we begin
    bool begins_at_ours = false;  // the batch that it is read from on was acknowledged to us, and was not seen yet
    int64_t next_offset = -1;
    int64_t end_offset = -1;  // the high watermark, at first
    int64_t bytes = 0;
  };

  bool CanBeAsked(const Partition& partition);
  void AskNext(const Key& key, Lookup& lookup, int64_t now_ms);
  void Ask(const Key& key, Lookup& lookup, BrokerConnection& connection);
  template <typename Partition>
  using Take = void (LogLookup::*)(const Key& key, Lookup& lookup, const Partition& found);
  template <typename Response, typename Partition>
  void Exchange(const Key& key, protocol::Api api, BrokerConnection& connection, protocol::Bytes request,
                Result<Response> (*decode)(int16_t, ByteSpan), Take<Partition> take);
  bool IsAnswered(const Key& key, Lookup& lookup, int16_t code);
  void TakeProducers(const Key& key, Lookup& lookup, const protocol::PartitionProducers& found);
  void TakeOffset(const Key& key, Lookup& lookup, const protocol::PartitionOffset& found);
  void TakeRecords(const Key& key, Lookup& lookup, const protocol::FetchedPartition& found);
  void BeginReading(Lookup& lookup);
  void EndAbsent(const Key& key, const Lookup& lookup, std::string_view why);
  void Fail(const Key& key, Lookup& lookup, bool answered, std::string_view why);
  void End(const Key& key, Verdict verdict, int64_t offset, std::string_view why);
  int64_t TimeToBeginAt(const Lookup& lookup) const;

  Memory& memory_;
  TopicTable& topics_;
  Cluster& cluster_;
  OnEnd on_end_;
  std::map<Key, Lookup> lookups_;
  Key asked_last_{};
  std::minstd_rand random_;
};

}  // namespace dory::kafka
