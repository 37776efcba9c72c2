/* See dory_client.h: the sockets.
 *
 * A datagram socket is connected, not addressed by sendto(): an unconnected non-blocking sender is
 * told that the socket is writable although Dory's queue is full, and spins. The same socket is
 * connected again after Dory was away, so that options set on it stay.
 */

#define _GNU_SOURCE

#include "clients/c/dory_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum transport { TRANSPORT_DATAGRAM, TRANSPORT_STREAM, TRANSPORT_TCP };

struct dory_client {
  enum transport transport;
  int fd; /* -1: a stream that is not connected */
  bool connected;
  uint16_t port;           /* TCP */
  struct sockaddr_un path; /* the others */
  size_t received;         /* bytes of receipts that nobody has asked for yet */
  char receipts[64 * DORY_RECEIPT_SIZE];
};

/* What an errno of socket(), connect() or a send means when it sent nothing. */
static enum dory_code code_of_errno(int error) {
  switch (error) {
    case ECONNREFUSED:
    case ECONNRESET:
    case ENOENT:
    case ENOTCONN:
    case EPIPE: return DORY_NOT_RUNNING;
    case EAGAIN: return DORY_WOULD_BLOCK;
    case EMSGSIZE: return DORY_TOO_LARGE;
    case EINTR: return DORY_INTERRUPTED;
    default: return DORY_SYSTEM_ERROR;
  }
}

static void disconnect_client(struct dory_client *client) {
  int error = errno;
  client->connected = false;
  if (client->transport != TRANSPORT_DATAGRAM && client->fd >= 0) {
    close(client->fd);
    client->fd = -1;
    client->received -= client->received % DORY_RECEIPT_SIZE; /* the rest of it never comes */
  }
  errno = error;
}

/* Makes a socket of `family` and connects it; the client owns it only if that succeeds. */
static int connect_stream(struct dory_client *client, int family, const void *address,
                          socklen_t size) {
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (fd < 0) return -1;
  if (connect(fd, address, size) == 0) {
    client->fd = fd;
    return 0;
  }
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

/* A message goes when it is written, as by the other transports; see tcp(7). */
static int connect_tcp(struct dory_client *client) {
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(client->port)};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(client->port)};

  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  v6.sin6_addr = in6addr_loopback;
  const int on = 1;
  if (connect_stream(client, AF_INET, &v4, sizeof(v4)) != 0) {
    int error = errno;
    if (connect_stream(client, AF_INET6, &v6, sizeof(v6)) != 0) {
      errno = error;
      return -1;
    }
  }
  setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return 0;
}

static int connect_datagram(struct dory_client *client) {
  if (client->fd < 0) client->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (client->fd < 0) return -1;
  return connect(client->fd, (const struct sockaddr *)&client->path, sizeof(client->path));
}

/* A blocking connect() to a stream whose backlog is full answers EAGAIN only under SO_SNDTIMEO,
 * which a new socket does not have. */
static enum dory_code connect_client(struct dory_client *client) {
  int outcome = -1;

  disconnect_client(client);
  switch (client->transport) {
    case TRANSPORT_DATAGRAM: outcome = connect_datagram(client); break;
    case TRANSPORT_STREAM:
      outcome = connect_stream(client, AF_UNIX, &client->path, sizeof(client->path));
      break;
    case TRANSPORT_TCP: outcome = connect_tcp(client); break;
  }
  client->connected = outcome == 0;
  return outcome == 0 ? DORY_OK : code_of_errno(errno);
}

/* REQUIRES: `path` is NULL for TCP only. */
static enum dory_code open_client(enum transport transport, const char *path, uint16_t port,
                                  struct dory_client **client) {
  struct dory_client *made;
  enum dory_code code;

  *client = NULL;
  if (transport == TRANSPORT_TCP ? port == 0
                                 : *path == '\0' || strlen(path) >= sizeof(made->path.sun_path)) {
    return DORY_BAD_ADDRESS;
  }
  made = calloc(1, sizeof(*made));
  if (made == NULL) return DORY_SYSTEM_ERROR;
  made->transport = transport;
  made->fd = -1;
  made->port = port;
  made->path.sun_family = AF_UNIX;
  if (path != NULL) strcpy(made->path.sun_path, path);
  code = connect_client(made);
  if (code != DORY_OK && code != DORY_NOT_RUNNING) {
    int error = errno;
    dory_client_close(made);
    errno = error;
    return code;
  }
  *client = made;
  return code;
}

enum dory_code dory_client_open_datagram(const char *path, struct dory_client **client) {
  return open_client(TRANSPORT_DATAGRAM, path, 0, client);
}

enum dory_code dory_client_open_stream(const char *path, struct dory_client **client) {
  return open_client(TRANSPORT_STREAM, path, 0, client);
}

enum dory_code dory_client_open_tcp(uint16_t port, struct dory_client **client) {
  return open_client(TRANSPORT_TCP, NULL, port, client);
}

/* Asks for room for a datagram of `size`. The kernel doubles what it is told, refuses a datagram
 * over that less 32 bytes, and cuts the request at net.core.wmem_max but for who has CAP_NET_ADMIN.
 * Returns whether it grew. */
static bool raise_send_buffer(int fd, size_t size) {
  const int wanted = size > INT32_MAX / 4 ? INT32_MAX / 2 : (int)size + 1024;
  int before = 0;
  int after = 0;
  socklen_t option_size = sizeof(before);

  if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &before, &option_size) < 0) return false;
  if (before / 2 >= wanted) return false;
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof(wanted)) < 0 &&
      setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof(wanted)) < 0) {
    return false;
  }
  if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &after, &option_size) < 0) return false;
  if (after >= before) return after > before;
  before /= 2; /* wmem_max is below what somebody with more rights had set: give it back */
  (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &before, sizeof(before));
  return false;
}

static enum dory_code send_datagram(struct dory_client *client, const void *message, size_t size,
                                    int flags) {
  const int how = MSG_NOSIGNAL | ((flags & DORY_DONT_WAIT) ? MSG_DONTWAIT : 0);

  if (send(client->fd, message, size, how) >= 0) return DORY_OK;
  if (errno == EMSGSIZE) {
    if (!raise_send_buffer(client->fd, size)) return DORY_TOO_LARGE;
    if (send(client->fd, message, size, how) >= 0) return DORY_OK;
  }
  return errno == ENOBUFS ? DORY_TOO_LARGE : code_of_errno(errno);
}

/* Waits until the rest of a half-written message can go on. */
static bool wait_writable(int fd) {
  struct pollfd writable = {.fd = fd, .events = POLLOUT};
  return poll(&writable, 1, -1) >= 0 || errno == EINTR;
}

/* *written tells the caller whether the message may be sent again on another connection. */
static enum dory_code send_stream(struct dory_client *client, const char *message, size_t size,
                                  int flags, size_t *written) {
  const int how = MSG_NOSIGNAL | ((flags & DORY_DONT_WAIT) ? MSG_DONTWAIT : 0);

  *written = 0;
  while (*written < size) {
    ssize_t sent = send(client->fd, message + *written, size - *written, how);
    if (sent >= 0) {
      *written += (size_t)sent;
    } else if (*written == 0) {
      return code_of_errno(errno);
    } else if (errno == EAGAIN) {
      if (!wait_writable(client->fd)) return DORY_SYSTEM_ERROR;
    } else if (errno != EINTR) {
      return code_of_errno(errno);
    }
  }
  return DORY_OK;
}

/* One attempt, by the transport's rules. */
static enum dory_code try_send(struct dory_client *client, const void *message, size_t size,
                               int flags, size_t *written) {
  enum dory_code code;

  *written = 0;
  if (client->transport == TRANSPORT_DATAGRAM) return send_datagram(client, message, size, flags);
  code = send_stream(client, message, size, flags, written);
  if (code == DORY_SYSTEM_ERROR || (code != DORY_OK && *written > 0)) disconnect_client(client);
  return code;
}

enum dory_code dory_client_send(struct dory_client *client, const void *message, size_t size,
                                int flags) {
  enum dory_code code;
  size_t written = 0;

  if (client->connected) {
    code = try_send(client, message, size, flags, &written);
    if (code != DORY_NOT_RUNNING) return code;
    disconnect_client(client);
    if (written > 0) return code;
  }
  code = connect_client(client);
  if (code != DORY_OK) return code;
  code = try_send(client, message, size, flags, &written);
  if (code == DORY_NOT_RUNNING) disconnect_client(client);
  return code;
}

/* No byte follows a message that was cut: the other side would take it for the rest. What it has
 * written stays to be read. */
static enum dory_code end_sending(struct dory_client *client, enum dory_code code) {
  int error = errno;
  (void)shutdown(client->fd, SHUT_WR);
  errno = error;
  return code;
}

enum dory_code dory_client_send_part(struct dory_client *client, const void *message, size_t size,
                                     size_t *written) {
  enum dory_code code;

  if (client->transport == TRANSPORT_DATAGRAM) {
    errno = EOPNOTSUPP;
    return DORY_SYSTEM_ERROR;
  }
  if (!client->connected) {
    code = *written > 0 ? DORY_NOT_RUNNING : connect_client(client);
    if (code != DORY_OK) return code;
  }
  while (*written < size) {
    ssize_t sent = send(client->fd, (const char *)message + *written, size - *written,
                        MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      code = code_of_errno(errno);
      if (code == DORY_WOULD_BLOCK || code == DORY_INTERRUPTED) return code;
      return end_sending(client, code);
    }
    *written += (size_t)sent;
  }
  return DORY_OK;
}

/* Takes the first receipt out of what was received. */
static enum dory_code take_receipt(struct dory_client *client, struct dory_receipt *receipt) {
  enum dory_code code = dory_read_receipt(client->receipts, client->received, receipt);

  if (code != DORY_OK) return code;
  client->received -= DORY_RECEIPT_SIZE;
  memmove(client->receipts, client->receipts + DORY_RECEIPT_SIZE, client->received);
  return DORY_OK;
}

enum dory_code dory_client_receive(struct dory_client *client, struct dory_receipt *receipt) {
  enum dory_code code;

  if (client->transport == TRANSPORT_DATAGRAM) {
    errno = EOPNOTSUPP;
    return DORY_SYSTEM_ERROR;
  }
  while ((code = take_receipt(client, receipt)) == DORY_INCOMPLETE) {
    if (!client->connected) {
      errno = ENOTCONN;
      return DORY_NOT_RUNNING;
    }
    ssize_t size = recv(client->fd, client->receipts + client->received,
                        sizeof(client->receipts) - client->received, MSG_DONTWAIT);
    if (size > 0) {
      client->received += (size_t)size;
      continue;
    }
    if (size == 0) errno = EPIPE;
    code = code_of_errno(errno);
    if (code != DORY_WOULD_BLOCK && code != DORY_INTERRUPTED) disconnect_client(client);
    return code;
  }
  if (code == DORY_BAD_RECEIPT) {
    disconnect_client(client);
    client->received = 0;
  }
  return code;
}

int dory_client_fd(const struct dory_client *client) {
  return client->fd;
}

void dory_client_close(struct dory_client *client) {
  if (client == NULL) return;
  if (client->fd >= 0) close(client->fd);
  free(client);
}
