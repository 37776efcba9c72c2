#!/usr/bin/env python3
"""The main job, and what brokers refuse, on real Kafka of several versions, one broker each.

    tests/kafka/versions.py [VERSION...] [--tests TEST,...] [--scale F]

The versions are those of VERSIONS by default. Every test ends with what an independent consumer
finds and with books that balance. --scale multiplies the numbers of messages.

Before 0.11 messages arrive at least once: what is there twice must be counted as a possible
duplicate.
"""

import argparse
import contextlib
import os
import random
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka import kafka_cluster  # noqa: E402
from kafka.messages import (  # noqa: E402
    Message, encode, encode_version_1, expect_messages, of_every_shape, wait_settled)
from kafka.old_versions import (  # noqa: E402
    create_topic, is_before, judge_arrivals, read_by_kcat)
from kafka.three_brokers import free_port, new_topic  # noqa: E402
from support import harness  # noqa: E402
from support.harness import SUPPORT, Dory, Senders, check, wait_until  # noqa: E402

VERSIONS = ["0.8.2.2", "0.9.0.1", "0.10.2.2", "0.11.0.3", "1.1.1", "2.8.2", "3.9.1", "4.3.0"]
HOUR_MS = 3_600_000
NEGOTIATED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "negotiated.txt")
# The kernel holds a datagram in one piece, of 4 MiB and some KiB at most.
LARGE = 4_100_000
TOO_LARGE_TO_SEND = 5 << 20
# Where net.core.wmem_max is small, only root may send that; else a topic has a lower limit.
LESS_LARGE, LOWER_LIMIT = 200_000, "100000"


def send(dory, messages):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(dory.socket)
        for message in messages:
            client.send(message)


def read_values(cluster, topic):
    """What kcat finds, by partition and in order."""
    found = {}
    for line in read_by_kcat(cluster, topic, "-f", "%p %s\n").splitlines():
        partition, value = line.split(" ", 1)
        found.setdefault(int(partition), []).append(value)
    return found


def expect_exactly(cluster, dory, topic, good, discarded):
    """The good ones arrived, once and in order by partition; the others are discarded, so named."""
    sent = len(good) + sum(discarded.values())
    wait_until(lambda: dory.books()["received"] == sent, "%d received" % sent)
    books = dory.wait_delivered()
    by_reason = {reason: n for reason, n in dory.status()["discarded_by"].items() if n}
    check(by_reason == discarded, "discarded: %s; %s" % (by_reason, books))
    found = read_values(cluster, topic)
    place = {value: i for i, value in enumerate(good)}
    arrived = [value for values in found.values() for value in values]
    check(sorted(arrived, key=place.get) == good, "%d of %d arrived" % (len(arrived), len(good)))
    for values in found.values():
        places = [place[value] for value in values]
        check(places == sorted(places), "out of order")
    check(books["delivered"] == len(good), "delivered: %s" % books)
    check(books["possible_duplicates"] == 0, "possible duplicates: %s" % books)
    check(dory.count_buffer("--live") == 0, "something is counted as buffered")
    return "received %d, arrived %d, discarded %s" % (books["received"], len(arrived), by_reason)


def settle_accounts(cluster, dory, senders, sent):
    """The three comparisons: sent = received, delivered = arrived, buffered counted = 0."""
    books = dory.wait_delivered()
    check(books["received"] == sent, "sent %d, received %s" % (sent, books))
    check(books["rejected"] == 0 and books["discarded"] == 0, "something was refused: %s" % books)
    verdict = judge_arrivals(cluster, senders, books)
    check(dory.count_buffer("--live") == 0, "something is counted as buffered")
    return "sent %d, received %d, delivered %d, arrived %d, doubled %d of %d possible" % (
        sent, books["received"], books["delivered"], verdict["arrived"], verdict["doubled"],
        books["possible_duplicates"])


def main_job(cluster, scale):
    """Two senders, both kinds of messages: once and in order."""
    with Dory(cluster.bootstrap) as dory:
        dory.start()
        senders = Senders(dory, new_topic("plain"), 2, int(15_000 * scale), blocking=True)
        return settle_accounts(cluster, dory, senders, senders.wait())


def deaths(cluster, scale):
    """Workers killed under load, and a broker that stands still for a while."""
    kills = max(3, int(6 * scale))
    done = {"dory-intake": 0, "dory-kafka": 0}
    with Dory(cluster.bootstrap) as dory:
        dory.start()
        senders = Senders(dory, new_topic("deaths"), 2, 0, rate=3000)
        for i in range(kills):
            time.sleep(random.uniform(0.1, 0.6))
            if i == kills // 3:
                cluster.pause(0)
            if i == 2 * kills // 3:
                cluster.resume(0)
            name = random.choice(sorted(done))
            done[name] += dory.kill_worker(name)
        accounts = settle_accounts(cluster, dory, senders, senders.stop())
        return "%s; kills: %s" % (accounts, done)


def one_large_message(cluster, scale):
    """One above message.max.bytes among small ones: it alone is discarded."""
    count = int(1000 * scale)
    topic = new_topic("large")
    with open("/proc/sys/net/core/wmem_max", encoding="ascii") as file:
        large = os.geteuid() == 0 or int(file.read()) > LARGE
    create_topic(cluster, topic, 2, **({} if large else {"max_message_bytes": LOWER_LIMIT}))
    with Dory(cluster.bootstrap, input_options="max_message_size = 6M\n") as dory:
        dory.start()
        good = ["small-%d" % i for i in range(count)]
        half = [encode(topic, b"", value.encode()) for value in good]
        send(dory, half[:count // 2])
        refused = send_large(dory, topic, TOO_LARGE_TO_SEND)
        check(refused.returncode == 1 and "datagram" in refused.stderr, refused.stderr)
        size = LARGE if large else LESS_LARGE
        sent = send_large(dory, topic, size)
        check(sent.returncode == 0, sent.stderr)
        send(dory, half[count // 2:])
        return "%s; it had %d bytes" % (
            expect_exactly(cluster, dory, topic, good, {"too_large": 1}), size)


def send_large(dory, topic, size):
    return subprocess.run([os.path.join(SUPPORT, "to_dory"), "--socket-path", dory.socket,
                           "--topic", topic, "--stdin"], input="x" * size, text=True,
                          stderr=subprocess.PIPE, check=False, timeout=60)


def records_without_a_key(cluster, scale):
    """A compacted topic takes none without a key: exactly they go, named by the broker or not."""
    if is_before(cluster, 0, 9):
        return "0.8 takes them"
    topic = new_topic("compacted")
    create_topic(cluster, topic, 2, cleanup_policy="compact")
    return refused_records(cluster, topic, scale, "keyless",
                           lambda i, bad: encode(topic, b"" if bad else b"k%d" % i, b"%d" % i))


def records_of_tomorrow(cluster, scale):
    """A topic that bounds timestamps takes none from tomorrow."""
    if is_before(cluster, 0, 10):
        return "messages have no timestamps"
    topic = new_topic("tomorrow")
    old = is_before(cluster, 3, 6)
    name = "message_timestamp_difference_max_ms" if old else "message_timestamp_after_max_ms"
    create_topic(cluster, topic, 2, **{name: str(HOUR_MS)})
    now = int(time.time() * 1000)
    return refused_records(cluster, topic, scale, "from tomorrow",
                           lambda i, bad: encode(topic, b"", b"%d" % i,
                                                 now + (24 * HOUR_MS if bad else 0)))


def refused_records(cluster, topic, scale, what, make):
    count = int(1000 * scale)
    bad = set(range(3, count, 41)) | {0, count - 1} | set(range(100, 105))
    with Dory(cluster.bootstrap) as dory:
        dory.start()
        send(dory, [make(i, i in bad) for i in range(count)])
        good = [str(i) for i in range(count) if i not in bad]
        return "%s: %s" % (what, expect_exactly(cluster, dory, topic, good, {"refused": len(bad)}))


def what_messages_hold(cluster, scale):
    """Keys, values, both null and empty as far as version 0 can say it, and timestamps."""
    del scale
    topics = {new_topic("null"): None, new_topic("empty"): b""}   # what an empty value is there
    more = "".join("[topic:%s]\nempty_value = %s\n" % (topic, "null" if empty is None else "empty")
                   for topic, empty in topics.items())
    parts = [(key, value) for key in (b"", b"k", b"\0\xff") for value in (b"", b"v", b"x" * 5000)]
    now = int(time.time() * 1000)
    times = [now - 1000 * i for i in range(len(parts))]
    with Dory(cluster.bootstrap, more=more) as dory:
        dory.start()
        for topic in topics:
            create_topic(cluster, topic, 1)
            send(dory, [encode(topic, key, value, time_ms)
                        for (key, value), time_ms in zip(parts, times)])
        wait_settled(dory, len(topics) * len(parts))
        for topic, empty in topics.items():
            expect_messages(cluster, [topic], [
                Message(key or None, value or empty, time_ms, [])
                for (key, value), time_ms in zip(parts, times)])
    return "%d messages" % (len(topics) * len(parts))


def what_version_1_holds(cluster, scale):
    """Headers, and null apart from empty, of both kinds."""
    del scale
    sent = of_every_shape()
    topics = {None: new_topic("headers"), 0: new_topic("keyed-headers")}    # by partition key
    with Dory(cluster.bootstrap) as dory:
        dory.start()
        for partition_key, topic in topics.items():
            create_topic(cluster, topic, 1)
            send(dory, [encode_version_1(topic, message, partition_key) for message in sent])
        wait_settled(dory, len(topics) * len(sent))
        expect_messages(cluster, list(topics.values()), sent)
    return "%d messages" % (len(topics) * len(sent))


def headers_of_an_old_format(cluster, scale):
    """Brokers that keep a topic in the format of 0.10 fail at headers: they are left out."""
    del scale
    if is_before(cluster, 0, 11) or not is_before(cluster, 3):
        return "no topic has another format than the broker's"
    topic = new_topic("old-format")
    create_topic(cluster, topic, 1, message_format_version="0.10.2")
    sent = [Message(b"k", b"%d" % i, int(time.time() * 1000), [(b"a", b"x")] * (i % 2))
            for i in range(6)]
    with Dory(cluster.bootstrap) as dory:
        dory.start()
        send(dory, [encode_version_1(topic, message) for message in sent])
        books = dory.wait_delivered()
        check(books["delivered"] == 6 and books["possible_duplicates"] == 0, "%s" % books)
        lines = read_by_kcat(cluster, topic, "-f", "%s|%h\n").splitlines()
        check(lines == ["%d|" % i for i in range(6)], "in the log: %s" % lines)
        return dory.warnings(topic, "headers are left out")[0]


def what_is_negotiated(cluster, scale):
    """The status says of the broker what is spoken with it, and of old ones that it is not once."""
    del scale
    with Dory(cluster.bootstrap) as dory:
        dory.start()
        send(dory, [encode(new_topic("spoken"), b"", b"x")])
        wait_until(lambda: dory.books()["delivered"] == 1, "it is delivered")
        status = dory.status()
        broker = [b for b in status["brokers"] if "versions" in b][0]
        format_ = 0 if is_before(cluster, 0, 10) else 1 if is_before(cluster, 0, 11) else 2
        check(broker["message_format"] == format_, "spoken: %s" % broker)
        has_id = not is_before(cluster, 0, 11)
        check(("InitProducerId" in broker["versions"]) == has_id, "spoken: %s" % broker)
        warned = [w for w in status["warnings"] if "at least once" in w["text"]]
        check(bool(warned) != has_id, "warnings: %s" % status["warnings"])
        return expect_negotiated(cluster.state["version"], broker)


def expect_negotiated(version, broker):
    """It is what the file says, of which doc/kafka_compat.md is made."""
    with open(NEGOTIATED, encoding="ascii") as file:
        said = [line.strip() for line in file if line.startswith(version + " ")]
    spoken = "%s %d " % (version, broker["message_format"]) + " ".join(
        "%s=%d" % pair for pair in sorted(broker["versions"].items()))
    check([spoken] == said, "spoken is, but %s does not say: %s" % (NEGOTIATED, spoken))
    return spoken


TESTS = [what_is_negotiated, what_messages_hold, what_version_1_holds, headers_of_an_old_format,
         main_job, deaths, one_large_message, records_without_a_key, records_of_tomorrow]


def on(version, test):
    def run(cluster, scale):
        return test(cluster, scale)
    run.__name__ = "%s on %s" % (test.__name__, version)
    return run


@contextlib.contextmanager
def one_broker(version, folder):
    with kafka_cluster.Cluster(version, folder, 1, free_port(1)) as cluster:
        yield cluster


def run_on_versions(tests, description, versions=None, start=one_broker):
    """Runs the tests on what `start` starts of each version that the command line names, by default
    of these; the exit status."""
    parser = argparse.ArgumentParser(description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="*", metavar="VERSION")
    parser.add_argument("--tests", default=",".join(t.__name__ for t in tests))
    parser.add_argument("--scale", type=float, default=1.0)
    args = parser.parse_args()
    status = 0
    for version in args.versions or versions or VERSIONS:
        chosen = [on(version, t) for t in tests if t.__name__ in args.tests.split(",")]
        with tempfile.TemporaryDirectory(prefix="dory-kafka-") as folder, \
                start(version, folder) as started:
            status |= harness.run_tests(chosen, started, args.scale)
    return status


if __name__ == "__main__":
    sys.exit(run_on_versions(TESTS, __doc__))
