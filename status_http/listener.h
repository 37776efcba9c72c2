// A TCP socket that listens.

#pragma once

#include "common/file_descriptor.h"
#include "common/status.h"
#include "common/units.h"

namespace dory::status_http {

// Non-blocking. Errors begin with the address. A name's first address counts; an IPv6 address takes no
// IPv4 connections.
Result<FileDescriptor> ListenOn(const HostPort& address);

}  // namespace dory::status_http
