// What a running Dory holds and a dying one leaves behind: folders, locks, the segment, bound sockets.
//
// Order: the run directory's lock comes first, so that a second instance touches nothing; then the
//   segment and its lock, so that sizes that do not fit bind no socket; then the sockets; then we become
//   [dory] user. Every failure takes back what was made.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/config.h"
#include "common/file_descriptor.h"
#include "common/status.h"
#include "supervisor/identity.h"
#include "supervisor/input_socket.h"
#include "supervisor/instance_lock.h"
#include "supervisor/warning.h"

namespace dory::supervisor {

struct Doorbells {
  FileDescriptor data;  // rings for the kafka worker
  FileDescriptor room;  // rings for the intake
};

struct Instance {
  Config config;               // as the segment makes it
  std::string segment_folder;  // empty with a memfd
  std::optional<InstanceLock> lock;
  FileDescriptor segment_lock;
  FileDescriptor segment;
  std::vector<Doorbells> doorbells;  // by lane
  std::vector<InputSocket> inputs;
  FileDescriptor control;  // moves on to the control server
  bool has_control_socket = false;
  std::vector<Warning> warnings;
};

Result<Instance> SetUpInstance(const Config& config);

// The socket files: nobody can reach the sockets from now on.
void RemoveSocketFiles(const Instance& instance);

// And the pid file. The locks end with the process.
void RemoveFiles(const Instance& instance);

}  // namespace dory::supervisor
