// What a start of the kafka worker finds and has to do: a pure look at its state in the segment.
//
// The worker carries the plan out step by step (kafka_worker/start.cc); check-buffer counts by it
// without writing. Its proof is the model in tests/model/kafka_worker_model.py.

#pragma once

#include <cstdint>
#include <vector>

#include "shm/layout.h"
#include "shm/pool.h"
#include "shm/record.h"

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

// A place between two records of a waiting batch; made of zeros, before its first.
struct WaitingPlace {
  uint32_t index;     // records before it
  uint64_t offset;    // bytes before it
  uint64_t position;  // ring position after the record before it
};

// The place behind the record at `place`. Where a wild write left no header to go on by, that is the
// batch's end: what is left can only be counted.
WaitingPlace NextWaiting(const PoolView& pool, BatchId batch, const WaitingPlace& place);

// The message of the one record between the two. False where it is not what it was.
[[nodiscard]] bool ViewWaiting(const PoolView& pool, BatchId batch, const WaitingPlace& place, const WaitingPlace& next,
                               std::vector<std::byte>* buffer, ByteSpan* record, MessageView* message);

}  // namespace dory::shm
