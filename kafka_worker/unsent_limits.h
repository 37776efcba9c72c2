// What was never sent is discarded where its topic says so: it has waited for longer than delivery_deadline, or what
// waits in one queue has used up [buffer] partition_share (partition_full).
//
// Owner: KafkaWorker.
// Order: between two passes of the drain, as every change away from OPEN. The newest are discarded by the drain itself,
//   as they come.
// On crash: a batch that became DISCARDED is settled as any other (settler.h); of a waiting one the discard cell and
//   `first` say how far it had come (drain.h).
// Errors: none. What was sent once, or in part, is left alone.

#pragma once

#include <cstdint>
#include <string>

#include "kafka_worker/drain.h"
#include "kafka_worker/memory.h"
#include "kafka_worker/topics.h"

namespace dory::kafka {

// A batch does not take records over a longer time than this part of the deadline, nor more than this part of the
// share, so that neither its youngest record has to go with the oldest, nor all with the one that is too much.
inline constexpr int64_t kUnsentParts = 8;

// Blocks that the batches of a queue take.
uint64_t CountBlocks(const shm::Pool& pool, const BatchQueue& queue);

// How many bytes a batch of the topic may grow to, of at most `most`.
uint64_t ChooseBatchLimit(const Topic& topic, uint64_t share_blocks, uint64_t most);

// Whether a record of that time may still join the batch.
bool IsOfOneAge(const TopicConfig& config, const shm::BatchDescriptor& batch, int64_t received_boottime_ns);

// When the youngest record of a batch that began then has waited for long enough; INT64_MAX: never. One that began
// under another deadline may have taken records until that was reloaded.
int64_t FindExpiryNs(const Topic& topic, int64_t first_record_boottime_ns);

// Logs that messages of the topic are discarded by its partition_full; now and then is enough.
void SayFull(Topic& topic, int64_t now_ms);

// For the status: what was said a moment ago; empty: nothing.
std::string DescribeFull(const Topic& topic, int64_t now_ms);

class UnsentLimits {
 public:
  UnsentLimits(Memory& memory, TopicTable& topics, Drain& drain) : memory_(memory), topics_(topics), drain_(drain) {}

  // Of the topics that are dirty: a new batch makes them so, and the time at which one expires. True: blocks are free
  // that were not.
  bool Enforce(int64_t now_ms);

 private:
  void EnforceOn(Topic& topic);
  void EnforceOnQueue(Topic& topic, BatchQueue* queue);
  void EnforceOnWaiting(Topic& topic);
  void Discard(Topic& topic, BatchId batch, shm::Discard reason);
  bool IsOver(const Topic& topic, BatchId batch);

  Memory& memory_;
  TopicTable& topics_;
  Drain& drain_;
  int64_t now_ms_ = 0;  // of the look at hand
  int64_t now_ns_ = 0;  // CLOCK_BOOTTIME
  uint64_t share_blocks_ = 0;
  int64_t next_expiry_ns_ = 0;  // of the topic at hand
  uint64_t expired_ = 0;        // messages of it
};

}  // namespace dory::kafka
