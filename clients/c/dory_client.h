/* Dory's client library for C: composes messages and hands them to the daemon.
 *
 * A program needs two things to use Dory: the bytes of a message, and a local socket to write them
 * to. Both halves stand alone: a message may be composed here and sent by the program's own means.
 *
 *     struct dory_client *client;
 *     struct dory_message message = {
 *         .topic = "orders", .topic_size = 6, .timestamp_ms = dory_now_ms(),
 *         .value = "hello", .value_size = 5,
 *     };
 *     char buffer[1024];
 *     size_t size;
 *
 *     if (dory_client_open_datagram("/run/dory/input_datagram_sock", &client) == DORY_OK &&
 *         dory_write_any_partition(buffer, sizeof(buffer), &message, &size) == DORY_OK)
 *       dory_client_send(client, buffer, size, 0);
 *
 * Once a send on a datagram socket has returned DORY_OK the message is Dory's to deliver.
 *
 * Threads: composing is free of state. A client belongs to one thread at a time; Dory keeps the
 * order of the messages of one client, not among clients. No function raises SIGPIPE.
 */

#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What every function that can fail returns. */
enum dory_code {
  DORY_OK = 0,
  DORY_WOULD_BLOCK = 1,      /* Dory does not take more just now; nothing was sent */
  DORY_NOT_RUNNING = 2,      /* nobody listens at the address; see dory_client_send */
  DORY_TOO_LARGE = 3,        /* over 2^31 - 1 bytes, or over what SO_SNDBUF can be raised to */
  DORY_BAD_TOPIC = 4,        /* topic_size is 0 or over 32767 */
  DORY_BUFFER_TOO_SMALL = 5, /* the caller's buffer; the size that is needed was stored */
  DORY_BAD_ADDRESS = 6,      /* a path that is empty or too long for a socket, a port that is 0 */
  DORY_INTERRUPTED = 7,      /* a signal handler ran while a send waited; nothing was sent */
  DORY_SYSTEM_ERROR = 8      /* anything else; errno says what */
};

/* A line of English for people. Never NULL. */
const char *dory_code_text(enum dory_code code);

/* ---- composing ------------------------------------------------------------------------------ */

enum dory_kind {
  DORY_ANY_PARTITION = 256, /* Dory chooses the partition */
  DORY_PARTITION_KEY = 257  /* partition = partition_key modulo the number of partitions */
};

/* A message of version 0. Pointers may be NULL where the size is 0. A key of size 0 is a null key;
 * what a value of size 0 becomes is the topic's `empty_value` setting. */
struct dory_message {
  const char *topic; /* Kafka takes 1 to 249 of [a-zA-Z0-9._-]; Dory rejects other names */
  size_t topic_size;
  int64_t timestamp_ms; /* since 1970; dory_now_ms() if the program has no better one */
  const void *key;
  size_t key_size;
  const void *value;
  size_t value_size;
};

/* Bytes of a message beside its topic, key and value. */
#define DORY_ANY_PARTITION_OVERHEAD 28
#define DORY_PARTITION_KEY_OVERHEAD 32

/* Milliseconds since 1970, now. */
int64_t dory_now_ms(void);

/* Stores how many bytes `message` takes as a message of that kind.
 * Returns DORY_OK, DORY_BAD_TOPIC or DORY_TOO_LARGE (*size is then 0). */
enum dory_code dory_message_size(enum dory_kind kind, const struct dory_message *message,
                                 size_t *size);

/* Writes the message to `buffer` and stores its size. Writes nothing unless all of it fits.
 * Returns as dory_message_size, or DORY_BUFFER_TOO_SMALL with the needed size in *size. */
enum dory_code dory_write_any_partition(void *buffer, size_t capacity,
                                        const struct dory_message *message, size_t *size);
enum dory_code dory_write_partition_key(void *buffer, size_t capacity, int32_t partition_key,
                                        const struct dory_message *message, size_t *size);

/* ---- sending -------------------------------------------------------------------------------- */

struct dory_client;

/* Opens a client of a UNIX datagram socket, of a UNIX stream socket, or of a TCP port of this
 * host (127.0.0.1, then ::1), and connects it. Prefer datagrams: their message is accepted whole
 * or not at all.
 *
 * Returns DORY_OK; DORY_NOT_RUNNING if nobody listens there; DORY_BAD_ADDRESS;
 * DORY_INTERRUPTED; DORY_SYSTEM_ERROR. With the first two *client is a client, to be closed later:
 * a program may open it before Dory runs, and its sends will connect it. Else *client is NULL. */
enum dory_code dory_client_open_datagram(const char *path, struct dory_client **client);
enum dory_code dory_client_open_stream(const char *path, struct dory_client **client);
enum dory_code dory_client_open_tcp(uint16_t port, struct dory_client **client);

enum { DORY_DONT_WAIT = 1 }; /* for dory_client_send: DORY_WOULD_BLOCK rather than waiting */

/* Sends one composed message. Without flags it waits while Dory takes no more.
 *
 * DORY_OK            The message is in Dory's socket. On a datagram socket that is acceptance.
 * DORY_WOULD_BLOCK   With DORY_DONT_WAIT, or where the caller has set SO_SNDTIMEO: try again when
 *                    poll() reports POLLOUT for dory_client_fd().
 * DORY_NOT_RUNNING   Dory is gone (ECONNREFUSED, ENOENT, EPIPE, ...) and connecting once more
 *                    within this call did not help. The next send tries to connect again, so a
 *                    caller may repeat the message after a pause. A datagram was surely not
 *                    accepted. On a stream, messages sent shortly before may be lost, and if part
 *                    of this one had been written it is not known whether Dory has it.
 * DORY_TOO_LARGE     A datagram that is larger than SO_SNDBUF can be raised to (the call raises
 *                    it as far as net.core.wmem_max allows, with CAP_NET_ADMIN beyond it): errno is
 *                    EMSGSIZE; or than what the kernel can hold in one piece, 4 MiB and some 64 KiB
 *                    at most: ENOBUFS. Nothing was sent.
 * DORY_INTERRUPTED   As errno EINTR. On a stream only before the first byte has been written;
 *                    once part of a message is written the rest is waited for, whatever the flags.
 * DORY_SYSTEM_ERROR  errno says what; a stream is closed and connected anew by the next send.
 */
enum dory_code dory_client_send(struct dory_client *client, const void *message, size_t size,
                                int flags);

/* The socket, for poll() and setsockopt(); it may change with every send of a stream client. */
int dory_client_fd(const struct dory_client *client);

/* Closes the socket and frees the client. NULL is ignored. */
void dory_client_close(struct dory_client *client);

#ifdef __cplusplus
}
#endif
