// From a configuration to the segment that this run works with: opened, created, replaced or moved aside.
//
// Owner: the supervisor, before any worker starts, with the segment's lock held.
// Order: an existing segment wins over the configuration. Only an empty one is replaced when it is not
//   as wanted; one that can't be read is moved aside, never wiped.
// Errors: sizes that do not fit, with what is needed and what is there.

#pragma once

#include <vector>

#include "common/config.h"
#include "common/file_descriptor.h"
#include "common/status.h"
#include "shm/segment.h"
#include "supervisor/warning.h"

namespace dory::supervisor {

struct SegmentSetup {
  FileDescriptor fd;
  Config config;  // as the segment makes it
  std::vector<Warning> warnings;
};

Result<SegmentSetup> SetUpSegment(const Config& config);

// Whether nothing accepted would be lost with it: nothing buffered, no receive slot in use, nothing in
// an overflow file.
bool IsEmpty(const shm::Segment& checked);

}  // namespace dory::supervisor
