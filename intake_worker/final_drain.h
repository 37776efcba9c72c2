// The final drain: what clients were told is accepted leaves the sockets before they are gone.
//
// Order: SHUT_RD on every UNIX socket first, so that senders get EPIPE from that instant; then each is read
//   until it is empty, into the ring while that has room and the overflow file is empty, into the overflow
//   file from then on. Never on a socket that somebody keeps. A TCP connection can't be told so: its client
//   sees our end of it, and has kTcpLingerMs to end its own; what it sends after that, TCP loses.
// On crash: what is in slots, areas, ring or file is published by the next start; what was still in a socket
//   is gone with it.
// Errors: where there can be no file, or it can't be written, room in the ring is waited for, up to
//   kRoomLimitMs in all; what then still has none is rejected for it, counted and said.

#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "intake_worker/intake_lane.h"

namespace dory::intake {

struct InputSocket {
  uint32_t index;
  int fd;
};

struct StreamSocket {
  uint32_t slot;
  int fd;
  bool is_tcp;
};

struct DrainLimits {
  int64_t room_ms = 5'000;
  int64_t tcp_linger_ms = 1'000;
};

// All sockets of the lane. `list_streams` is asked for the connections once what an earlier life has left is kept;
// part of a message that is their last is an unclean disconnect.
using ListStreams = std::function<std::vector<StreamSocket>()>;
void DrainFinally(IntakeLane& lane, std::span<const InputSocket> sockets, const ListStreams& list_streams,
                  DrainLimits limits = {});

}  // namespace dory::intake
