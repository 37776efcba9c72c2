#include "common/credentials.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "common/log.h"

namespace dory {

void PassCredentials(int fd, bool on) {
  const int value = on ? 1 : 0;
  if (::setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &value, sizeof(value)) == 0) return;
  LogError("SO_PASSCRED of an input: {}", std::strerror(errno));
  std::abort();
}

uint32_t FindPeerUid(int fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.uid : kNoUid;
}

}  // namespace dory
