// A lane of the intake: the straight line socket -> receive -> parse -> admit -> append, and the order
// of its sources: the overflow file, then what lies in slots and areas, then the sockets.
//
// No event loop in here: each call does one thing and says how it went.
//
// Order: Recover, then PublishLeftovers until it says kEmpty, then ReceiveOnce.

#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "common/config.h"
#include "intake_worker/lane_memory.h"
#include "intake_worker/outcome.h"
#include "intake_worker/overflow.h"
#include "intake_worker/publish.h"
#include "intake_worker/receipts.h"
#include "intake_worker/receive.h"
#include "intake_worker/stream_lane.h"
#include "shm/breadcrumb.h"
#include "shm/doorbell.h"

namespace dory::intake {

struct LaneSettings {
  std::vector<uint32_t> limits;    // the largest message of each of the configuration's inputs
  bool reject_when_full = false;   // else nothing is read while there is no room
  uint64_t held_back = 0;          // of the ring, for the final drain alone
  std::string overflow_path;       // empty: no folder beside the segment
  uint32_t burst = shm::kSlotCount;  // datagrams received at a time, at most
};

// The part of the ring that is kept for what may lie in unread sockets when the supervisor dies: datagrams, by
// the limits of their sockets. `largest`: of all messages, those of streams as well.
uint64_t CountHeldBack(uint64_t ring_size, uint64_t largest, const std::vector<uint32_t>& datagram_limits,
                       uint64_t max_dgram_qlen);

class IntakeLane {
 public:
  // Finishes the burst that an earlier life had decided. `data_doorbell`: an eventfd.
  IntakeLane(shm::Segment& segment, uint32_t lane, const Config& config, LaneSettings settings,
             int data_doorbell);

  // The rest of a start: pointers, slots, overflow file; wakes the consumer once. REQUIRES: as Configure.
  void Recover();

  // One burst of what an earlier life has left.
  Outcome PublishLeftovers();

  // P1 to P7, one burst of a socket. REQUIRES: no leftovers.
  Outcome ReceiveOnce(uint32_t input, int fd);

  StreamLane& streams() { return streams_; }
  Receipts& receipts() { return receipts_; }
  uint64_t* receipt_sleep() { return &memory_.producer->receipt_sleep; }

  // Whether P1 would read.
  bool HasRoom() const { return CountReceivable() > 0; }
  bool slots_locked() const { return slots_locked_; }
  const BooksWriter& books() const { return publisher_.books(); }
  // REQUIRES: where there are [client:NAME], the sockets pass credentials.
  void Configure(const Config& config) {
    settings_.reject_when_full = config.RejectsWhenFull(lane_);
    receiver_.AskSenders(!config.clients.empty());
    publisher_.Configure(config);
  }
  void MoveHeartbeat();
  void RollReport(int64_t now_ns) { publisher_.RollReport(now_ns); }
  Permissions& permissions() { return publisher_.permissions(); }
  DiscardLog& discard_log() { return publisher_.discard_log(); }

  // ---- for the final drain

  // P2 alone, without the part that is held back.
  uint32_t ReceiveForDrain(uint32_t input, int fd) { return receiver_.Receive(input, fd, settings_.burst); }

  // Publishes what lies in the slots. False: something is left, for which there is no room.
  bool PublishSlots(WhenNoRoom when, uint64_t held_back);

  // Writes what lies in the slots to the overflow file.
  Status MoveSlotsToOverflow();
  Status MoveToOverflow(const Burst& burst);
  // The value is how many messages were decided.
  size_t PublishBurst(const Burst& burst, WhenNoRoom when, uint64_t held_back);
  bool OverflowHasMessages() const { return overflow_.HasMessages(); }
  bool OverflowIsPossible() const { return overflow_.IsPossible(); }
  uint64_t ring_size() const { return memory_.ring.size(); }

 private:
  uint64_t CountReceivable() const;
  void Mark(shm::Step step) const { shm::LeaveBreadcrumb(memory_.page, step, memory_.producer->stage.base); }
  Outcome PublishOverflow();
  Outcome PublishStream(const Burst& burst);

  const uint32_t lane_;
  LaneMemory memory_;
  LaneSettings settings_;
  Receiver receiver_;
  Receipts receipts_;
  Publisher publisher_;
  StreamLane streams_;
  OverflowFile overflow_;
  shm::DoorbellWaker waker_;
  uint64_t largest_record_;
  bool asks_senders_;  // at the start
  bool slots_locked_ = false;
  std::array<RawMessage, shm::kSlotCount> messages_;
};

}  // namespace dory::intake
