// Workers that outlived their supervisor, and the segment's lock, which they hold.
//
// They end by themselves: their control link is closed, an intake drains and exits. Who does not
// within 5 s is killed by the pid in its worker slot, if that is still the same process.

#pragma once

#include <string>

#include "common/config.h"
#include "common/file_descriptor.h"
#include "common/status.h"

namespace dory::supervisor {

inline constexpr int64_t kLeftoverPatienceMs = 5000;

// The segment's lock, held. Its descriptor is for the workers as well.
Result<FileDescriptor> TakeSegmentLock(const Config& config);

}  // namespace dory::supervisor
