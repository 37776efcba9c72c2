"""Single messages on real Kafka: as clients encode them, and what two consumers find of them.

The consumers share no code: librdkafka's (kcat) and Kafka's own for the console.
"""

import collections
import os
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka.old_versions import is_before, read_by_console, read_by_kcat  # noqa: E402
from support.harness import check, wait_until  # noqa: E402

ANY_PARTITION, PARTITION_KEY = 256, 257
PRINTS_HEADERS = "2.8.2"    # the first console consumer of ours that does; it reads from 0.11 on

# Keys and values are bytes or None, headers are pairs of such.
Message = collections.namedtuple("Message", "key value timestamp_ms headers")


def encode(topic, key, value, timestamp_ms=None):
    """An AnyPartition message of version 0; a key of size 0 is none."""
    now = int(time.time() * 1000)
    body = struct.pack(">hhhh", ANY_PARTITION, 0, 0, len(topic)) + topic.encode()
    body += struct.pack(">q", now if timestamp_ms is None else timestamp_ms)
    return whole(body + nullable(key) + nullable(value))


def encode_version_1(topic, message, partition_key=None):
    """An AnyPartition message, or one of that partition key."""
    kind = ANY_PARTITION if partition_key is None else PARTITION_KEY
    body = struct.pack(">hhh", kind, 1, 0)
    if partition_key is not None:
        body += struct.pack(">i", partition_key)
    body += struct.pack(">h", len(topic)) + topic.encode()
    body += struct.pack(">qh", message.timestamp_ms, len(message.headers))
    for name, value in message.headers:
        body += struct.pack(">h", len(name)) + name + nullable(value)
    return whole(body + nullable(message.key) + nullable(message.value))


def encode_asking(topic, receipt_id, value):
    """An AnyPartition message of version 1 that asks for a receipt; of a stream only."""
    body = struct.pack(">hhhqh", ANY_PARTITION, 1, 1, receipt_id, len(topic)) + topic.encode()
    body += struct.pack(">qh", int(time.time() * 1000), 0)
    return whole(body + nullable(None) + nullable(value))


def nullable(value):
    return struct.pack(">i", -1) if value is None else struct.pack(">i", len(value)) + value


def whole(body):
    return struct.pack(">i", len(body) + 4) + body


def expect_messages(cluster, dory, topic, sent):
    """Both consumers find them, in their order, in a topic of one partition."""
    wait_until(lambda: dory.books()["buffered"] == 0 and dory.books()["received"] >= len(sent),
               "all are delivered")
    if is_before(cluster, 0, 11):
        sent = [message._replace(headers=[]) for message in sent]
    if is_before(cluster, 0, 10):
        sent = [message._replace(timestamp_ms=0) for message in sent]   # as kcat says: none
    lines = read_by_kcat(cluster, topic, "-f", "%K %S %T %h\\n").splitlines()
    wanted = ["%d %d %d %s" % (size(m.key), size(m.value), m.timestamp_ms,
                               show_headers(m, "=", "NULL")) for m in sent]
    check(lines == wanted, "kcat finds %s, not %s" % (lines, wanted))
    expect_by_console(cluster, topic, sent)


def expect_by_console(cluster, topic, sent):
    """Sorted, since it says no offsets."""
    properties = {"print_key": "true", "key_separator": "|"}
    timed, headed = not is_before(cluster, 0, 10), not is_before(cluster, 0, 11)
    if timed:
        properties["print_timestamp"] = "true"
    if headed:
        properties["print_headers"] = "true"
    version = PRINTS_HEADERS if headed and is_before(cluster, 2, 8) else None
    lines = read_by_console(cluster, [topic], len(sent), version=version, **properties)
    wanted = sorted("|".join(
        (["CreateTime:%d" % m.timestamp_ms] if timed else []) +
        ([show_headers(m, ":", "null") or "NO_HEADERS"] if headed else []) +
        [show(m.key), show(m.value)]) for m in sent)
    check(lines == wanted, "Kafka's consumer finds %s, not %s" % (lines, wanted))


def size(value):
    return -1 if value is None else len(value)


def show(value, null="null"):
    """As the programs print it, what is no UTF-8 included."""
    return null if value is None else value.decode(errors="replace")


def show_headers(message, between, null):
    return ",".join(show(name) + between + show(value, null) for name, value in message.headers)
