// What OpenSSL says of the last failure on this thread.

#pragma once

#include <string>

namespace dory::kafka {

// The first entry of its queue, which is the cause of the others; the queue is empty then.
std::string TakeTlsError();

}  // namespace dory::kafka
