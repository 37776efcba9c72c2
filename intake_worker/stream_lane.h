// The straight line of a stream connection: receive -> assemble -> parse -> admit -> append, a burst of one
// connection at a time. No event loop in here: each call does one thing and says how it went.
//
// Order: Recover, then PublishLeftovers until it says kEmpty, then Open and Receive. A connection is read only
//   while no whole message of it waits for room in the ring, or for a receipt that it may ask for.

#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "intake_worker/connection_table.h"
#include "intake_worker/outcome.h"
#include "intake_worker/publish.h"
#include "intake_worker/receipts.h"

namespace dory::intake {

class StreamLane {
 public:
  // `publish`: one burst, with the lane's options for a full ring; kMore where at least one of its messages was
  // decided, else kNoRoom or kNoReceipt.
  using PublishBurst = std::function<Outcome(const Burst& burst)>;
  StreamLane(const LaneMemory& memory, Receipts& receipts, PublishBurst publish)
      : table_(memory), receipts_(receipts), publish_(std::move(publish)), is_held_(memory.connections.size()) {}

  void Recover();

  // The whole messages that wait for room: of an earlier life, or since the ring became full.
  bool HasLeftovers() const { return !leftovers_.empty(); }
  // Of one connection.
  Outcome PublishLeftovers();

  // Whether whole messages of the connection wait for a receipt.
  bool IsHeld(uint32_t slot) const { return is_held_[slot]; }
  // Tries all of those again. The value is which of them wait no more for that.
  std::vector<uint32_t> PublishHeld();

  // Whether it is the entry's connection, whatever its state.
  bool Knows(uint32_t slot, uint64_t generation) const { return table_[slot].generation == generation; }
  bool HasEnded(uint32_t slot) const { return table_.HasEnded(slot); }
  // Whether part of a message is there, and which: the position where it begins.
  bool HasPart(uint32_t slot) const { return table_.HasBytes(slot); }
  uint64_t PositionOf(uint32_t slot) const { return table_[slot].out; }

  // A new connection of the entry. Part of a message that is left of the one before counts as cut off. False:
  // whole ones are left, for which there is no room; they are leftovers now. REQUIRES: no leftovers.
  [[nodiscard]] bool Open(uint32_t slot, uint64_t generation, const ConnectionTable::Kind& kind);

  struct Received {
    Outcome outcome;
    AreaKind lacks = {};  // of kNoArea
  };
  // S1 to S3 and then P3 to P6: one read, and what it completes. With kNoRoom it is among the leftovers, with
  // kNoReceipt among those that are held.
  Received Receive(uint32_t slot, int fd);

  // It will not be read any more: part of a message that is there is an unclean disconnect. Whole ones that wait for
  // receipts are taken without. Where any waits for room, it ends once all are taken.
  void End(uint32_t slot);

  // Of every connection of an earlier life that is not among `live`: its client has gone with the supervisor.
  void EndOthers(const std::vector<bool>& live);

  bool HasFreeArea(AreaKind kind) const { return table_.areas().HasFree(kind); }

  uint32_t size() const { return table_.size(); }

  // ---- for the final drain

  // S1 to S3 alone.
  Received ReadOnly(uint32_t slot, int fd);
  // The next burst of whole messages of a connection; none: empty. It stays until the next call of anything.
  Burst NextBurst(uint32_t slot);
  void GiveBackArea(uint32_t slot) { table_.GiveBackArea(slot); }

 private:
  static constexpr size_t kMostMessages = 128;  // of a burst

  Outcome PublishAll(uint32_t slot);
  bool PublishUnasked(uint32_t slot);
  void Hold(uint32_t slot);
  shm::Reject UncleanOf(uint32_t slot) const;

  ConnectionTable table_;
  Receipts& receipts_;
  PublishBurst publish_;
  std::deque<uint32_t> leftovers_;  // slots, each once
  std::vector<uint32_t> ending_;    // of them: those that end afterwards
  std::vector<uint32_t> held_;
  std::vector<bool> is_held_;
  std::array<ByteSpan, kMostMessages> whole_;
  std::array<RawMessage, kMostMessages + 1> messages_;
};

}  // namespace dory::intake
