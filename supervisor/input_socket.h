// The bound input sockets. The supervisor holds them; intakes inherit copies of those for datagrams, and the
// others listen: acceptor.h.
//
// Order: bound before any worker starts, and while we may still give them away to their owner. A file
//   in the way is removed only where it is a socket that nobody answers on.
// On crash: the file stays, and the next start finds it stale.

#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "common/config.h"
#include "common/file_descriptor.h"
#include "common/status.h"
#include "supervisor/identity.h"
#include "supervisor/warning.h"

namespace dory::supervisor {

// Of tcp there is one for each address.
struct InputSocket {
  std::string name;
  InputType type{};
  std::string path;    // empty: tcp
  uint32_t input = 0;  // index in Config::inputs
  uint32_t lane = 0;   // of a datagram socket
  FileDescriptor fd;
  dev_t device = 0;    // these three of one that has a path
  ino_t inode = 0;
  std::string kept;    // its second name, if it has one: socket_files.h
};

// Binds all of them, or none. `identity` owns those for which the configuration names nobody. An address that
// this host does not have is a warning where the file did not name it.
Result<std::vector<InputSocket>> BindInputs(const Config& config, const Identity& identity,
                                            std::vector<Warning>* warnings);

void RemoveSocketFiles(const std::vector<InputSocket>& sockets);

// Makes way for a socket of this type (SOCK_DGRAM, SOCK_STREAM) at `path`.
Status RemoveStaleSocket(const std::string& path, int type);

// A stream or datagram socket bound to `path` with no permissions yet, non-blocking, close-on-exec.
Result<FileDescriptor> BindUnixSocket(const std::string& path, int type);

// Says where net.unix.max_dgram_qlen is low.
std::vector<Warning> CheckQueueLength();

}  // namespace dory::supervisor
