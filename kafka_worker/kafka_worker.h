// The kafka worker's life: recover, then in each turn of the loop drain, dispatch, and sleep only when
// there is nothing to do.

#pragma once

#include <memory>
#include <set>

#include "common/event_loop.h"
#include "common/worker_context.h"
#include "kafka_worker/authorization_deadline.h"
#include "kafka_worker/chunks.h"
#include "kafka_worker/cluster.h"
#include "kafka_worker/drain.h"
#include "kafka_worker/log_lookup.h"
#include "kafka_worker/memory.h"
#include "kafka_worker/sender.h"
#include "kafka_worker/settler.h"
#include "kafka_worker/topics.h"
#include "kafka_worker/unsent_limits.h"
#include "shm/doorbell.h"

namespace dory::kafka {

class KafkaWorker {
 public:
  KafkaWorker(WorkerContext& context, shm::Segment& segment);

  // Does not return.
  void Run();

 private:
  // Why a topic's messages can go nowhere.
  struct Missing {
    Complaint* complaint;
    int64_t deadline_ms;
    shm::Discard reason;
    const char* why;
  };

  void RunTurn();
  void ConfigureReport();
  void RollReport();
  bool DrainAll(int64_t now_ms);
  void PrepareToWait(bool moved, int64_t next_due_ms);
  void OnDoorbell();
  std::vector<std::string> ListTopics(bool (*which)(const Topic&)) const;
  void OnMetadata(const protocol::MetadataResponse& metadata);
  std::set<int32_t> ListLeaders() const;
  void OnOtherCluster();
  void AdoptTopic(Topic& topic, const protocol::MetadataTopic& found, int64_t now_ms);
  void NoteMetadataError(Topic& topic, int16_t code);
  static bool IsWaitedFor(Topic& topic);
  static bool IsOfFormerTopic(const Topic& topic, const protocol::TopicId& id, int64_t now_ms);
  bool AdoptId(Topic& topic, const protocol::TopicId& id, int64_t now_ms);
  void AdoptCount(Topic& topic, size_t count, bool anew, int64_t now_ms);
  void NoteMissing(Topic& topic, bool missing, const Missing& how, int64_t now_ms);
  void AddWarnings(const Topic& topic, control::WorkerStatus* status) const;
  void FillStatus(control::WorkerStatus* status) const;
  int64_t OldestAgeMs(const Topic& topic) const;

  WorkerContext& context_;
  Memory memory_;
  Config config_;
  std::vector<BatchId> live_;  // what recovery found; order matters: before all that looks at the pool
  TopicTable topics_;
  ChunkStore chunks_;  // before what may hold some of it
  Cluster cluster_;
  LogLookup lookup_;
  Settler settler_;
  Sender sender_;
  Drain drain_;
  AuthorizationDeadline authorization_deadline_;
  UnsentLimits unsent_limits_;
  shm::DoorbellSleeper data_bell_;
  shm::DoorbellWaker room_bell_;
  shm::DoorbellWaker receipt_bell_;
  IoWatcher data_watcher_;
  Timer turn_;       // the next turn without a signal
  Timer heartbeat_;
  bool draining_ = false;
  bool pool_full_ = false;
};

}  // namespace dory::kafka
