// Who is at the other end of a UNIX socket, as the kernel says: a process with root's rights alone can say otherwise.

#pragma once

#include <cstdint>

namespace dory {

// A user's number that nobody has: who it is is not known.
inline constexpr uint32_t kNoUid = UINT32_MAX;

// Whether the datagrams that are sent to it from now on say who sent them. A descriptor of our own can't refuse.
void PassCredentials(int fd, bool on);

// The user that connected; kNoUid: not a UNIX socket.
uint32_t FindPeerUid(int fd);

}  // namespace dory
