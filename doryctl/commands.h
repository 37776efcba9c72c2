// What doryctl can do: each command prints its answer and returns an exit code.

#pragma once

#include <string>

#include "common/config.h"
#include "common/status.h"
#include "doryctl/options.h"

namespace dory::doryctl {

int ShowStatus(const Options& options);
int StopDory(const Options& options);
int CheckConfig(const Options& options);
int CheckBuffers(const Options& options);

// --run-dir, or that of --config.
Result<std::string> FindRunDir(const Options& options);

// Prints the failure on stderr. Returns its exit code.
int Fail(const Status& status);
int FailConnect(const Status& status, bool not_running);

}  // namespace dory::doryctl
