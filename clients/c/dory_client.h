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
 * Once a send on a datagram socket has returned DORY_OK the message is Dory's to deliver. Who wants
 * to be told what became of it uses a stream, and asks for a receipt: see below.
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
  DORY_SYSTEM_ERROR = 8,     /* anything else; errno says what */
  DORY_BAD_HEADER = 9,       /* over 32767 headers, or a header's name of over 32767 bytes */
  DORY_INCOMPLETE = 10,      /* no whole receipt yet: more bytes have to come */
  DORY_BAD_RECEIPT = 11      /* bytes that are no receipt; whoever sends them is not Dory */
};

/* A line of English for people. Never NULL. */
const char *dory_code_text(enum dory_code code);

/* ---- composing ------------------------------------------------------------------------------ */

enum dory_kind {
  DORY_ANY_PARTITION = 256, /* Dory chooses the partition */
  DORY_PARTITION_KEY = 257  /* partition = partition_key modulo the number of partitions */
};

/* A message. In version 0 pointers may be NULL where the size is 0; a key of size 0 is a null key,
 * and what a value of size 0 becomes is the topic's `empty_value` setting. In version 1 a key or
 * value is null where its pointer is NULL, whatever its size, and one of size 0 is empty. */
struct dory_message {
  const char *topic; /* Kafka takes 1 to 249 of [a-zA-Z0-9._-]; Dory rejects other names */
  size_t topic_size;
  int64_t timestamp_ms; /* since 1970; dory_now_ms() if the program has no better one */
  const void *key;
  size_t key_size;
  const void *value;
  size_t value_size;
};

/* Bytes of a message of version 0 beside its topic, key and value. */
#define DORY_ANY_PARTITION_OVERHEAD 28
#define DORY_PARTITION_KEY_OVERHEAD 32

struct dory_header {
  const char *name; /* may be NULL where the size is 0 */
  size_t name_size;
  const void *value; /* NULL: null, whatever the size */
  size_t value_size;
};

/* What version 1 has beside null: all zero is a message without any of it. */
struct dory_extras {
  const struct dory_header *headers; /* in this order; Kafka before 0.11 gets none of them */
  size_t header_count;
  int asks_receipt;   /* not 0: on a stream connection only, on a datagram it is malformed */
  int64_t receipt_id; /* the receipt has it again; best a number that counts */
};

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

/* The same in version 1. `extras` may be NULL. DORY_BAD_HEADER too (*size is then 0). */
enum dory_code dory_message_size_v1(enum dory_kind kind, const struct dory_message *message,
                                    const struct dory_extras *extras, size_t *size);
enum dory_code dory_write_any_partition_v1(void *buffer, size_t capacity,
                                           const struct dory_message *message,
                                           const struct dory_extras *extras, size_t *size);
enum dory_code dory_write_partition_key_v1(void *buffer, size_t capacity, int32_t partition_key,
                                           const struct dory_message *message,
                                           const struct dory_extras *extras, size_t *size);

/* ---- receipts ------------------------------------------------------------------------------- */

/* What became of a message. From 1 on Dory's intake did not take it: it is surely not in Kafka. From
 * 100 on Dory took it and gave it up: an attempt whose answer was lost may have put it there. Later
 * versions of Dory may have more codes. */
enum dory_receipt_code {
  DORY_DELIVERED = 0,                  /* Kafka has acknowledged it */
  DORY_REJECTED_BAD_TOPIC = 5,         /* Kafka has no topics with such a name */
  DORY_REJECTED_TOO_MANY_TOPICS = 6,   /* over Dory's max_topics */
  DORY_REJECTED_NO_ROOM = 7,           /* the buffer is full, and when_full = reject */
  DORY_REJECTED_RATE_LIMIT = 8,        /* of the topic, or of the client */
  DORY_REJECTED_NOT_ALLOWED = 9,       /* the input or the client may not name the topic */
  DORY_DISCARDED_CORRUPT = 100,        /* its bytes were damaged while Dory had them */
  DORY_DISCARDED_UNKNOWN_TOPIC = 101,  /* Kafka has no such topic, and makes none */
  DORY_DISCARDED_TOO_LARGE = 102,      /* for what the topic takes */
  DORY_DISCARDED_REFUSED = 103,        /* by the broker, as invalid */
  DORY_DISCARDED_NOT_AUTHORIZED = 104, /* Dory may not write to the topic */
  DORY_DISCARDED_DEADLINE = 105,       /* it waited for longer than the topic's deadline */
  DORY_DISCARDED_PARTITION_FULL = 106, /* too much waited for its partition */
  DORY_DISCARDED_AMBIGUOUS = 107,      /* it may be in Kafka, and on_ambiguous = at_most_once */
  DORY_DISCARDED_OTHER = 108           /* Dory's log and its discard report say what */
};

/* The word that Dory's reports have for it: "delivered", "bad_topic", ... Never NULL; "unknown" for
 * a code that this library does not know. */
const char *dory_receipt_code_name(int code);

struct dory_receipt {
  int64_t id;        /* of the message that asked for it */
  int code;          /* enum dory_receipt_code, or one that is newer than this library */
  int32_t partition; /* -1: none, or not known */
  int64_t offset;    /* -1: none, or not known */
};

#define DORY_RECEIPT_SIZE 26

/* Reads the receipt that `bytes`, which have come on a stream connection, begin with. Receipts come
 * back to back, and in the order in which messages were settled, not sent.
 * Returns DORY_OK: it took DORY_RECEIPT_SIZE bytes; DORY_INCOMPLETE; or DORY_BAD_RECEIPT. */
enum dory_code dory_read_receipt(const void *bytes, size_t size, struct dory_receipt *receipt);

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

/* Sends a message on a stream connection as far as it is taken now, for a program that also reads
 * receipts: Dory does not read who does not read his, so such a program never waits in a send.
 * *written is 0 at first, and then left to this function until it has returned DORY_OK: call it
 * again with the same message when poll() reports POLLOUT.
 *
 * DORY_OK            All of the message is in Dory's socket.
 * DORY_WOULD_BLOCK   Not all of it is.
 * DORY_NOT_RUNNING   The connection has ended. Receipts that had come by then can still be read;
 *                    what became of messages that have none is not known. Once dory_client_receive
 *                    has said so too, the next call (with *written = 0) makes a new connection.
 * DORY_INTERRUPTED   errno is EINTR: call again.
 * DORY_SYSTEM_ERROR  errno says what (EOPNOTSUPP: a client of datagrams); as DORY_NOT_RUNNING.
 */
enum dory_code dory_client_send_part(struct dory_client *client, const void *message, size_t size,
                                     size_t *written);

/* Reads one receipt from a stream connection; it never waits. dory_client_send is not for messages
 * with receipts: where it connects anew those of the old connection never come, without a word.
 *
 * DORY_OK            *receipt is it. There may be more: poll() does not report those that the
 *                    client has read already, so call until DORY_WOULD_BLOCK before poll().
 * DORY_WOULD_BLOCK   None has come: wait until poll() reports POLLIN for dory_client_fd().
 * DORY_NOT_RUNNING   The connection has ended, or there is none; no more come on it. What became
 *                    of messages whose receipts are missing is not known: they may be in Kafka, or
 *                    get there yet, and may not. Who sends them again may double them.
 * DORY_BAD_RECEIPT   The other side is not Dory; the connection is closed.
 * DORY_INTERRUPTED   errno is EINTR: call again.
 * DORY_SYSTEM_ERROR  errno says what (EOPNOTSUPP: a client of datagrams); the connection is closed.
 */
enum dory_code dory_client_receive(struct dory_client *client, struct dory_receipt *receipt);

/* The socket, for poll() and setsockopt(); it may change with every send of a stream client. */
int dory_client_fd(const struct dory_client *client);

/* Closes the socket and frees the client. NULL is ignored. */
void dory_client_close(struct dory_client *client);

#ifdef __cplusplus
}
#endif
