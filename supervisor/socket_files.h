// The names of input sockets in the file system, looked at from time to time.
//
// Who removes a socket's file by hand leaves a socket that nobody can reach. Each has a second name, a hidden
// hard link in run_dir, from which the first is made again: it is the same socket, so nothing that it holds is
// lost, and nobody has to read another one. What stands in the place is left alone.
// Errors: a name that can't be made again is a warning in the status, until it can.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/event_loop.h"
#include "supervisor/input_socket.h"
#include "supervisor/warning.h"

namespace dory::supervisor {

class SocketFiles {
 public:
  // `sockets` outlive it; those without a path are left out.
  SocketFiles(EventLoop& loop, const std::vector<InputSocket>& sockets);

  void Start();
  void Stop() { timer_.Stop(); }

  void Look();

  const std::vector<Warning>& warnings() const { return warnings_; }

  // How often the name of this socket was made again: its index in Config::inputs.
  uint64_t CountRestored(uint32_t input) const;

 private:
  bool LookAt(const InputSocket& socket, std::string* trouble);

  const std::vector<InputSocket>& sockets_;
  Timer timer_;
  std::vector<Warning> warnings_;
  std::vector<uint64_t> restored_;  // by socket
};

}  // namespace dory::supervisor
