#!/usr/bin/env python3
"""A topic that is deleted and created anew with fewer partitions, one that gets more, and a cluster
in another's place.

    tests/kafka/recreated.py [VERSION...] [--tests TEST,...] [--scale F]

What was delivered before is gone with the old log; whatever was accepted while nobody could take it
has to be in the new one, once. The versions are 3.9.1 and 4.3.0 by default.
"""

import contextlib
import os
import socket
import struct
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka import kafka_cluster  # noqa: E402
from kafka.messages import Message, encode, encode_version_1  # noqa: E402
from kafka.old_versions import create_topic, read_by_kcat, text  # noqa: E402
from kafka.three_brokers import free_port, new_topic, running  # noqa: E402
from kafka.versions import run_on_versions  # noqa: E402
from support.harness import check, wait_until  # noqa: E402

VERSIONS = ["3.9.1", "4.3.0"]
DELETE_TOPICS = 20
CREATE_PARTITIONS = 37
SETTINGS = {"auto.create.topics.enable": "false"}
BEFORE, AFTER = 6, 2        # partitions
RATE = 500


def ask(cluster, api, version, body):
    """The broker's answer, without its size."""
    body = struct.pack(">hhi", api, version, 1) + text("test") + body
    with socket.create_connection(("127.0.0.1", cluster.state["port"]), 30) as connection:
        connection.sendall(struct.pack(">i", len(body)) + body)
        size = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))[0]
        return connection.recv(size, socket.MSG_WAITALL)


def delete_topic(cluster, name):
    """DeleteTopics version 1."""
    answer = ask(cluster, DELETE_TOPICS, 1,
                 struct.pack(">i", 1) + text(name) + struct.pack(">i", 30000))
    check(answer[-2:] == b"\0\0", "DeleteTopics: %s" % answer)


def add_partitions(cluster, name, count):
    """CreatePartitions version 0: there are `count` then."""
    answer = ask(cluster, CREATE_PARTITIONS, 0, struct.pack(">i", 1) + text(name) +
                 struct.pack(">iiib", count, -1, 30000, 0))
    check(answer[-4:] == b"\0\0\xff\xff", "CreatePartitions: %s" % answer)


class Numbers:
    """Sends numbers, by turns with a partition key and without, until it is stopped."""

    def __init__(self, dory, topic):
        self.sent = 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(dory.socket, topic))

    def run(self, path, topic):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.connect(path)
            while not self.stopping.wait(1 / RATE):
                value = b"%d" % self.sent
                now = int(time.time() * 1000)
                client.send(encode(topic, b"", value) if self.sent % 2 else
                            encode_version_1(topic, Message(None, value, now, []), self.sent // 2))
                self.sent += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping.set()
        self.thread.join()
        return self.sent

    def pass_some(self, count=RATE):
        wanted = self.sent + count
        wait_until(lambda: self.sent >= wanted, "%d are sent" % wanted)
        return self.sent


def expect_all_from(cluster, dory, topic, first, sent):
    """In the log is every number from `first` on, none doubled but what was counted."""
    books = dory.wait_delivered()
    found = [int(v) for v in read_by_kcat(cluster, topic, "-f", "%s\n").splitlines()]
    missing = set(range(first, sent)) - set(found)
    doubled = len(found) - len(set(found))
    check(not missing, "lost: %d, the first %s of %d" % (len(missing), min(missing or {0}), sent))
    check(doubled <= books["possible_duplicates"], "doubled %d: %s" % (doubled, books))
    check(books["received"] == books["delivered"] == sent, "sent %d: %s" % (sent, books))
    check(dory.count_buffer("--live") == 0, "something is still counted as buffered")
    return "sent %d, in the new log %d, doubled %d of %d that were counted" % (
        sent, len(found), doubled, books["possible_duplicates"])


def a_topic_comes_back_with_fewer_partitions(cluster, scale):
    """Under load: what was accepted once the old one was gone is in the new one."""
    topic = new_topic("anew")
    create_topic(cluster, topic, BEFORE)
    with running(cluster) as dory, Numbers(dory, topic) as numbers:
        numbers.pass_some(int(2 * RATE * scale))
        delete_topic(cluster, topic)
        gone = numbers.pass_some()
        wait_until(lambda: dory.books()["buffered"] >= RATE // 2, "messages wait")
        create_topic(cluster, topic, AFTER)
        numbers.pass_some(int(2 * RATE * scale))
        account = expect_all_from(cluster, dory, topic, gone, numbers.stop())
        said = [t for t in dory.status()["topics"] if t["name"] == topic]
        check(said[0]["partitions"] == AFTER, "the status says %s" % said)
        return account


def while_nobody_runs(cluster, scale):
    """The kafka worker is killed while it is gone, so that the next one knows no old id."""
    topic = new_topic("killed")
    create_topic(cluster, topic, BEFORE)
    with running(cluster) as dory, Numbers(dory, topic) as numbers:
        numbers.pass_some(int(RATE * scale))
        delete_topic(cluster, topic)
        gone = numbers.pass_some()
        wait_until(lambda: dory.books()["buffered"] >= RATE // 2, "messages wait")
        create_topic(cluster, topic, AFTER)
        check(dory.kill_worker("dory-kafka"), "no kafka worker")
        numbers.pass_some(int(RATE * scale))
        return expect_all_from(cluster, dory, topic, gone, numbers.stop())


def another_cluster_under_the_same_address(cluster, scale):
    """The first one is stopped, and another one comes up at its address."""
    version, port = cluster.state["version"], free_port(1)
    topic = new_topic("moved")
    with contextlib.ExitStack() as stack:
        folders = [stack.enter_context(tempfile.TemporaryDirectory(prefix="dory-kafka-"))
                   for _ in range(2)]
        with kafka_cluster.Cluster(version, folders[0], 1, port, SETTINGS) as first:
            create_topic(first, topic, BEFORE)
            dory = stack.enter_context(running(first))
            numbers = stack.enter_context(Numbers(dory, topic))
            numbers.pass_some(int(RATE * scale))
            wait_until(lambda: dory.books()["delivered"] > 0, "the first ones are delivered")
        gone = numbers.pass_some()
        with kafka_cluster.Cluster(version, folders[1], 1, port, SETTINGS) as second:
            create_topic(second, topic, AFTER)
            numbers.pass_some(int(RATE * scale))
            account = expect_all_from(second, dory, topic, gone, numbers.stop())
            with open(dory.log, encoding="utf-8") as log:
                check("another cluster than before" in log.read(), dory.last_words(40))
            return account


def read_partitions(cluster, topic):
    """The numbers in each partition, in order."""
    found = {}
    for line in read_by_kcat(cluster, topic, "-f", "%p %s\n").splitlines():
        partition, value = line.split()
        found.setdefault(int(partition), []).append(int(value))
    return found


def expect_split(found, before, after):
    """Each keyed number is where its key belongs by the one count, and from some number on by the
    other; in each partition they are in order."""
    old, new = [-1], []
    for partition, values in found.items():
        keyed = [n for n in values if n % 2 == 0]
        check(keyed == sorted(keyed), "out of order in %d" % partition)
        for n in keyed:
            fits = [n // 2 % count == partition for count in (before, after)]
            check(any(fits), "%d is in partition %d" % (n, partition))
            if not all(fits):
                (old if fits[0] else new).append(n)
    check(new and max(old) < min(new), "by %d: to %d, by %d: from %s" % (
        before, max(old), after, min(new or [None])))
    check(all(any(n % 2 for n in found.get(p, [])) for p in range(after)),
          "no message without a key in one of %s" % sorted(found))
    return min(new)


def partitions_are_added(cluster, scale):
    """Under load: keys go by the new count from one message on, others to all there are."""
    topic = new_topic("more")
    create_topic(cluster, topic, AFTER)
    with running(cluster, more="metadata_refresh = 1s\n") as dory, Numbers(dory, topic) as numbers:
        numbers.pass_some(int(2 * RATE * scale))
        add_partitions(cluster, topic, BEFORE)
        wait_until(lambda: [t["partitions"] for t in dory.status()["topics"]
                            if t["name"] == topic] == [BEFORE], "they are known")
        numbers.pass_some(int(2 * RATE * scale))
        sent = numbers.stop()
        books = dory.wait_delivered()
        found = read_partitions(cluster, topic)
        arrived = sorted(n for values in found.values() for n in values)
        check(arrived == list(range(sent)), "sent %d, arrived %d" % (sent, len(arrived)))
        check(books["received"] == books["delivered"] == sent, "sent %d: %s" % (sent, books))
        check(books["possible_duplicates"] == books["discarded"] == 0, "%s" % books)
        check(dory.count_buffer("--live") == 0, "something is still counted as buffered")
        return "sent %d = arrived; keys go by the new count from %d on" % (
            sent, expect_split(found, AFTER, BEFORE))


@contextlib.contextmanager
def start(version, folder):
    with kafka_cluster.Cluster(version, folder, 1, free_port(1), SETTINGS) as cluster:
        yield cluster


TESTS = [a_topic_comes_back_with_fewer_partitions, while_nobody_runs, partitions_are_added,
         another_cluster_under_the_same_address]


if __name__ == "__main__":
    sys.exit(run_on_versions(TESTS, __doc__, VERSIONS, start))
