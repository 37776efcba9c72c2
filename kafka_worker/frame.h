// A request as it goes to the socket: its own bytes, and record bytes straight from the pool.

#pragma once

#include <sys/uio.h>

#include <vector>

#include "kafka_worker/protocol/wire.h"

namespace dory::kafka {

struct Frame {
  protocol::Bytes head;                         // everything but records that lie in the pool
  std::vector<iovec> pieces;                    // in order; into `head`, `copies` and the pool
  std::vector<protocol::Bytes> copies;          // records encoded anew: a window that is not its whole batch
  size_t bytes = 0;

  static Frame Of(protocol::Bytes bytes) {
    Frame frame;
    frame.head = std::move(bytes);
    frame.bytes = frame.head.size();
    frame.pieces.push_back({frame.head.data(), frame.head.size()});
    return frame;
  }
};

}  // namespace dory::kafka
