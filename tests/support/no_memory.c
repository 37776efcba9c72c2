// Preloaded: accept4() of the socket NO_MEMORY_SOCKET fails with ENOMEM while there is a file NO_MEMORY_WHILE.

#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static int is_scarce(int fd) {
  struct sockaddr_un address = {0};
  socklen_t size = sizeof(address) - 1;
  const char* path = getenv("NO_MEMORY_SOCKET");
  const char* file = getenv("NO_MEMORY_WHILE");
  if (path == NULL || file == NULL || getsockname(fd, (struct sockaddr*)&address, &size) != 0) return 0;
  return address.sun_family == AF_UNIX && strcmp(address.sun_path, path) == 0 && access(file, F_OK) == 0;
}

int accept4(int fd, struct sockaddr* address, socklen_t* size, int flags) {
  if (is_scarce(fd)) {
    errno = ENOMEM;
    return -1;
  }
  return (int)syscall(SYS_accept4, fd, address, size, flags);
}
