#!/usr/bin/env python3
"""However many clients there are, a broker sees one connection of each lane, batches hold messages
of many senders, and those for any partition are spread over all.

    tests/kafka/connections.py [TEST...] [--scale F]

Connections are counted in the kernel's tables, at the brokers' listeners. --scale multiplies how
many short-lived clients there are.
"""

import glob
import json
import os
import re
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka import kafka_cluster, messages, three_brokers  # noqa: E402
from kafka.old_versions import create_topic  # noqa: E402
from kafka.three_brokers import BROKERS, new_topic, running, settle_accounts  # noqa: E402
from support.harness import (  # noqa: E402
    Senders, Streams, Together, check, list_children, wait_until)
from support.kafka_bytes import decode_batch  # noqa: E402

LANES = 2
BUFFER = "ring_size = 16M\npool_size = 64M\nlanes = %d\n" % LANES
DATAGRAM_SENDERS, CONNECTIONS = 32, 16      # and as many of TCP: 64 senders
RATE = 10                                   # messages a second of each
CLIENTS = 10_000                            # each connects, sends one message and goes
AT_A_TIME = 8
FIRST_CLIENT = 100_000
PARTITIONS = 12
PAUSE_S = 4                                 # of a follower: longer than one may take unsuspected
ESTABLISHED = "01"
SUSPECTS = re.compile(r"(dory-kafka-\d).*: broker (\d), for suspect partitions, .*: connected")


# ---- connections, as a broker's side of the kernel has them ----------------------------------

def read_tcp_table():
    """(local port, peer's port, inode) of what is established; a row may be told twice."""
    found = set()
    for name in ("tcp", "tcp6"):    # a JVM's sockets are of IPv6, whoever comes
        with open("/proc/net/" + name, encoding="ascii") as file:
            for row in map(str.split, file.readlines()[1:]):
                if row[3] == ESTABLISHED:
                    local, peer = (int(end.rsplit(":", 1)[1], 16) for end in row[1:3])
                    found.add((local, peer, row[9]))
    return found


def sockets_of(pid):
    """The inodes of a process's sockets."""
    found = set()
    for path in glob.glob("/proc/%d/fd/*" % pid):
        try:
            link = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(path))
        except OSError:
            continue
        if link:
            found.add(link[1])
    return found


def count_connections(cluster, dory):
    """By broker, how many of those at its listener lead to a dory-kafka."""
    inodes = set().union(*(sockets_of(pid) for name, pid in list_children(dory.process.pid)
                           if name == "dory-kafka"))
    table = read_tcp_table()
    ours = {local for local, _peer, inode in table if inode in inodes}
    ports = [kafka_cluster.broker_port(cluster.state, i) for i in range(BROKERS)]
    return [sum(local == port and peer in ours for local, peer, _inode in table) for port in ports]


class Watch:
    """Counts all the time, in the length of a `with` block."""

    def __init__(self, cluster, dory):
        self.dory = dory
        self.look = lambda: count_connections(cluster, dory)
        self.began = os.path.getsize(dory.log)
        self.counts = []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()

    def run(self):
        while not self.stopped.wait(0.2):
            self.counts.append(self.look())

    def most(self):
        return [max(column) for column in zip(*self.counts)]

    def check_most(self):
        """One of each lane, and of a lane that had suspects there one more."""
        with open(self.dory.log, encoding="utf-8") as file:
            file.seek(self.began)
            suspects = {(lane, int(broker)) for lane, broker in SUSPECTS.findall(file.read())}
        allowed = [LANES + sum(where == i for _lane, where in suspects) for i in range(BROKERS)]
        check(all(map(int.__le__, self.most(), allowed)),
              "connections: %s, of %s" % (self.most(), allowed))


# ---- clients ---------------------------------------------------------------------------------

class ShortLived(Senders):
    """Clients of all kinds, some at a time; each is a sender of one message."""

    def __init__(self, dory, topic, count):
        self.topic, self.processes, self.dory = topic, [], dory
        self.folder = os.path.join(dory.folder, "clients")
        os.mkdir(self.folder)
        numbers = range(FIRST_CLIENT, FIRST_CLIENT + count)
        self.reports = [os.path.join(self.folder, str(number)) for number in numbers]
        self.threads = [threading.Thread(target=self.run, args=(numbers[i::AT_A_TIME],))
                        for i in range(AT_A_TIME)]
        for thread in self.threads:
            thread.start()

    def run(self, numbers):
        for number in numbers:
            with self.connect(number % 3) as client:
                client.sendall(messages.encode(self.topic, b"", b"S%d A 0" % number))
            with open(os.path.join(self.folder, str(number)), "w", encoding="utf-8") as file:
                json.dump({"sender": number, "sent_any": 1, "sent_key": 0, "again": 0,
                           "refused": 0}, file)

    def connect(self, kind):
        if kind == 2:
            return socket.create_connection(("127.0.0.1", self.dory.port))
        client = socket.socket(socket.AF_UNIX, (socket.SOCK_DGRAM, socket.SOCK_STREAM)[kind])
        client.connect((self.dory.socket, self.dory.stream_socket)[kind])
        return client

    def join(self):
        for thread in self.threads:
            thread.join()


# ---- batches, as they are in a log -----------------------------------------------------------

def read_batches(cluster, topic, folder="data0"):
    """{partition: the batches' values}, from the logs of one broker, or of all (folder "data*")."""
    found = {}
    for path in glob.glob(os.path.join(cluster.state["dir"], folder, topic + "-*", "*.log")):
        batches = found.setdefault(int(path.split("/")[-2].rsplit("-", 1)[1]), [])
        with open(path, "rb") as file:
            data, at = file.read(), 0
        while at + 12 <= len(data):
            size = 12 + int.from_bytes(data[at + 8:at + 12], "big")
            if size == 12:
                break       # preallocated, or not written yet
            # The leader has stored the offset, which is not part of what was sent.
            batch = decode_batch(bytes(8) + data[at + 8:at + size])
            batches.append(batch.values)
            at += size
    return found


# ---- tests -----------------------------------------------------------------------------------

def start_senders(dory, topic):
    return Together(Senders(dory, topic, DATAGRAM_SENDERS, 0, rate=RATE),
                    Streams(dory, topic, dory.stream_socket, CONNECTIONS, 1000, rate=RATE),
                    Streams(dory, topic, dory.port, CONNECTIONS, 2000, rate=RATE))


def wait_one_a_lane(cluster, dory):
    wait_until(lambda: dory.books()["delivered"] > 0, "the topic is there")
    wait_until(lambda: count_connections(cluster, dory) == [LANES] * BROKERS,
               "each broker has a connection of each lane")


def many_clients(cluster, scale):
    """64 senders and 10,000 short-lived clients."""
    with running(cluster, buffer=BUFFER, streams=True) as dory:
        topic = new_topic("clients")
        senders = start_senders(dory, topic)
        wait_one_a_lane(cluster, dory)
        with Watch(cluster, dory) as watch:
            short_lived = ShortLived(dory, topic, round(CLIENTS * scale))
            short_lived.join()
            senders.stop()
            everybody = Together(senders, short_lived)
            account = settle_accounts(cluster, dory, everybody, everybody.sent())
        watch.check_most()
        batches = sum(read_batches(cluster, topic).values(), [])    # a broker has a copy of all
        mixed = [len({value.split(b" ", 1)[0] for value in values}) for values in batches]
        check(sum(map(len, batches)) == everybody.sent(), "other batches than were sent")
        check(max(mixed) > 1, "every batch is one sender's")
        return ("%s; connections at each broker, of %d lanes: %s, in %d looks; batches %d, of %.1f "
                "senders in the mean, %d at most") % (
            account, LANES, watch.most(), len(watch.counts), len(batches),
            sum(mixed) / len(mixed), max(mixed))


def suspects_have_one_more(cluster, _scale):
    """A follower is stopped for a moment, which every leader waits for."""
    with running(cluster, buffer=BUFFER, streams=True) as dory:
        topic = new_topic("suspect")
        senders = start_senders(dory, topic)
        wait_one_a_lane(cluster, dory)
        with Watch(cluster, dory) as watch:
            cluster.pause(BROKERS - 1)
            time.sleep(PAUSE_S)
            cluster.resume(BROKERS - 1)
            wait_until(lambda: max(watch.most()) > LANES, "a second connection, for suspects")
            wait_one_a_lane(cluster, dory)
        watch.check_most()
        return "%s; connections at each broker, at most: %s" % (
            settle_accounts(cluster, dory, senders, senders.stop()), watch.most())


def any_partition_is_spread(cluster, scale):
    """No partition has less than half of the mean of what may go to any, the first seconds aside:
    while brokers make a topic's partitions known, batches grow, and each goes to one of them."""
    topic = new_topic("spread")
    create_topic(cluster, topic, PARTITIONS)
    with running(cluster, buffer=BUFFER, more="[topic:*]\nbatch_time = 20ms\n") as dory:
        senders = Senders(dory, topic, 4, round(40_000 * scale), rate=2000)  # 20 s
        account = settle_accounts(cluster, dory, senders, senders.wait())
        counts = [sum(value.split(b" ")[1] == b"A" for values in batches for value in values)
                  for batches in read_batches(cluster, topic, "data*").values()]
        check(len(counts) == PARTITIONS, "partitions: %d" % len(counts))
        mean = sum(counts) / PARTITIONS
        check(mean > 100 and min(counts) >= mean / 2, "messages of each partition: %s" % counts)
        return "%s; of each partition %d to %d, %.0f in the mean" % (
            account, min(counts), max(counts), mean)


if __name__ == "__main__":
    sys.exit(three_brokers.run(
        [many_clients, suspects_have_one_more, any_partition_is_spread], __doc__))
