// Admission: a parsed message becomes a record of its topic, or is rejected under a counter.
//
// What it says may differ when the same message is decided again after a crash; nothing is counted
// before P4.

#pragma once

#include <cstdint>
#include <vector>

#include "intake_worker/books_writer.h"
#include "intake_worker/client_limits.h"
#include "intake_worker/parse.h"
#include "intake_worker/permissions.h"
#include "intake_worker/rate_limit.h"
#include "intake_worker/topic_table.h"
#include "shm/record.h"

namespace dory::intake {

struct Admission {
  bool admitted = false;
  uint32_t row = shm::kNoIndex;   // of the topic; kNoIndex: none
  uint32_t uid = kNoUid;          // of the client
  shm::Reject reason{};           // of one that is not admitted
  Counter counter = kNoCounter;   // the one that this verdict moves
  Counter tally = kNoCounter;     // and of an unsupported version its tally
  shm::MessageView record;        // of an admitted message; until the next one
};

class Admitter {
 public:
  Admitter(BooksWriter* books, TopicTable* topics) : books_(books), topics_(topics) {}

  // `now_ns`: CLOCK_BOOTTIME. The wall clock is read at most once a burst, and only for topics that want it.
  void BeginBurst(int64_t now_ns) {
    now_ns_ = now_ns;
    wall_clock_ms_ = 0;
  }

  // `input`: the one that it came from, among the lane's; `uid`: the user who sent it. What is not allowed is
  // asked first, then rates: a message that is rejected counts in no rate.
  Admission Admit(const ParseResult& parsed, uint32_t input, uint32_t uid);

  Permissions& permissions() { return permissions_; }
  ClientLimits& clients() { return clients_; }

  // The verdict on an admitted message that the ring has no room for.
  Admission RefuseForRoom(const Admission& admission) const { return RefuseOf(admission.row, shm::Reject::kNoRoom); }

  // An admitted message is in the ring: its topic's rate counts it, and its client's.
  void NoteWritten(const Admission& admission) {
    rates_.Count(admission.row, topics_->OptionsOf(admission.row).rate_limit);
    if (clients_.AreAny()) clients_.NoteWritten(admission.uid);
  }

 private:
  int64_t WallClockOfBurst();
  Admission Refuse(const ParseResult& parsed);
  Admission RefuseOf(uint32_t row, shm::Reject reason) const;
  shm::MessageView MakeRecord(const ParsedMessage& message, uint32_t row);
  void EncodeHeaders(const ParsedMessage& message);

  BooksWriter* books_;
  TopicTable* topics_;
  RateLimiter rates_;
  Permissions permissions_;  // of inputs
  ClientLimits clients_;
  int64_t now_ns_ = 0;
  int64_t wall_clock_ms_ = 0;
  std::vector<std::byte> headers_;  // of the message at hand, as Kafka's record format has them
};

}  // namespace dory::intake
