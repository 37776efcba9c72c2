// The intake's side of receipts in the kafka worker's sweep, played by hand: every fourth message has a ticket, and
// each that is not to be delivered, where one is free; what became of it is taken once.
//
// Owner: `Receipts` is shared by the lives of a trial, and all zero where nothing has happened.

#pragma once

#include <array>
#include <cstdint>

#include "shm/receipts.h"
#include "shm/segment.h"
#include "shm/store.h"
#include "tests/crash/kafka_sweep_scenario.h"

namespace dory::kafka {

inline constexpr uint32_t kSweepTickets = 4;

struct TakenOutcome {
  bool taken;
  int16_t code;
  int32_t partition;
  int64_t offset;
};

struct SweepTickets {
  uint64_t last;  // that was given
  std::array<uint64_t, kMostMessages> of_message;  // 0: it did not ask
  std::array<uint64_t, kMostMessages> position;    // of the ring, behind a message
  std::array<size_t, kSweepTickets> holder;        // message + 1; 0: the slot is free
  std::array<TakenOutcome, kMostMessages> outcomes;  // by message
};

class TicketDesk {
 public:
  TicketDesk(const shm::Segment& segment, SweepTickets* tickets)
      : tickets_(*tickets),
        outcomes_(segment.Get<shm::Outcome>(shm::RegionKind::kOutcomes, 0)),
        consumer_(*segment.Get<shm::ConsumerPage>(shm::RegionKind::kConsumer, 0)) {}

  // 0: the message does not ask. Nothing is taken until Give.
  uint64_t Choose(size_t message, Fate fate) const {
    if (message % 4 != 0 && fate == Fate::kLogged) return 0;
    for (uint64_t number = tickets_.last + 1; number <= tickets_.last + kSweepTickets; ++number) {
      if (tickets_.holder[number % kSweepTickets] == 0) return number;
    }
    return 0;
  }

  void Give(size_t message, uint64_t ticket, uint64_t position) {
    if (ticket == 0) return;
    tickets_.last = tickets_.of_message[message] = ticket;
    tickets_.position[message] = position;
    tickets_.holder[ticket % kSweepTickets] = message + 1;
  }

  // As the intake does: what has its outcome, or was damaged before it had its place.
  void TakeOutcomes() {
    const uint64_t head = shm::Load(consumer_.head);
    for (size_t slot = 0; slot < kSweepTickets; ++slot) {
      if (tickets_.holder[slot] == 0) continue;
      const size_t message = tickets_.holder[slot] - 1;
      const uint64_t ticket = tickets_.of_message[message];
      const shm::Outcome& outcome = outcomes_[slot];
      if (outcome.number == ticket) {
        tickets_.outcomes[message] = {true, outcome.code, outcome.partition, outcome.offset};
      } else if (head >= tickets_.position[message] && outcome.place_number != ticket) {
        tickets_.outcomes[message] = {true, shm::CodeOf(shm::Discard::kCorrupt), -1, -1};
      } else {
        continue;
      }
      tickets_.holder[slot] = 0;
    }
  }

 private:
  SweepTickets& tickets_;
  const shm::Outcome* outcomes_;
  const shm::ConsumerPage& consumer_;
};

}  // namespace dory::kafka
