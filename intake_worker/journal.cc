#include "intake_worker/journal.h"

#include <cassert>

#include "common/crash_point.h"
#include "shm/store.h"

namespace dory::intake {

using shm::Store;

Journal::Journal(shm::Stage* stage, const BooksWriter* books)
    : stage_(stage), books_(books), places_(books->counter_count()) {}

void Journal::CountOne(Counter counter) {
  const uint16_t place = places_[counter];
  shm::CounterChange* change = &stage_->journal[place];
  if (place < count_ && change->counter == counter) {
    Store(change->value, change->value + 1);
    DORY_CRASH_POINT("P3.journal_again");
    return;
  }
  assert(count_ < shm::kJournalSize);
  change = &stage_->journal[count_];
  Store(change->counter, counter);
  DORY_CRASH_POINT("P3.journal_counter");
  Store(change->value, books_->Read(counter) + 1);
  DORY_CRASH_POINT("P3.journal_value");
  places_[counter] = static_cast<uint16_t>(count_++);
}

void Journal::Finish() {
  Store(stage_->journal_count, count_);
  DORY_CRASH_POINT("P3.journal_count");
}

}  // namespace dory::intake
