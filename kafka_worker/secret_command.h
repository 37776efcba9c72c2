// A secret that a command prints, such as a token that has to be fetched anew from time to time.

#pragma once

#include <cstdint>
#include <string>

#include "common/status.h"
#include "kafka_worker/secret.h"

namespace dory::kafka {

inline constexpr int64_t kSecretCommandMs = 10'000;

// Runs `command` by /bin/sh, without input, and takes the first line that it prints. It has to be done, with
// status 0, after `timeout_ms`: else it is killed with all that it started. Waits: not for an event loop.
// Errors do not have what was printed, nor the command, which may name a secret.
Result<Secret> RunSecretCommand(const std::string& command, int64_t timeout_ms = kSecretCommandMs);

}  // namespace dory::kafka
