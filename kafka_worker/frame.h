// A request as it goes to the socket: its own bytes, and record bytes straight from the pool or from
// private memory, which it owns until the last byte is written.

#pragma once

#include <sys/uio.h>

#include <vector>

#include "kafka_worker/chunks.h"
#include "kafka_worker/protocol/wire.h"
#include "kafka_worker/secret.h"

namespace dory::kafka {

struct Frame {
  protocol::Bytes head;                         // everything but records that lie in the pool
  std::vector<iovec> pieces;                    // in order; into `head`, the two below and the pool
  std::vector<protocol::Bytes> copies;          // records encoded anew: a window that is not its whole batch
  std::vector<ChunkedBytes> encoded;            // compressed records, and messages of older formats
  size_t bytes = 0;
  bool secret = false;                          // `head` is wiped before its memory is given back

  // Nothing of it is written any more.
  void Release() {
    copies.clear();
    encoded.clear();
    if (secret) Wipe(head);
  }

  static Frame Of(protocol::Bytes bytes) {
    Frame frame;
    frame.head = std::move(bytes);
    frame.bytes = frame.head.size();
    frame.pieces.push_back({frame.head.data(), frame.head.size()});
    return frame;
  }
};

}  // namespace dory::kafka
