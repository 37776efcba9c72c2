// The life of dory-intake: born with a WorkerContext, it recovers, says READY, moves bursts from its
// lane's sockets into the ring until its control link ends, does the final drain, and exits.
//
// Order: leftovers of an earlier life are published before any socket is read.
// Errors: exit codes as in common/worker_context.h.

#pragma once

namespace dory::intake {

// Returns the process's exit status.
int RunIntake();

}  // namespace dory::intake
