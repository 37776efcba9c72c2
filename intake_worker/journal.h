// The journal of a burst: each counter that the burst changes, with its new absolute value.
//
// It lies in the stage, so that a start can finish what was decided: counters are set from it, never
// added to, so setting them twice is setting them once.
//
// Owner: the lane's intake, alone. Means nothing before P4.

#pragma once

#include <cstdint>
#include <vector>

#include "intake_worker/books_writer.h"
#include "shm/layout.h"

namespace dory::intake {

inline constexpr uint32_t kChangesOfOneMessage = 2;  // an unsupported version: reason and tally

class Journal {
 public:
  Journal(shm::Stage* stage, const BooksWriter* books);

  void Begin() { count_ = 0; }

  // False: the burst is to be cut here.
  bool HasRoom() const { return count_ + kChangesOfOneMessage <= shm::kJournalSize; }

  // For who looks ahead: what CountOne looks at.
  const void* PlaceOf(Counter counter) const { return &places_[counter]; }

  // One more of this counter. REQUIRES: room.
  void CountOne(Counter counter);

  // Stores how many changes there are.
  void Finish();

 private:
  shm::Stage* stage_;
  const BooksWriter* books_;
  uint32_t count_ = 0;
  // A sparse set: the place of each counter's change, true only where the change names the counter.
  std::vector<uint16_t> places_;
};

}  // namespace dory::intake
