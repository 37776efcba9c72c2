// C6 to C8: due batches take a partition and a sequence, become SENT, and go to the socket.
//
// Order: at most one batch of a partition is SENT or ACKED; the partition's sequence is fixed before the
//   state says SENT, and the state says SENT before the first byte goes to the kernel (C7, C8).
// On crash: a SENT batch is sent again, the same window with the same sequence; an OPEN one that C6 had
//   written to has no partition and no sequence yet.
// Errors: none; what cannot go now stays where it is until the topic is marked dirty again: by an alarm
//   where time alone is missing (not due, a back-off), else by what it waits for (leader, room on the
//   connection, producer id).

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "kafka_worker/cluster.h"
#include "kafka_worker/memory.h"
#include "kafka_worker/protocol/produce.h"
#include "kafka_worker/topics.h"

namespace dory::kafka {

// What a request carries for one partition.
struct SentBatch {
  Topic* topic;
  int32_t partition;
  BatchId batch;
};

class Sender {
 public:
  // A produce request's answer, or why there is none. `version` is the request's.
  using OnAnswer = std::function<void(BrokerConnection& connection, const std::vector<SentBatch>& batches,
                                      int16_t version, const Result<ByteSpan>& body)>;

  Sender(Memory& memory, TopicTable& topics, Cluster& cluster, const KafkaConfig& config, OnAnswer on_answer);

  // Sends what can be sent of the dirty topics.
  void Dispatch(const DueRule& rule, int64_t now_ms);

 private:
  struct Load {
    std::vector<SentBatch> batches;
    uint64_t bytes = 0;
  };
  using Loads = std::map<BrokerConnection*, Load>;

  // Of one topic in one dispatch.
  struct Turn {
    const DueRule& rule;
    int64_t now_ms;
    Loads* loads;
    int64_t look_again_ms = INT64_MAX;  // when time alone will have changed something
  };

  void AssignTopic(Topic& topic, const DueRule& rule, int64_t now_ms, Loads* loads);
  void AssignPartition(Topic& topic, size_t index, Turn* turn);
  BrokerConnection* FindRoom(const Partition& partition, Turn* turn);
  BatchId PickBatch(Topic& topic, Partition& partition, BatchQueue** from, Turn* turn) const;
  bool PrepareFirstSend(Topic& topic, Partition& partition, int32_t number, BatchId batch);
  void SendLoad(BrokerConnection& connection, Load load);
  void AddBatch(const SentBatch& sent, protocol::ProduceEncoder* encoder, Frame* frame);
  void AddWindow(BatchId batch, Frame* frame, protocol::BatchHeader* header);

  Memory& memory_;
  TopicTable& topics_;
  Cluster& cluster_;
  KafkaConfig config_;
  OnAnswer on_answer_;
  protocol::ProduceEncoder encoder_;
  std::vector<std::vector<ByteSpan>> spans_;  // of each batch of the request at hand
};

}  // namespace dory::kafka
