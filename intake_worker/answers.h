// Receipts on their way to the clients: a connection's bytes to send, in an answer area of the segment while there
// are any.
//
//     A1  a receipt's bytes behind `put`, where nobody looks      A2  put: it will be sent, once
//     A4  sendmmsg of [sent, put)                                 A5  sent = send_base + msg_len; msg_len = EMPTY;
//                                                                     send_base = sent
//
// Owner: the lane's intake, and the kernel for it: `msg_len` of a sendmmsg is in the segment before a signal can
//   act, so what a client has been sent is known after any kill.
// Order: an area is named in the entry before any ticket counts on it, and its name is wiped before another
//   connection gets it.
// On crash: Recover does A5 again: sets.
// Errors: what can't be written to any more says kEnd.

#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/bytes.h"
#include "intake_worker/lane_memory.h"
#include "intake_worker/outcome.h"
#include "shm/receipts.h"

namespace dory::intake {

struct Receipt {
  int64_t id;
  int16_t code;
  int32_t partition = -1;
  int64_t offset = -1;
};

class Answers {
 public:
  explicit Answers(const LaneMemory& memory);

  // At a start, before anything else.
  void Recover();

  // Whether the connection holds an area, so that it can be answered.
  bool HoldsArea(uint32_t slot) const { return connections_[slot].answer_area != 0; }
  bool HasFreeArea() const { return !free_.empty(); }
  // REQUIRES: a free area, and !HoldsArea(slot).
  void TakeArea(uint32_t slot);

  // Whether so many receipts more have room. REQUIRES, as of all below: HoldsArea(slot).
  bool HasRoomFor(uint32_t slot, uint32_t receipts) const;
  bool HasUnsent(uint32_t slot) const { return connections_[slot].sent != connections_[slot].put; }

  // A1: the value is what `put` will be. REQUIRES: HasRoomFor one.
  uint64_t Write(uint32_t slot, const Receipt& receipt);
  // A2: may be done again.
  void SetPut(uint32_t slot, uint64_t put);

  // A4 and A5. kMore: it takes no more for now; kEmpty: all is sent; kEnd: it takes nothing any more.
  Outcome Send(uint32_t slot, int fd);

  // Forgets what is not sent, and gives the area back. Nothing happens where there is none.
  void Drop(uint32_t slot);

 private:
  std::byte* AddressOf(const shm::Connection& connection, uint64_t position) const;
  static uint64_t PlaceOf(const shm::Connection& connection, uint64_t position) {
    return (position - connection.answer_base) % shm::kAnswerRoom;
  }
  void PointTo(shm::Connection& connection);
  static void NoteSent(shm::Connection& connection);

  std::span<shm::Connection> connections_;
  std::byte* areas_;
  std::vector<uint32_t> free_;
};

}  // namespace dory::intake
