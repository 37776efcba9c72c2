/* See dory_client.h: the bytes of messages, in wire order, and of receipts. No state, no system
 * call but the clock's.
 */

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "clients/c/dory_client.h"

const char *dory_code_text(enum dory_code code) {
  switch (code) {
    case DORY_OK: return "sent";
    case DORY_WOULD_BLOCK: return "Dory does not take more just now";
    case DORY_NOT_RUNNING: return "Dory is not running";
    case DORY_TOO_LARGE: return "the message is too large";
    case DORY_BAD_TOPIC: return "the topic's name is empty or too long";
    case DORY_BUFFER_TOO_SMALL: return "the buffer is too small";
    case DORY_BAD_ADDRESS: return "the socket's address is empty or too long";
    case DORY_INTERRUPTED: return "interrupted by a signal";
    case DORY_SYSTEM_ERROR: return "system error";
    case DORY_BAD_HEADER: return "there are too many headers, or a header's name is too long";
    case DORY_INCOMPLETE: return "no whole receipt has come yet";
    case DORY_BAD_RECEIPT: return "what has come is no receipt: the other side is not Dory";
  }
  return "unknown code";
}

const char *dory_receipt_code_name(int code) {
  switch ((enum dory_receipt_code)code) {
    case DORY_DELIVERED: return "delivered";
    case DORY_REJECTED_BAD_TOPIC: return "bad_topic";
    case DORY_REJECTED_TOO_MANY_TOPICS: return "too_many_topics";
    case DORY_REJECTED_NO_ROOM: return "no_room";
    case DORY_REJECTED_RATE_LIMIT: return "rate_limit";
    case DORY_REJECTED_NOT_ALLOWED: return "not_allowed";
    case DORY_DISCARDED_CORRUPT: return "corrupt";
    case DORY_DISCARDED_UNKNOWN_TOPIC: return "unknown_topic";
    case DORY_DISCARDED_TOO_LARGE: return "too_large";
    case DORY_DISCARDED_REFUSED: return "refused";
    case DORY_DISCARDED_NOT_AUTHORIZED: return "not_authorized";
    case DORY_DISCARDED_DEADLINE: return "deadline";
    case DORY_DISCARDED_PARTITION_FULL: return "partition_full";
    case DORY_DISCARDED_AMBIGUOUS: return "ambiguous";
    case DORY_DISCARDED_OTHER: return "other";
  }
  return "unknown";
}

int64_t dory_now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- sizes ---------------------------------------------------------------------------------- */

enum { ASKS_RECEIPT = 1 }; /* in Flags */

/* Versions 0 and 1 in one: `extras` is NULL for version 0. */
struct form {
  enum dory_kind kind;
  int32_t partition_key;
  const struct dory_message *message;
  const struct dory_extras *extras;
};

static const struct dory_extras no_extras;

static bool take_room(size_t *room, size_t size) {
  if (size > *room) return false;
  *room -= size;
  return true;
}

/* Of a field that is null where its pointer is NULL. */
static size_t nullable_size(const void *bytes, size_t size) {
  return bytes == NULL ? 0 : size;
}

static enum dory_code take_extras(const struct dory_extras *extras, size_t *room) {
  size_t i;

  if (extras->header_count > INT16_MAX) return DORY_BAD_HEADER;
  if (!take_room(room, extras->asks_receipt ? 10 : 2)) return DORY_TOO_LARGE;
  for (i = 0; i < extras->header_count; ++i) {
    const struct dory_header *header = &extras->headers[i];
    if (header->name_size > INT16_MAX) return DORY_BAD_HEADER;
    if (!take_room(room, 6 + header->name_size)) return DORY_TOO_LARGE;
    if (!take_room(room, nullable_size(header->value, header->value_size))) return DORY_TOO_LARGE;
  }
  return DORY_OK;
}

static enum dory_code measure(const struct form *form, size_t *size) {
  const struct dory_message *message = form->message;
  const bool is_keyed = form->kind == DORY_PARTITION_KEY;
  size_t key_size = message->key_size;
  size_t value_size = message->value_size;
  size_t room =
      INT32_MAX - (is_keyed ? DORY_PARTITION_KEY_OVERHEAD : DORY_ANY_PARTITION_OVERHEAD);

  *size = 0;
  if (message->topic_size == 0 || message->topic_size > INT16_MAX) return DORY_BAD_TOPIC;
  room -= message->topic_size;
  if (form->extras != NULL) {
    enum dory_code code = take_extras(form->extras, &room);
    if (code != DORY_OK) return code;
    key_size = nullable_size(message->key, key_size);
    value_size = nullable_size(message->value, value_size);
  }
  if (!take_room(&room, key_size) || !take_room(&room, value_size)) return DORY_TOO_LARGE;
  *size = INT32_MAX - room;
  return DORY_OK;
}

enum dory_code dory_message_size(enum dory_kind kind, const struct dory_message *message,
                                 size_t *size) {
  const struct form form = {kind, 0, message, NULL};
  return measure(&form, size);
}

enum dory_code dory_message_size_v1(enum dory_kind kind, const struct dory_message *message,
                                    const struct dory_extras *extras, size_t *size) {
  const struct form form = {kind, 0, message, extras != NULL ? extras : &no_extras};
  return measure(&form, size);
}

/* ---- messages ------------------------------------------------------------------------------- */

static char *put_int16(char *at, int16_t value) {
  uint16_t wire = htons((uint16_t)value);
  memcpy(at, &wire, sizeof(wire));
  return at + sizeof(wire);
}

static char *put_int32(char *at, int32_t value) {
  uint32_t wire = htonl((uint32_t)value);
  memcpy(at, &wire, sizeof(wire));
  return at + sizeof(wire);
}

static char *put_int64(char *at, int64_t value) {
  at = put_int32(at, (int32_t)(uint32_t)((uint64_t)value >> 32));
  return put_int32(at, (int32_t)(uint32_t)value);
}

static char *put_bytes(char *at, const void *bytes, size_t size) {
  if (size > 0) memcpy(at, bytes, size);
  return at + size;
}

static char *put_sized(char *at, const void *bytes, size_t size) {
  at = put_int32(at, (int32_t)size);
  return put_bytes(at, bytes, size);
}

static char *put_nullable(char *at, const void *bytes, size_t size) {
  return bytes == NULL ? put_int32(at, -1) : put_sized(at, bytes, size);
}

static char *put_headers(char *at, const struct dory_extras *extras) {
  size_t i;

  at = put_int16(at, (int16_t)extras->header_count);
  for (i = 0; i < extras->header_count; ++i) {
    const struct dory_header *header = &extras->headers[i];
    at = put_int16(at, (int16_t)header->name_size);
    at = put_bytes(at, header->name, header->name_size);
    at = put_nullable(at, header->value, header->value_size);
  }
  return at;
}

static enum dory_code write_message(char *at, size_t capacity, const struct form *form,
                                    size_t *size) {
  const struct dory_message *message = form->message;
  const struct dory_extras *extras = form->extras;
  const bool asks_receipt = extras != NULL && extras->asks_receipt;
  enum dory_code code = measure(form, size);

  if (code != DORY_OK) return code;
  if (*size > capacity) return DORY_BUFFER_TOO_SMALL;
  at = put_int32(at, (int32_t)*size);
  at = put_int16(at, (int16_t)form->kind);
  at = put_int16(at, extras != NULL); /* version */
  at = put_int16(at, asks_receipt ? ASKS_RECEIPT : 0);
  if (form->kind == DORY_PARTITION_KEY) at = put_int32(at, form->partition_key);
  if (asks_receipt) at = put_int64(at, extras->receipt_id);
  at = put_int16(at, (int16_t)message->topic_size);
  at = put_bytes(at, message->topic, message->topic_size);
  at = put_int64(at, message->timestamp_ms);
  if (extras == NULL) {
    at = put_sized(at, message->key, message->key_size);
    put_sized(at, message->value, message->value_size);
  } else {
    at = put_headers(at, extras);
    at = put_nullable(at, message->key, message->key_size);
    put_nullable(at, message->value, message->value_size);
  }
  return DORY_OK;
}

enum dory_code dory_write_any_partition(void *buffer, size_t capacity,
                                        const struct dory_message *message, size_t *size) {
  const struct form form = {DORY_ANY_PARTITION, 0, message, NULL};
  return write_message(buffer, capacity, &form, size);
}

enum dory_code dory_write_partition_key(void *buffer, size_t capacity, int32_t partition_key,
                                        const struct dory_message *message, size_t *size) {
  const struct form form = {DORY_PARTITION_KEY, partition_key, message, NULL};
  return write_message(buffer, capacity, &form, size);
}

enum dory_code dory_write_any_partition_v1(void *buffer, size_t capacity,
                                           const struct dory_message *message,
                                           const struct dory_extras *extras, size_t *size) {
  const struct form form = {DORY_ANY_PARTITION, 0, message,
                            extras != NULL ? extras : &no_extras};
  return write_message(buffer, capacity, &form, size);
}

enum dory_code dory_write_partition_key_v1(void *buffer, size_t capacity, int32_t partition_key,
                                           const struct dory_message *message,
                                           const struct dory_extras *extras, size_t *size) {
  const struct form form = {DORY_PARTITION_KEY, partition_key, message,
                            extras != NULL ? extras : &no_extras};
  return write_message(buffer, capacity, &form, size);
}

/* ---- receipts ------------------------------------------------------------------------------- */

static int32_t get_int32(const char *at) {
  uint32_t wire;
  memcpy(&wire, at, sizeof(wire));
  return (int32_t)ntohl(wire);
}

static int16_t get_int16(const char *at) {
  uint16_t wire;
  memcpy(&wire, at, sizeof(wire));
  return (int16_t)ntohs(wire);
}

static int64_t get_int64(const char *at) {
  return (int64_t)((uint64_t)(uint32_t)get_int32(at) << 32 | (uint32_t)get_int32(at + 4));
}

enum dory_code dory_read_receipt(const void *bytes, size_t size, struct dory_receipt *receipt) {
  const char *at = bytes;

  if (size < 4) return DORY_INCOMPLETE;
  if (get_int32(at) != DORY_RECEIPT_SIZE) return DORY_BAD_RECEIPT;
  if (size < DORY_RECEIPT_SIZE) return DORY_INCOMPLETE;
  receipt->id = get_int64(at + 4);
  receipt->code = get_int16(at + 12);
  receipt->partition = get_int32(at + 14);
  receipt->offset = get_int64(at + 18);
  return DORY_OK;
}
