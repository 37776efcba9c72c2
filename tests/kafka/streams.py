#!/usr/bin/env python3
"""Streams into a real broker: messages of 48 bytes to 16 MiB mixed while the intake is killed,
clients that are killed right after their send() returned, and ten restarts under load.

    tests/kafka/streams.py [TEST...] [--scale F]
"""

import os
import random
import signal
import socket
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka import kafka_cluster  # noqa: E402
from kafka.old_versions import read_by_kcat  # noqa: E402
from kafka.three_brokers import (  # noqa: E402
    VERSION, free_port, new_topic, read_arguments, running, settle_accounts)
from daemon.daemon_case import encode  # noqa: E402
from support import harness  # noqa: E402
from support.harness import Senders, Streams, Together, check, wait_until  # noqa: E402

MIB = 1 << 20
LARGE = 16 * MIB - 1024          # and the rest of the message: within the limit of 16 MiB
BROKER = {"message.max.bytes": str(64 * MIB), "socket.request.max.bytes": str(100 * MIB)}
BUFFER = "ring_size = 64M\npool_size = 256M\n"
REQUESTS = "max_request_bytes = 32M\nin_flight_bytes = 64M\n"
SIZES = [48] * 200 + [1024] * 100 + [MIB] + [200] * 100 + [LARGE]
CLIENTS = 100
RESTARTS = 10
KINDS = ("datagram", "unix_stream", "tcp")


def large_among_small(cluster, scale):
    """Six connections and two datagram senders; the intake is killed 30 times."""
    with running(cluster, buffer=BUFFER, more=REQUESTS, streams=True) as dory:
        topic = new_topic("large")
        senders = Together(
            Senders(dory, topic, 2, 0, rate=500),
            Streams(dory, topic, dory.stream_socket, 3, 100, rate=150, sizes=SIZES),
            Streams(dory, topic, dory.port, 3, 200, rate=150, sizes=SIZES))
        kills = 0
        for _ in range(round(30 * scale)):
            time.sleep(0.3)
            kills += dory.kill_worker("dory-intake")
        check(kills > 0, "the intake was never killed")
        return "kills %d; %s" % (kills, settle_accounts(cluster, dory, senders, senders.stop()))


def connect(dory, kind):
    if kind == "tcp":
        return socket.create_connection(("127.0.0.1", dory.port))
    is_stream = kind == "unix_stream"
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if is_stream else socket.SOCK_DGRAM)
    client.connect(dory.stream_socket if is_stream else dory.socket)
    return client


def die_after_send(dory, kind, topic, number):
    """A child that is killed by its own hand the moment its send() has returned."""
    pid = os.fork()
    if pid == 0:
        try:
            client = connect(dory, kind)
            client.sendall(encode(topic, b"%s %d" % (kind.encode(), number)))
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    return pid


def clients_die(cluster, _scale):
    """What each of them has sent arrives."""
    with running(cluster, streams=True) as dory:
        topic = new_topic("die")
        for kind in KINDS:
            pids = [die_after_send(dory, kind, topic, i) for i in range(CLIENTS)]
            killed = sum(os.waitpid(pid, 0)[1] == signal.SIGKILL for pid in pids)
            check(killed == CLIENTS, "%s: %d of %d sent" % (kind, killed, CLIENTS))
        wait_until(lambda: dory.books()["delivered"] == CLIENTS * len(KINDS), "all is delivered")
        books = dory.books()
        check(books["received"] == CLIENTS * len(KINDS), "more than was sent: %s" % books)
        return "%d of %d on each of %s" % (CLIENTS, CLIENTS, ", ".join(KINDS))


class Client(threading.Thread):
    """Sends until it is told to stop, over any number of connections; counts what was taken.

    Over TCP it looks for the other side's end before each message, as a client has to that wants
    to know: TCP takes a message for a peer that is gone."""

    def __init__(self, dory, kind, topic):
        super().__init__()
        self.where, self.sent, self.reconnects = (dory, kind), 0, 0
        self.topic, self.stopped = topic, threading.Event()

    def run(self):
        client = None
        while not self.stopped.is_set():
            try:
                client = client or connect(*self.where)
                if self.where[1] == "tcp" and self.is_at_end(client):
                    raise ConnectionResetError
                client.sendall(encode(self.topic, b"%d" % self.sent + b"v" * 200))
                self.sent += 1
            except OSError:
                self.reconnects += 1
                client = client and client.close()
                time.sleep(0.01)
        if client:
            client.close()

    @staticmethod
    def is_at_end(client):
        try:
            return client.recv(1, socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False


def restarts(cluster, _scale):
    """Ten orderly stops and starts: what sends have taken is what has arrived."""
    said = []
    for kind in KINDS[1:]:
        with running(cluster, streams=True) as dory:
            clients = [Client(dory, kind, new_topic("restarts")) for _ in range(4)]
            for client in clients:
                client.start()
            for _ in range(RESTARTS):
                time.sleep(0.3)
                dory.terminate()
                dory.start()
            for client in clients:
                client.stopped.set()
            for client in clients:
                client.join()
            books = dory.wait_delivered()
            sent = sum(client.sent for client in clients)
            check(books["received"] == books["delivered"] == sent,
                  "%s: sent %d: %s" % (kind, sent, books))
            check(min(client.reconnects for client in clients) >= RESTARTS, "nobody noticed")
            said.append("%s: sent %d = received = delivered" % (kind, sent))
    return "; ".join(said)


def over_the_default_limit(cluster, _scale):
    """Messages of 17 and 60 MiB, where max_message_size allows them; the intake dies meanwhile."""
    with tempfile.TemporaryDirectory(prefix="dory-large-") as folder:
        path = os.path.join(folder, "input")
        options = "[input:large]\ntype = unix_stream\npath = %s\nmax_message_size = 100M\n" % path
        with running(cluster, buffer="ring_size = 256M\npool_size = 512M\n",
                     more=REQUESTS.replace("32M", "128M") + options) as dory:
            topic = new_topic("larger")
            values = [random.randbytes(size * MIB // 2).hex().encode() for size in (17, 60)]
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.connect(path)
                for value in values:
                    message = encode(topic, value)
                    client.sendall(message[:5 * MIB])
                    dory.kill_worker("dory-intake")
                    client.sendall(message[5 * MIB:])
                    dory.kill_worker("dory-kafka")
                wait_until(lambda: dory.books()["received"] == len(values), "both are received")
                dory.wait_delivered()
            arrived = read_by_kcat(cluster, topic, "-X", "fetch.message.max.bytes=200000000",
                                   "-X", "receive.message.max.bytes=210000000", "-f", "%s\n")
            check(sorted(arrived.encode().split(), key=len) == values, "they are not what was sent")
            return "%s bytes" % ", ".join(str(len(value)) for value in values)


TESTS = [large_among_small, clients_die, restarts, over_the_default_limit]


def main():
    tests, scale = read_arguments(TESTS, __doc__)
    with tempfile.TemporaryDirectory(prefix="dory-kafka-") as folder, \
            kafka_cluster.Cluster(VERSION, folder, 1, free_port(1), BROKER) as cluster:
        return harness.run_tests(tests, cluster, scale)


if __name__ == "__main__":
    sys.exit(main())
