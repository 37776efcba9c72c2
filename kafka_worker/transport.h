// What carries a connection's bytes: its socket as it is (plain_transport), or TLS over it (tls_transport).
//
// Errors: a call that fails has ended the connection; the owner lets go of the transport. A read or write
//   that moves nothing waits for the socket, in the direction that `read_waits_for` or `write_waits_for`
//   then says: with TLS either may need the other.

#pragma once

#include <sys/uio.h>

#include <span>

#include "common/bytes.h"
#include "common/event_loop.h"
#include "common/file_descriptor.h"
#include "common/status.h"

namespace dory::kafka {

class Transport {
 public:
  explicit Transport(FileDescriptor fd) : fd_(std::move(fd)) {}
  virtual ~Transport() = default;

  int fd() const { return fd_.get(); }

  // To be called, again and again, before anything else; false: the socket is waited for.
  virtual Result<bool> Handshake() = 0;

  // How many bytes of the pieces were taken; less than all of them: the socket is waited for. The bytes
  // of what was not taken are the same in the next call.
  virtual Result<size_t> Write(std::span<const iovec> pieces) = 0;

  // 0: nothing for now.
  virtual Result<size_t> Read(std::span<std::byte> room) = 0;

  // Whether a call failed by a definite word about who either side is, and not by a cut.
  virtual bool refused() const { return false; }

  // Whether there is something to read that the socket will not tell of.
  virtual bool HoldsInput() const { return false; }

  IoDirection read_waits_for() const { return read_waits_for_; }
  IoDirection write_waits_for() const { return write_waits_for_; }

 protected:
  IoDirection read_waits_for_ = kReadable;
  IoDirection write_waits_for_ = kWritable;

 private:
  FileDescriptor fd_;
};

inline constexpr const char* kClosedByBroker = "the broker closed the connection";

}  // namespace dory::kafka
