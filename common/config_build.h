// From the sections of a file to a checked Config: the meaning of what config.cc has read.

#pragma once

#include "common/config.h"
#include "common/config_text.h"
#include "common/status.h"

namespace dory {

// All of `text`'s errors and of those found here, one a line in the order of the files, or the
// Config.
Result<Config> BuildConfig(ConfigText text);

}  // namespace dory
