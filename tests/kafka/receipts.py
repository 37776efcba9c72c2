#!/usr/bin/env python3
"""Receipts from a real cluster: each one that was asked for comes once, and what it says of
partition and offset is what Kafka has there, while workers are killed; who does not read stops
itself alone.

    tests/kafka/receipts.py [TEST...] [--scale F]
"""

import os
import random
import select
import socket
import struct
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka import kafka_cluster  # noqa: E402
from kafka.messages import encode_asking  # noqa: E402
from kafka.old_versions import read_by_kcat  # noqa: E402
from kafka.three_brokers import (  # noqa: E402
    VERSION, free_port, new_topic, read_arguments, running)
from support import harness  # noqa: E402
from support.harness import check, wait_until  # noqa: E402

ASKED = 100_000
CONNECTIONS = 20
WINDOW = 100            # receipts that a client waits for at a time
SIZES = [10, 200, 1000, 3000]
KILLS_A_SECOND = 15
WORKERS = ("dory-intake", "dory-kafka")
RECEIPT = struct.Struct(">iqhiq")
ANSWER_LIMIT_S = 120


def connect(dory, kind):
    if kind == "tcp":
        return socket.create_connection(("127.0.0.1", dory.port))
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(dory.stream_socket)
    return client


class Asker(threading.Thread):
    """Sends `count` messages that ask, over one connection, and reads their receipts meanwhile."""

    def __init__(self, dory, kind, topic, number, count):
        super().__init__()
        self.client, self.topic = connect(dory, kind), topic
        self.client.settimeout(ANSWER_LIMIT_S)
        self.number, self.count = number, count
        self.sent, self.unread, self.fault = {}, b"", None
        self.receipts = {}              # by id: code, partition, offset
        self.twice = 0

    def run(self):
        try:
            while len(self.receipts) < self.count:
                while len(self.sent) < min(self.count, len(self.receipts) + WINDOW):
                    self.ask()
                self.read()
        except (OSError, ValueError) as fault:
            self.fault = fault

    def ask(self):
        self.client.sendall(self.compose())

    def compose(self):
        receipt_id = self.number << 32 | len(self.sent)
        value = "%d " % receipt_id + "v" * random.choice(SIZES)
        self.sent[receipt_id] = value
        return encode_asking(self.topic, receipt_id, value.encode())

    def read(self):
        more = self.client.recv(1 << 16)
        if not more:
            raise ValueError("the connection has ended")
        self.unread += more
        while len(self.unread) >= RECEIPT.size:
            size, receipt_id, *what = RECEIPT.unpack_from(self.unread)
            self.unread = self.unread[RECEIPT.size:]
            if size != RECEIPT.size or receipt_id not in self.sent:
                raise ValueError("a receipt of %d bytes for %d" % (size, receipt_id))
            self.twice += receipt_id in self.receipts
            self.receipts[receipt_id] = what


def kill_until(dory, stopped, kills):
    while not stopped.is_set():
        time.sleep(random.expovariate(KILLS_A_SECOND))
        for worker in random.choice((WORKERS[:1], WORKERS[1:], WORKERS)):
            kills[worker] = kills.get(worker, 0) + dory.kill_worker(worker)


def read_log(cluster, topic):
    """What stands at each partition and offset."""
    found = {}
    for line in read_by_kcat(cluster, topic, "-f", "%p %o %s\n").splitlines():
        partition, offset, value = line.split(" ", 2)
        found[int(partition), int(offset)] = value
    return found


def expect_true(cluster, topic, askers):
    """Each asked message has one receipt, and stands where that says; nothing else is there."""
    log = read_log(cluster, topic)
    for asker in askers:
        check(asker.fault is None, "a client was told of an error: %s" % asker.fault)
        check(asker.twice == 0, "%d receipts came twice" % asker.twice)
        for receipt_id, value in asker.sent.items():
            code, partition, offset = asker.receipts[receipt_id]
            check(code == 0, "%d: code %d" % (receipt_id, code))
            check(log.pop((partition, offset), None) == value, "%d: not at %d/%d" % (
                receipt_id, partition, offset))
    check(not log, "%d messages that nobody has a receipt for" % len(log))


def killed(cluster, scale):
    with running(cluster, streams=True) as dory:
        topic, count = new_topic("receipts"), round(ASKED * scale / CONNECTIONS)
        askers = [Asker(dory, ("unix", "tcp")[i % 2], topic, i, count) for i in range(CONNECTIONS)]
        stopped, kills = threading.Event(), {}
        killer = threading.Thread(target=kill_until, args=(dory, stopped, kills))
        for thread in [*askers, killer]:
            thread.start()
        for asker in askers:
            asker.join()
        stopped.set()
        killer.join()
        expect_true(cluster, topic, askers)
        books = dory.wait_delivered()
        asked = sum(len(asker.sent) for asker in askers)
        check(books["received"] == books["delivered"] == asked, "asked %d: %s" % (asked, books))
        check(min(kills.values()) > 0 and len(kills) == 2, "kills: %s" % kills)
        return "asked %d, receipts %d, each once and true; kills %s" % (
            asked, sum(len(asker.receipts) for asker in askers), kills)


def who_does_not_read(cluster, scale):
    """It is not read itself, until it reads; meanwhile others get theirs."""
    with running(cluster, streams=True) as dory:
        topic = new_topic("unread")
        deaf = Asker(dory, "unix", topic, 0, 0)
        deaf.client.setblocking(False)
        pending = b""
        while select.select([], [deaf.client], [], 2)[1]:
            pending = pending or deaf.compose()
            pending = pending[deaf.client.send(pending):]
        asked = len(deaf.sent)
        others = [Asker(dory, kind, topic, 1 + i, round(2000 * scale))
                  for i, kind in enumerate(("unix", "tcp"))]
        for other in others:
            other.start()
        for other in others:
            other.join()
        deaf.client.setblocking(True)
        sender = threading.Thread(target=deaf.client.sendall, args=(pending,))
        sender.start()
        while len(deaf.receipts) < asked:
            deaf.read()
        sender.join()
        expect_true(cluster, topic, [deaf, *others])
        return "%d asked before it was not read any more; all have theirs" % asked


def who_has_sent_all(cluster, scale):
    """A client that has closed its sending side gets its receipts, and then the end."""
    with running(cluster, streams=True) as dory:
        topic = new_topic("half-closed")
        askers = [Asker(dory, kind, topic, i, 0) for i, kind in enumerate(("unix", "tcp"))]
        for asker in askers:
            for _ in range(round(150 * scale) + 1):
                asker.ask()
            asker.client.shutdown(socket.SHUT_WR)
        dory.kill_worker("dory-intake")
        for asker in askers:
            while len(asker.receipts) < len(asker.sent):
                asker.read()
            check(asker.client.recv(1) == b"", "there is no end behind the last receipt")
        expect_true(cluster, topic, askers)
        wait_until(lambda: sum(each.get("connections", 0) for each in dory.status()["inputs"]) == 0,
                   "all are closed")
        return "%d receipts, then the end" % sum(len(asker.receipts) for asker in askers)


TESTS = [killed, who_does_not_read, who_has_sent_all]


def main():
    tests, scale = read_arguments(TESTS, __doc__)
    with tempfile.TemporaryDirectory(prefix="dory-kafka-") as folder, \
            kafka_cluster.Cluster(VERSION, folder, 1, free_port(1)) as cluster:
        return harness.run_tests(tests, cluster, scale)


if __name__ == "__main__":
    sys.exit(main())
