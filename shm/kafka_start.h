// What a start of the kafka worker finds and has to do: a pure look at its state in the segment.
//
// The worker carries the plan out step by step (kafka_worker/start.cc); check-buffer counts by it
// without writing. Its proof is the model in tests/model/kafka_worker_model.py.

#pragma once

#include <cstdint>
#include <vector>

#include "shm/layout.h"
#include "shm/pool.h"

namespace dory::shm {

struct WindowMove {
  BatchId batch;
  uint32_t first;  // its new first record; == commit.count: nothing is left, it becomes FREE
};

struct KafkaStart {
  bool redo_cell = false;            // the discard cell's counter is not known to be set
  std::vector<BatchId> to_settle;    // ACKED or DISCARDED: redo C11 and C12
  std::vector<BatchId> to_free;      // OPEN or PINNED with nothing left
  uint64_t head = 0;                 // where draining goes on
  std::vector<WindowMove> waiting;   // WAITING batches whose `first` moves
  std::vector<BatchId> live;         // OPEN, PINNED and SENT afterwards, by `order`; waiting ones included
};

KafkaStart PlanKafkaStart(const ConsumerPage& consumer, const PoolView& pool);

// Ring position after the record at `offset` of a waiting batch, and where the next one begins.
struct WaitingRecord {
  uint64_t position;
  uint64_t next_offset;
};
WaitingRecord ReadWaitingRecord(const PoolView& pool, BatchId batch, uint64_t offset);

}  // namespace dory::shm
