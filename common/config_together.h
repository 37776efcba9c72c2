// What options must be together: sizes that fit, paths of their own, security that is whole.
//
// A default that has to follow other options is fitted here, too.

#pragma once

#include "common/config.h"
#include "common/config_text.h"

namespace dory {

// Adds to the errors of `text`, which `config` was built from.
void CheckTogether(ConfigText* text, Config* config);

}  // namespace dory
