// What doryctl can do: each command prints its answer and returns an exit code.

#pragma once

#include <optional>
#include <string>

#include "common/config.h"
#include "common/status.h"
#include "doryctl/control_client.h"
#include "doryctl/options.h"

namespace dory::doryctl {

int ShowStatus(const Options& options);
int ShowWorkers(const Options& options);
int ShowHealth(const Options& options);
int ReloadConfig(const Options& options);
int DrainBuffer(const Options& options);
int ResumeInputs(const Options& options);
int RestartWorker(const Options& options);
int StopDory(const Options& options);
int CheckConfig(const Options& options);
int CheckBuffers(const Options& options);

// --run-dir, or that of --config.
Result<std::string> FindRunDir(const Options& options);

// A session with the dory of these options. None: why was said, and `*exit_code` is its code.
std::optional<ControlClient> OpenSession(const Options& options, int* exit_code);

// Prints the failure on stderr. Returns its exit code.
int Fail(const Status& status);

}  // namespace dory::doryctl
