// Receipts, this worker's side of them: where the record of each ticket is, and what became of it
// (doc/decisions/0014).
//
// Owner: the one writer of outcomes[R]; ticket n has outcomes[n mod R], until the intake has seen its outcome.
//   Which tickets a batch has is in private lists, by index: no look at the table for each message.
// Order: C3, the place, before C4: order = 0, index, number, order. An outcome, its number last: of a window
//   behind C10 and before C12 (C11); of a single record behind the cell's position and before its `done` (C4');
//   of what a waiting batch had lost with damaged bytes behind its `first`.
// On crash: a place without an outcome is that of a record in a live batch, or Rebuild takes it back: to the
//   waiting batch that the record was to leave, or to none, since it will be drained again from the ring. A
//   ticket's slot only ever has larger numbers, so that an outcome whose number is not smaller is the place's own,
//   or a later one's.

#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "shm/layout.h"
#include "shm/pool.h"
#include "shm/receipts.h"
#include "shm/segment.h"

namespace dory::kafka {

// What became of neighbours in a batch.
struct Settlement {
  int16_t code;
  int32_t partition = -1;
  int64_t offset = -1;  // in the log, of the record at `index`; -1: not known, or in none
  uint64_t index = 0;
};

class Receipts {
 public:
  // Where the segment has no tickets, those of records mean nothing.
  Receipts(shm::Segment& segment, uint32_t lane);

  // C3: the record is to be number `index` of the batch, behind all that have a place there. Ticket 0: none.
  void Place(uint64_t ticket, shm::BatchId batch, uint64_t order, uint64_t index) {
    if (ticket != 0 && !outcomes_.empty()) PlaceTicket(ticket, batch, order, static_cast<uint32_t>(index));
  }

  // Of all that the batch still has before index `end`.
  void AnswerUpTo(shm::BatchId batch, uint64_t end, const Settlement& settled);

  // C4': of one record that is discarded.
  void Answer(uint64_t ticket, int16_t code) {
    if (ticket != 0 && !outcomes_.empty()) AnswerSlot(SlotOf(ticket), ticket, {.code = code});
  }

  // At a start, before anything is settled: the lists, from the places. What damage has taken from waiting
  // batches is answered as corrupt.
  void Rebuild(const shm::PoolView& pool);

  // Whether outcomes were stored since the last call.
  bool TakeNews() { return std::exchange(has_news_, false); }

 private:
  // A slot's neighbours in its batch's list.
  struct Link {
    uint32_t before = shm::kNoIndex;
    uint32_t behind = shm::kNoIndex;
    shm::BatchId batch = shm::kNoIndex;  // kNoIndex: in no list
  };
  struct List {
    uint32_t first = shm::kNoIndex;
    uint32_t last = shm::kNoIndex;
  };

  uint32_t SlotOf(uint64_t ticket) const { return static_cast<uint32_t>(ticket % outcomes_.size()); }
  void PlaceTicket(uint64_t ticket, shm::BatchId batch, uint64_t order, uint32_t index);
  void AnswerSlot(uint32_t slot, uint64_t ticket, const Settlement& settled);
  shm::BatchId TakeBack(const shm::PoolView& pool, uint32_t slot);
  void Append(uint32_t slot, shm::BatchId batch);
  void Remove(uint32_t slot);

  std::span<shm::Outcome> outcomes_;
  std::vector<Link> links_;  // by slot
  uint32_t linked_ = 0;  // slots in a list
  std::vector<List> lists_;  // by batch
  bool has_news_ = false;
};

}  // namespace dory::kafka
