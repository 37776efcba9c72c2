// Sends messages that ask for receipts, and says of each what became of it.

#pragma once

#include "clients/c/dory_client.h"
#include "clients/c/to_dory_options.h"

namespace dory::client {

// A line on standard output for each receipt, in the order in which they come:
//
//     3 delivered partition=1 offset=4711
//     4 rate_limit
//
// Returns kExitSent if every message was delivered.
// REQUIRES: `client` is one of a stream, and connected.
int SendWithReceipts(const Options& options, dory_client* client);

}  // namespace dory::client
