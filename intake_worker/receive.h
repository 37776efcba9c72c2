// Receive (P2): datagrams from a socket into the segment's slots.
//
// The kernel writes the bytes and, before a SIGKILL can act, msg_len: what has left the socket is in a
// slot that says so. EMPTY is kEmptySlot, since a datagram may have no bytes.
//
// Owner: the lane's intake, and the kernel for it.
// Order: slots.input is stored before recvmmsg; a slot's flags are reset before msg_len gives it back. The
//   sockets pass credentials before the slots ask who sent a datagram, and as long as they do: else what a
//   client passes beside it would be taken instead, descriptors among it.
// On crash: a start rewrites the pointers; the slots that are not empty are published, as what the kernel has
//   said of their senders.

#pragma once

#include <cstdint>
#include <span>

#include "intake_worker/burst.h"
#include "intake_worker/lane_memory.h"
#include "intake_worker/outcome.h"

namespace dory::intake {

// Whether this error of recvmmsg says that we have called it wrongly.
bool IsOurFault(int error);

// What errno says of a connection whose recvmmsg or sendmmsg has failed: `later`, or kEnd (ECONNRESET, EPIPE and
// their like). Ends the process where the call was wrong.
Outcome JudgeFailure(const char* call, uint32_t connection, Outcome later);

// Makes recvmmsg write into this one buffer, and nothing else. At a start: addresses are another process's.
void PointTo(iovec* buffer, msghdr* header);

struct SlotRange {
  uint32_t first = 0;
  uint32_t end = 0;
  bool empty() const { return first == end; }
};

class Receiver {
 public:
  explicit Receiver(const LaneMemory& memory);

  // At a start, before anything else: addresses are another process's.
  void RewritePointers();

  // Whether the kernel is asked who sent a datagram, from the next one on. At a start, and when that changes.
  void AskSenders(bool ask);

  // Keeps the slots in memory; a slot that must be fetched first could fail the kernel's write. False:
  // they were touched, and may be taken away again.
  bool LockSlots();

  // The slots that hold messages; always neighbours. REQUIRES: no burst is half finished.
  SlotRange Pending() const;

  // P2: up to `count` datagrams of the socket, from slot 0 on. Fewer than asked for: it is empty.
  // REQUIRES: all slots are empty, 0 < count <= kSlotCount.
  uint32_t Receive(uint32_t input, int fd, uint32_t count);

  // The messages of these slots. `messages` has kSlotCount places.
  std::span<const RawMessage> Collect(SlotRange slots, RawMessage* messages) const;

  // P5: gives slots back. May be done again.
  static void Release(shm::ReceiveSlots* slots, SlotRange range);

 private:
  uint32_t SenderOf(uint32_t slot) const;
  const std::byte* SlotBytes(uint32_t slot) const { return slot_bytes_.data() + uint64_t{slot} * slot_size_; }

  shm::ReceiveSlots* slots_;
  std::span<std::byte> slot_bytes_;
  uint32_t slot_size_;
};

}  // namespace dory::intake
