#include "intake_worker/receipts.h"

#include <cassert>
#include <utility>

#include "common/crash_point.h"
#include "shm/store.h"

namespace dory::intake {

using shm::Load;
using shm::Store;
using shm::Ticket;

Receipts::Receipts(const LaneMemory& memory)
    : outcomes_(memory.outcomes),
      connections_(memory.connections),
      consumer_(memory.consumer),
      answers_(memory),
      open_of_(memory.connections.size()),
      deaf_(memory.connections.size()),
      is_ready_(memory.connections.size()) {
  if (memory.receipts.empty()) return;
  table_ = reinterpret_cast<shm::Tickets*>(memory.receipts.data());
  tickets_ = {reinterpret_cast<Ticket*>(table_ + 1), memory.geometry.tickets};
}

void Receipts::SetLast(uint64_t last) {
  if (table_ == nullptr) return;
  Store(table_->last, last);
  DORY_CRASH_POINT("P5.last_ticket");
}

void Receipts::Recover() {
  if (table_ == nullptr) return;
  answers_.Recover();
  last_taken_ = Load(table_->last);
  for (uint32_t index = 0; index < tickets_.size(); ++index) {
    Ticket& ticket = tickets_[index];
    if (ticket.number > last_taken_) {
      Store(ticket.done, ticket.number);  // never taken; `last` will be larger some day
      DORY_CRASH_POINT("A.never_taken");
    } else if (ticket.answered == ticket.number && ticket.done != ticket.number) {
      FinishAnswer(ticket);
    }
    if (ticket.done == ticket.number) {
      free_.push_back(index);
      continue;
    }
    open_.push_back(index);
    if (IsCurrent(ticket)) ++open_of_[ticket.connection];
  }
  for (uint32_t slot = 0; slot < connections_.size(); ++slot) {
    if (!answers_.HoldsArea(slot)) continue;
    if (answers_.HasUnsent(slot)) NoteReady(slot);
    GiveBackArea(slot);
  }
}

bool Receipts::MayAsk(uint32_t slot) {
  if (free_.empty()) return false;
  if (!answers_.HoldsArea(slot)) {
    if (!answers_.HasFreeArea()) return false;
    answers_.TakeArea(slot);
  }
  return answers_.HasRoomFor(slot, open_of_[slot] + 1);
}

// The least one that is larger than all before it and belongs to the free slot.
uint64_t Receipts::NextNumber() const {
  const uint64_t size = tickets_.size();
  const uint64_t ahead = (free_.front() + size - last_taken_ % size) % size;
  return last_taken_ + (ahead == 0 ? size : ahead);
}

void Receipts::Take(uint32_t slot, int64_t id, int16_t code, uint64_t position) {
  const uint64_t number = NextNumber();
  Ticket& ticket = tickets_[free_.front()];
  Store(ticket.number, number);
  DORY_CRASH_POINT("P3.ticket_number");
  Store(ticket.done, 0);  // a burst that was never decided may have had the same number
  Store(ticket.id, id);
  Store(ticket.generation, connections_[slot].generation);
  Store(ticket.connection, slot);
  Store(ticket.code, code);
  Store(ticket.position, position);
  DORY_CRASH_POINT("P3.ticket");
  if (DORY_IS_MUTANT("asked for before it is decided")) Store(table_->last, number);
  taken_.push_back(free_.front());
  free_.pop_front();
  ++open_of_[slot];
  last_taken_ = number;
}

void Receipts::FinishBurst() {
  for (const uint32_t index : taken_) {
    open_.push_back(index);
    const Ticket& ticket = tickets_[index];
    if (ticket.code != shm::kNoCode) AnswerOpen(open_.size() - 1, {.id = ticket.id, .code = ticket.code});
  }
  taken_.clear();
}

// Of ticket open_[at].
void Receipts::AnswerOpen(size_t at, const Receipt& receipt) {
  const uint32_t index = open_[at];
  Ticket& ticket = tickets_[index];
  const uint32_t slot = ticket.connection;
  if (IsCurrent(ticket)) --open_of_[slot];
  if (IsHeard(ticket)) {
    Store(ticket.out_end, answers_.Write(slot, receipt));
    DORY_CRASH_POINT("A1.out_end");
    if (!DORY_IS_MUTANT("not answered before put")) Store(ticket.answered, ticket.number);
    DORY_CRASH_POINT("A1.answered");
    FinishAnswer(ticket);
    NoteReady(slot);
  } else {
    Store(ticket.done, ticket.number);
    DORY_CRASH_POINT("A3.nobody");
  }
  open_[at] = open_.back();
  open_.pop_back();
  free_.push_back(index);
}

// A2 and A3: sets.
void Receipts::FinishAnswer(Ticket& ticket) {
  if (DORY_IS_MUTANT("done before put")) Store(ticket.done, ticket.number);
  DORY_CRASH_POINT("A2.before");
  if (IsHeard(ticket)) answers_.SetPut(ticket.connection, ticket.out_end);
  Store(ticket.done, ticket.number);
  DORY_CRASH_POINT("A3.done");
}

// `head` was read before: what the kafka worker has passed, it has given a place or an outcome.
bool Receipts::FindReceipt(uint32_t index, uint64_t head, Receipt* receipt) const {
  const Ticket& ticket = tickets_[index];
  const shm::Outcome& outcome = outcomes_[index];
  receipt->id = ticket.id;
  if (ticket.code != shm::kNoCode) {
    receipt->code = ticket.code;
    return true;
  }
  if (Load(outcome.number) == ticket.number) {
    receipt->code = outcome.code;
    receipt->partition = outcome.partition;
    receipt->offset = outcome.offset;
    return true;
  }
  receipt->code = shm::CodeOf(shm::Discard::kCorrupt);  // its bytes were damaged before it came there
  return head >= ticket.position && Load(outcome.place_number) != ticket.number;
}

bool Receipts::AnswerSettled() {
  const size_t before = open_.size();
  const uint64_t head = Load(consumer_->head);
  for (size_t at = open_.size(); at-- > 0;) {  // the last one takes the place of one that is answered
    Receipt receipt{};
    if (FindReceipt(open_[at], head, &receipt)) AnswerOpen(at, receipt);
  }
  return open_.size() != before;
}

void Receipts::NoteReady(uint32_t slot) {
  if (is_ready_[slot]) return;
  is_ready_[slot] = true;
  ready_.push_back(slot);
}

std::vector<uint32_t> Receipts::TakeReady() {
  for (const uint32_t slot : ready_) is_ready_[slot] = false;
  return std::exchange(ready_, {});
}

bool Receipts::IsOwed(uint32_t slot) const {
  if (tickets_.empty() || deaf_[slot] || !answers_.HoldsArea(slot)) return false;
  return open_of_[slot] > 0 || answers_.HasUnsent(slot);
}

Outcome Receipts::Send(uint32_t slot, int fd) {
  if (tickets_.empty() || !answers_.HoldsArea(slot)) return Outcome::kEmpty;
  const Outcome outcome = answers_.Send(slot, fd);
  GiveBackArea(slot);
  return outcome;
}

void Receipts::GiveBackArea(uint32_t slot) {
  if (open_of_[slot] == 0 && !answers_.HasUnsent(slot)) answers_.Drop(slot);
}

void Receipts::Leave(uint32_t slot) {
  deaf_[slot] = true;
  open_of_[slot] = 0;  // they are answered to nobody
  answers_.Drop(slot);
}

void Receipts::Open(uint32_t slot) {
  Leave(slot);
  deaf_[slot] = false;
}

}  // namespace dory::intake
