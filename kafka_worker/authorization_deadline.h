// Discards what waits for brokers that refuse us over TLS or SASL, once [topic] authorization_deadline is over. What
// brokers answer to a Produce or to Metadata is another's: Settler, KafkaWorker.
//
// A batch goes whole, when its oldest message has waited so long; of messages whose partition is not known yet, each
// by itself. What belongs to a partition goes by its leader; AnyPartition batches where every leader of the topic
// refuses us; and where nothing is known of a topic, everything, once all brokers that could tell refuse us. A window
// that may be in the log goes by `on_ambiguous`.
//
// Owner: KafkaWorker.
// Order: between two passes of the drain, so that `head` is stored (C5).
// Errors: none; what can't be discarded yet is looked at again.

#pragma once

#include <cstdint>

#include "kafka_worker/cluster.h"
#include "kafka_worker/drain.h"
#include "kafka_worker/log_lookup.h"
#include "kafka_worker/memory.h"
#include "kafka_worker/refusal.h"
#include "kafka_worker/settler.h"
#include "kafka_worker/topics.h"

namespace dory::kafka {

class AuthorizationDeadline {
 public:
  AuthorizationDeadline(Memory& memory, TopicTable& topics, Cluster& cluster, LogLookup& lookup, Settler& settler,
                        Drain& drain);

  // Now and then, and only while a broker refuses us.
  void Enforce(int64_t now_ms);

 private:
  void LookAt(Topic& topic);
  void LookAtPartition(Topic& topic, size_t index, const Refusal& refusal);
  void DiscardFirst(Topic& topic, BatchQueue* queue);
  void DiscardWaiting(Topic& topic, const Refusal& refusal);
  bool IsOver(const Topic& topic, BatchId batch, const Refusal& refusal) const;

  Memory& memory_;
  TopicTable& topics_;
  Cluster& cluster_;
  LogLookup& lookup_;
  Settler& settler_;
  Drain& drain_;
  int64_t next_look_ms_ = 0;
  int64_t now_ms_ = 0;  // of the look at hand
  int64_t now_ns_ = 0;  // CLOCK_BOOTTIME
};

}  // namespace dory::kafka
