// The lane's stream connections as the segment has them: which bytes of each were received and are not
// decided, and in which area they lie.
//
//     S1  bind an area where none is held, or another one where the message does not fit: its bytes are copied,
//         then one store says so
//     S2  recvmmsg into the area: the kernel writes the bytes and, before a SIGKILL can act, msg_len
//     S3  in = read_base + msg_len; msg_len = EMPTY; read_base = in
//
// Owner: the lane's intake, and the kernel for it.
// Order: as numbered. A new connection of an entry goes on with the positions of the last one, so that
//   [out, in) is never anything but what was received. `generation` is stored last.
// On crash: a start does S3 again, for every entry, and finds free areas by the entries that hold bytes.

#pragma once

#include <cstdint>
#include <span>

#include "common/bytes.h"
#include "common/credentials.h"
#include "intake_worker/areas.h"
#include "intake_worker/lane_memory.h"
#include "intake_worker/outcome.h"

namespace dory::intake {

class ConnectionTable {
 public:
  explicit ConnectionTable(const LaneMemory& memory);

  // At a start, before anything else.
  void Recover();

  uint32_t size() const { return static_cast<uint32_t>(connections_.size()); }
  const shm::Connection& operator[](uint32_t slot) const { return connections_[slot]; }

  // [out, in).
  ByteSpan Bytes(uint32_t slot) const;
  bool HasBytes(uint32_t slot) const { return connections_[slot].out != connections_[slot].in; }
  bool HasEnded(uint32_t slot) const { return connections_[slot].ended == connections_[slot].generation; }

  struct Kind {
    uint32_t input = 0;  // among the configuration's
    bool is_tcp = false;
    uint64_t limit = 0;  // the largest message allowed, at most what the largest area takes
    uint32_t uid = kNoUid;  // the user who connected
  };
  // Another connection. REQUIRES: !HasBytes(slot), generation > 0.
  void Open(uint32_t slot, uint64_t generation, const Kind& kind);
  // It is not read any more. REQUIRES: !HasBytes(slot).
  void End(uint32_t slot);

  // S1. `next_size` is that of the message at `out`, 0 where it is not known. False: no area of the kind that
  // it takes, *kind, is free. REQUIRES: no whole message is there.
  bool BindArea(uint32_t slot, uint64_t next_size, AreaKind* kind);

  // S2 and S3: kMore, kEmpty or kEnd. REQUIRES: BindArea said yes.
  Outcome Receive(uint32_t slot, int fd);

  // Gives its area back where no bytes are left in it.
  void GiveBackArea(uint32_t slot);

  const FreeAreas& areas() const { return free_; }

  // P5 of a burst of that connection. May be done again.
  static void Release(shm::Connection* connection, uint64_t out, bool ends);

 private:
  static const shm::AreaBinding& BindingOf(const shm::Connection& connection) {
    return connection.binding[connection.current & 1];
  }
  std::byte* AddressOf(uint64_t area) const { return areas_ + shm::AreaOffset(geometry_, area); }
  void Bind(shm::Connection& connection, shm::AreaBinding binding);
  bool MoveTo(uint32_t slot, AreaKind kind);
  static void NoteReceived(shm::Connection& connection);
  void RewritePointers(shm::Connection& connection);

  std::span<shm::Connection> connections_;
  std::byte* areas_;
  shm::Geometry geometry_;
  FreeAreas free_;
};

}  // namespace dory::intake
