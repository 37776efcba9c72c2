// A listening TCP socket of an input.

#pragma once

#include "common/file_descriptor.h"
#include "common/status.h"
#include "common/units.h"

namespace dory::supervisor {

// Non-blocking, close-on-exec; `address.host` is an IPv4 or IPv6 address. The error names the address;
// `no_address` says that this host does not have it.
Result<FileDescriptor> ListenTcp(const HostPort& address, bool* no_address);

}  // namespace dory::supervisor
