#!/usr/bin/env python3
"""A log that is emptied, and with it, in Kafka before 2.4, what its leader knows of producers.

    tests/kafka/truncated_log.py [VERSION...] [--tests TEST,...]

DeleteRecords takes everything out of the partition between two batches of Dory's. Brokers of 1.1.1
answer UNKNOWN_PRODUCER_ID to the next one, those of 0.11 OUT_OF_ORDER_SEQUENCE_NUMBER; newer ones
keep what they know. The relay of forgotten_producer.py loses an answer, or the batch itself.
"""

import contextlib
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka import kafka_cluster  # noqa: E402
from kafka.forgotten_producer import (  # noqa: E402
    ADVERTISED, RELAYED, VALUES, read_values, relayed, send)
from kafka.old_versions import create_topic, is_before, text  # noqa: E402
from kafka.three_brokers import free_port, new_topic  # noqa: E402
from kafka.versions import run_on_versions  # noqa: E402
from support.harness import check, wait_until  # noqa: E402

VERSIONS = ["0.11.0.3", "1.1.1", "2.8.2"]
DELETE_RECORDS = 21
TO_THE_END = -1
SETTINGS = {
    "listeners": "PLAINTEXT://127.0.0.1:{port},RELAYED://127.0.0.1:{port+%d}" % RELAYED,
    "advertised.listeners": "PLAINTEXT://127.0.0.1:{port},"
                            "RELAYED://127.0.0.1:{port+%d}" % ADVERTISED,
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,RELAYED:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT"}


def empty_log(cluster, topic):
    """DeleteRecords version 0, of partition 0."""
    body = struct.pack(">hhi", DELETE_RECORDS, 0, 1) + text("test")
    body += struct.pack(">i", 1) + text(topic)
    body += struct.pack(">iiqi", 1, 0, TO_THE_END, 30000)
    with socket.create_connection(("127.0.0.1", cluster.state["port"]), 30) as connection:
        connection.sendall(struct.pack(">i", len(body)) + body)
        size = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))[0]
        answer = connection.recv(size, socket.MSG_WAITALL)
    check(answer[-2:] == b"\0\0", "DeleteRecords: %s" % answer)
    wait_until(lambda: not read_values(cluster, topic), "the log is empty")


@contextlib.contextmanager
def partition(cluster):
    """A topic in whose log stands one message, and what delivered it."""
    topic = new_topic("emptied")
    create_topic(cluster, topic, 1)
    with relayed(cluster, "24h") as (relay, dory):
        send(dory, topic, ["before"])
        wait_until(lambda: dory.books()["delivered"] == 1, "the first one is delivered")
        yield topic, relay, dory


def expect(cluster, dory, topic, values, possible_duplicates):
    books = dory.wait_delivered()
    found = read_values(cluster, topic)
    check(found == values, "in the log: %s" % found)
    check(books["received"] == books["delivered"] == 1 + len(VALUES), "%s" % books)
    check(books["possible_duplicates"] == possible_duplicates, "%s" % books)
    check(dory.count_buffer("--live") == 0, "something is counted as buffered")
    with open(dory.log, encoding="utf-8") as log:
        said = log.read()
    forgets = not is_before(cluster, 1) and is_before(cluster, 2, 4)
    check(("UNKNOWN_PRODUCER_ID at" in said) == forgets, said)
    return "in the log %d, possible duplicates %d" % (len(found), possible_duplicates)


def what_comes_after_arrives(cluster, _scale):
    """A first attempt that is refused for its sequence is in no log: the next epoch begins."""
    with partition(cluster) as (topic, _relay, dory):
        empty_log(cluster, topic)
        send(dory, topic, VALUES)
        return expect(cluster, dory, topic, VALUES, 0)


def send_into_nothing(cluster, topic, relay, dory, loses, arrived):
    relay.loses = loses
    send(dory, topic, VALUES)
    arrived()
    relay.away = True
    relay.cut()
    empty_log(cluster, topic)
    relay.loses = None
    relay.away = False


def what_was_there_may_come_again(cluster, _scale):
    """Its answer was lost and it is gone: who has forgotten us can't say that it was there."""
    with partition(cluster) as (topic, relay, dory):
        send_into_nothing(
            cluster, topic, relay, dory, "answers",
            lambda: wait_until(lambda: len(read_values(cluster, topic)) == 6, "it is in the log"))
        forgets = is_before(cluster, 2, 4)
        return expect(cluster, dory, topic, VALUES if forgets else [], 5 if forgets else 0)


def what_was_never_there_arrives_once(cluster, _scale):
    """Nor can he say that it was not."""
    with partition(cluster) as (topic, relay, dory):
        send_into_nothing(cluster, topic, relay, dory, "requests",
                          lambda: wait_until(lambda: relay.lost > 200, "it is on its way"))
        return expect(cluster, dory, topic, VALUES, 5 if is_before(cluster, 2, 4) else 0)


@contextlib.contextmanager
def start(version, folder):
    with kafka_cluster.Cluster(version, folder, 1, free_port(1), SETTINGS) as cluster:
        yield cluster


TESTS = [what_comes_after_arrives, what_was_there_may_come_again,
         what_was_never_there_arrives_once]


if __name__ == "__main__":
    sys.exit(run_on_versions(TESTS, __doc__, VERSIONS, start))
