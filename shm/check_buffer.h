// check-buffer: counts what is buffered, instead of subtracting, and holds it against the books.
//
// By the rules of a start (kafka_start.h) and without writing: records of the ring behind the planned
// head, and the records left in every live batch. REQUIRES: nobody writes meanwhile (the workers are
// paused, or there are none).

#pragma once

#include <string>
#include <vector>

#include "shm/books.h"
#include "shm/segment.h"

namespace dory::shm {

struct BufferCheck {
  Books books;                    // with what a start would settle settled
  uint64_t ring_records = 0;      // between head and tail
  uint64_t batch_records = 0;     // left in live batches
  uint64_t buffered_counted = 0;  // the two together
  uint64_t damaged_records = 0;   // records of the ring that do not hold; counted as buffered by ordinal
  bool balances = false;          // appended == delivered + discarded + buffered_counted
  std::vector<std::string> findings;  // what does not hold, one line each
};

// REQUIRES: the segment is mapped by Role::kCheck.
BufferCheck CheckBuffer(const Segment& segment, uint32_t lane);

}  // namespace dory::shm
