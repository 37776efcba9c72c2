// Fork and exec of a worker.
//
// Order: all descriptors of the supervisor are close-on-exec; only the child, between fork and exec,
// takes that off the ones it inherits, so that no sibling ever sees them. Descriptor 3 is kept free for
// control links from the supervisor's start on (ReserveDescriptors).

#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "common/status.h"

namespace dory::supervisor {

struct SpawnRequest {
  std::string program;  // path
  std::string name;     // "intake-0": shown by ps
  int control_fd = -1;  // becomes descriptor 3
  std::vector<int> inherited;
};

Result<pid_t> Spawn(const SpawnRequest& request);

// Standard descriptors exist, 3 is taken, and what we inherited ourselves goes to nobody.
void ReserveDescriptors();

}  // namespace dory::supervisor
