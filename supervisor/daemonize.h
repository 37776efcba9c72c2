// dory --daemon: goes to the background once it runs, so that whoever started it learns how that went.

#pragma once

#include "common/file_descriptor.h"
#include "common/status.h"

namespace dory::supervisor {

class Background {
 public:
  // Forks. The child returns; the parent waits, and exits with 0 once the child has called Detach, with
  // 1 where it ended before.
  Status Enter();

  // The parent may go; the terminal is let go.
  void Detach();

 private:
  FileDescriptor to_parent_;
};

}  // namespace dory::supervisor
