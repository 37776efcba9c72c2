"""Single messages on real Kafka: as clients encode them, and what two consumers find of them.

The consumers share no code: librdkafka's (kcat) and Kafka's own for the console.
"""

import collections
import itertools
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


def of_every_shape():
    """Keys and values that are null, empty or bytes, headers likewise; each has its timestamp."""
    headers = [[], [(b"a", b"xy")], [(b"a", b"1"), (b"b", None), (b"a", b""), (b"", b"no name")]]
    now = int(time.time() * 1000)
    return [Message(key, value, now - 1000 * i, some) for i, (some, key, value) in enumerate(
        itertools.product(headers, (None, b"", b"k", b"\0\xff"), (None, b"", b"v")))]


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


def wait_settled(dory, count):
    """So many have been received, and all are delivered."""
    wait_until(lambda: dory.books()["received"] == count, "%d received" % count)
    books = dory.wait_delivered()
    check(books["delivered"] == count, "of %d: %s" % (count, books))


def kept(cluster, sent):
    """What of messages the cluster's format has."""
    timed, headed = not is_before(cluster, 0, 10), not is_before(cluster, 0, 11)
    return [Message(m.key, m.value, m.timestamp_ms if timed else None, m.headers if headed else [])
            for m in sent]


def check_same(who, found, wanted):
    """Says where they begin to differ."""
    if found != wanted:
        pairs = itertools.zip_longest(found, wanted, fillvalue="nothing")
        place, pair = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
        check(False, "%s finds %d, not %d; the first other one, %d, is %.300r, not %.300r" % (
            who, len(found), len(wanted), place, *pair))


def expect_messages(cluster, topics, sent):
    """Both consumers find them in each of these topics of one partition."""
    for topic in topics:
        expect_by_kcat(cluster, topic, sent)
    expect_by_console(cluster, topics, sent)


def expect_by_kcat(cluster, topic, sent):
    """In their order; the sizes tell null from empty."""
    found = read_by_kcat(cluster, topic, "-f", "%K %S %T %h %k %s\\n")
    wanted = ["%d %d %d %s %s %s" % (
        size(m.key), size(m.value), m.timestamp_ms or 0,    # 0: it has none
        show_headers(m, "=", "NULL"), lossless(m.key), lossless(m.value))
              for m in kept(cluster, sent)]
    check_same("kcat", found.split("\n"), wanted + [""])


def expect_by_console(cluster, topics, sent):
    """Sorted, since it says no topics and no offsets."""
    properties = {"print_key": "true", "key_separator": "|"}
    timed, headed = not is_before(cluster, 0, 10), not is_before(cluster, 0, 11)
    if timed:
        properties["print_timestamp"] = "true"
    if headed:
        properties["print_headers"] = "true"
    version = PRINTS_HEADERS if headed and is_before(cluster, 2, 8) else None
    lines = read_by_console(cluster, topics, len(topics) * len(sent), version=version, **properties)
    wanted = sorted("|".join(
        (["CreateTime:%d" % m.timestamp_ms] if timed else []) +
        ([show_headers(m, ":", "null") or "NO_HEADERS"] if headed else []) +
        [show(m.key), show(m.value)]) for m in sent for _ in topics)
    check_same("Kafka's consumer", lines, wanted)


def lossless(value):
    """As read_by_kcat reads bytes; of null nothing is printed."""
    return (value or b"").decode(errors="surrogateescape")


def size(value):
    return -1 if value is None else len(value)


def show(value, null="null"):
    """As the programs print it, what is no UTF-8 included."""
    return null if value is None else value.decode(errors="replace")


def show_headers(message, between, null):
    return ",".join(show(name) + between + show(value, null) for name, value in message.headers)
