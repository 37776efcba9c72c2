// Who sent a datagram, by the kernel, as it lies beside a receive slot whose msg_controllen says so: part of the
// layout (layout.h). There is room for this alone, so that nobody can pass us descriptors.

#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>

namespace dory::shm {

struct SenderControl {
  uint64_t size;  // these three as in cmsghdr
  int32_t level;
  int32_t type;
  ucred sender;
};
static_assert(sizeof(SenderControl) == CMSG_SPACE(sizeof(ucred)) && offsetof(SenderControl, sender) == CMSG_LEN(0));
static_assert(offsetof(SenderControl, level) == offsetof(cmsghdr, cmsg_level));
static_assert(offsetof(SenderControl, type) == offsetof(cmsghdr, cmsg_type));

}  // namespace dory::shm
