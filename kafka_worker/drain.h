// C1 to C5: records leave the ring, or a waiting batch, and become records of batches.
//
// Order: a pass drains one source and stores its `head` (the ring's) or `first` (a waiting batch's)
//   before the next source begins, because the discard cell remembers one pass; and before any batch
//   leaves OPEN.
// On crash: the ends of the live batches and the cell say how far the pass had come (shm/kafka_start.h).
// Errors: a record of the ring that does not hold is discarded as corrupt, with as many as its ordinals
//   tell; so is one of a waiting batch, with all behind it where its header does not say where they are.

#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>

#include "kafka_worker/look_ahead.h"
#include "kafka_worker/memory.h"
#include "kafka_worker/topics.h"
#include "shm/kafka_start.h"
#include "shm/record.h"

namespace dory::kafka {

inline constexpr uint64_t kWaitingBatchBytes = 1 << 20;

struct PassResult {
  bool moved = false;  // at least one record left the source
  bool more = false;   // it has more, and there is room
  bool full = false;   // the pool has no room for its next record
};

class Drain {
 public:
  Drain(Memory& memory, TopicTable& topics);

  // One pass over the ring, at most some 256 KiB.
  PassResult DrainRing(int64_t now_ms);

  // Passes over the topic's waiting batches. REQUIRES: the topic is known, or given up.
  PassResult DrainWaiting(Topic& topic, int64_t now_ms);

  // Of those what is to go by when it was received (CLOCK_BOOTTIME), up to the first that is not. Returns how many went.
  uint64_t DiscardWaiting(Topic& topic, shm::Discard reason, const std::function<bool(int64_t received_ns)>& goes);

  // A topic that this worker had not met: called so that metadata is asked for.
  void SetOnNewTopic(std::function<void(Topic&)> callback) { on_new_topic_ = std::move(callback); }

 private:
  enum class Placed { kYes, kFull };
  struct Arrival;
  struct Discarded {
    shm::Discard reason;
    uint64_t records;
    uint64_t position;    // ring position after them
    uint64_t ticket = 0;  // of the one record
  };

  Placed Place(const Arrival& arrival, int64_t now_ms);
  Placed PlaceRouted(Topic& topic, const Arrival& arrival, int64_t now_ms);
  Placed PlaceWaiting(Topic& topic, const Arrival& arrival, int64_t now_ms);
  shm::RingRecord ReadRing(uint64_t position, uint64_t tail) const;
  std::span<const shm::RingRecord> ReadAhead(uint64_t tail, uint64_t limit);
  bool TakeRecord(const shm::RingRecord& record, int64_t now_ms);
  void Discard(uint64_t* counters, const Discarded& discarded);
  void DiscardDamaged(const shm::RingRecord& damaged);
  Topic& TopicOf(uint32_t row);
  BatchId OpenFor(Topic& topic, BatchQueue& queue, const shm::NewBatch& batch, int64_t now_ms);
  BatchQueue* FindQueue(Topic& topic, const Arrival& arrival, uint32_t* row);
  bool Accepts(const Topic& topic, const BatchQueue& queue, const Arrival& arrival, uint64_t size, uint64_t limit) const;
  bool DiscardsNewest(Topic& topic, const BatchQueue& queue, int64_t now_ms) const;
  bool HasRoom(BatchId batch, uint64_t size, bool from_ring) const;
  Arrival ReadWaiting(BatchId batch, const shm::WaitingPlace& place, const shm::WaitingPlace& next);
  void DiscardArrival(const Topic& topic, const Arrival& arrival, shm::Discard reason);
  void DiscardCorrupt(const Topic& topic, uint32_t records, uint64_t position);
  template <typename PlaceOne>
  PassResult PassWaiting(Topic& topic, PlaceOne place);
  void AdvanceWaiting(BatchId batch, uint32_t first);

  Memory& memory_;
  TopicTable& topics_;
  std::function<void(Topic&)> on_new_topic_;
  uint64_t position_;       // next record of the ring; `head` at the ends of a pass
  uint64_t reserve_blocks_;
  int64_t now_ns_ = 0;      // of the pass at hand; CLOCK_BOOTTIME
  std::array<shm::RingRecord, kLookAhead> ahead_;
  std::vector<std::byte> gathered_;
};

}  // namespace dory::kafka
