// Receipts: from a message that asks for one to its answer in the connection's bytes to send.
//
//     P3  a free slot's ticket; the record carries its number         P5  Tickets::last: it is asked for
//         (the kafka worker stores the outcome, or a reject has its code in the ticket)
//     A1  the receipt's bytes; out_end; answered: from here on it is   A2  put      A3  done: the slot is free
//
// Owner: the lane's intake; outcomes are the kafka worker's.
// Order: as numbered, one ticket after the other: at most one is answered and not done.
// On crash: before P4 the ticket was never taken. Recover does A2 and A3 of the one that was answered, and finds
//   all that are open; what was not answered is answered anew.
// A slot is free again only once its outcome has come: the kafka worker's place of it has the same number.

#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "intake_worker/answers.h"
#include "intake_worker/lane_memory.h"
#include "shm/receipts.h"

namespace dory::intake {

class Receipts {
 public:
  explicit Receipts(const LaneMemory& memory);

  // The rest of a start. REQUIRES: no burst is half finished.
  void Recover();

  // ---- while a burst is decided

  // Whether somebody would get the receipt: else messages are taken as if they did not ask.
  bool CanAnswer(uint32_t slot) const { return !tickets_.empty() && !deaf_[slot] && !closing_; }
  // Whether the connection may ask for one more now: there is a ticket, an area, and room in it.
  bool MayAsk(uint32_t slot);
  // The number of the ticket that Take will give. REQUIRES: MayAsk.
  uint64_t NextNumber() const;
  // P3. `code`: kNoCode, or that of a message that is rejected.
  void Take(uint32_t slot, int64_t id, int16_t code, uint64_t position);
  // The largest number taken, for the stage.
  uint64_t last_taken() const { return last_taken_; }
  // P6 is done: what was taken is open. Rejects are answered.
  void FinishBurst();

  // P5. May be done again.
  void SetLast(uint64_t last);

  // ---- afterwards

  // Answers what has an outcome by now. True: at least one.
  bool AnswerSettled();
  bool AreAnyOpen() const { return !open_.empty(); }
  bool AreAnyReady() const { return !ready_.empty(); }

  // Connections that have something to send since the last call, each once.
  std::vector<uint32_t> TakeReady();

  // Whether the connection is still to be answered, or sent something.
  bool IsOwed(uint32_t slot) const;
  // As Answers::Send; the area is given back where nothing is owed any more.
  Outcome Send(uint32_t slot, int fd);

  // Nobody reads its receipts any more, until it is opened.
  void Leave(uint32_t slot);
  // Another connection of the entry, whose generation is not stored yet.
  void Open(uint32_t slot);
  // No message asks any more: the final drain.
  void Close() { closing_ = true; }

 private:
  // Whether the connection that asked is the entry's still.
  bool IsCurrent(const shm::Ticket& ticket) const {
    return connections_[ticket.connection].generation == ticket.generation && !deaf_[ticket.connection];
  }
  bool IsHeard(const shm::Ticket& ticket) const { return IsCurrent(ticket) && answers_.HoldsArea(ticket.connection); }
  void AnswerOpen(size_t at, const Receipt& receipt);
  void FinishAnswer(shm::Ticket& ticket);
  bool FindReceipt(uint32_t index, uint64_t head, Receipt* receipt) const;
  void NoteReady(uint32_t slot);
  void GiveBackArea(uint32_t slot);

  shm::Tickets* table_ = nullptr;
  std::span<shm::Ticket> tickets_;  // empty: the segment has none
  std::span<const shm::Outcome> outcomes_;
  std::span<shm::Connection> connections_;
  const shm::ConsumerPage* consumer_;
  Answers answers_;
  uint64_t last_taken_ = 0;
  std::deque<uint32_t> free_;            // tickets by index, as of the next three
  std::vector<uint32_t> taken_;          // in this burst
  std::vector<uint32_t> open_;
  std::vector<uint32_t> open_of_;        // by connection: how many of its tickets are open or taken
  std::vector<bool> deaf_;               // by connection: nobody reads its receipts
  std::vector<uint32_t> ready_;          // connections
  std::vector<bool> is_ready_;
  bool closing_ = false;
};

}  // namespace dory::intake
