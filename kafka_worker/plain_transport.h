// The socket as it is: records go to the kernel straight from the pool.

#pragma once

#include "kafka_worker/transport.h"

namespace dory::kafka {

class PlainTransport : public Transport {
 public:
  using Transport::Transport;

  Result<bool> Handshake() override { return true; }
  Result<size_t> Write(std::span<const iovec> pieces) override;
  Result<size_t> Read(std::span<std::byte> room) override;
};

}  // namespace dory::kafka
