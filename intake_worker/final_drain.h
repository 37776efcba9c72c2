// The final drain: what clients were told is accepted leaves the sockets before they are gone.
//
// Order: SHUT_RD on every socket first, so that senders get EPIPE from that instant; then each is read
//   until it is empty, into the ring while that has room and the overflow file is empty, into the
//   overflow file from then on. Never on a socket that somebody keeps.
// On crash: what is in slots, ring or file is published by the next start; what was still in a socket
//   is gone with it.
// Errors: where there can be no file, or it can't be written, room in the ring is waited for, up to
//   kRoomLimitMs in all; what then still has none is rejected for it, counted and said.

#pragma once

#include <cstdint>
#include <span>

#include "intake_worker/intake_lane.h"

namespace dory::intake {

struct InputSocket {
  uint32_t index;
  int fd;
};

// All sockets of the lane. `room_limit_ms` bounds how long it waits.
void DrainFinally(IntakeLane& lane, std::span<const InputSocket> sockets, int64_t room_limit_ms = 5'000);

}  // namespace dory::intake
