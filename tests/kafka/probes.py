"""Numbered messages that ask for receipts, now and then, so that each says how long it took until
it was acknowledged. A connection for each topic: none waits for another one's tickets.
"""

import collections
import json
import os
import select
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka.messages import encode_asking  # noqa: E402

RECEIPT = struct.Struct(">iqhiq")
CLOSES_AFTER_S = 120

Acknowledged = collections.namedtuple("Acknowledged", "topic sent_s took_s")


class Probe:
    """Those of one topic, in their order, by a sender of this number."""

    def __init__(self, path, topic, number):
        self.topic, self.number = topic, number
        self.client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.client.connect(path)
        self.client.setblocking(False)
        self.sent_s, self.took_s = [], {}
        self.unread = b""

    def send(self):
        value = b"S%d A %d" % (self.number, len(self.sent_s))
        message = encode_asking(self.topic, len(self.sent_s), value)
        now_s = time.monotonic()
        try:
            sent = self.client.send(message)
        except BlockingIOError:
            return
        self.client.setblocking(True)
        self.client.sendall(message[sent:])
        self.client.setblocking(False)
        self.sent_s.append(now_s)

    def read(self):
        more = self.client.recv(1 << 16)
        now_s = time.monotonic()
        if not more:
            raise ConnectionError("the connection of %s has ended" % self.topic)
        self.unread += more
        while len(self.unread) >= RECEIPT.size:
            size, number, code, _partition, _offset = RECEIPT.unpack_from(self.unread)
            self.unread = self.unread[RECEIPT.size:]
            if size != RECEIPT.size or code != 0 or number in self.took_s:
                raise ValueError("a receipt of %d bytes, code %d for %d" % (size, code, number))
            self.took_s[number] = now_s - self.sent_s[number]

    def is_done(self):
        return len(self.took_s) == len(self.sent_s)


class Probes(threading.Thread):
    """One of each topic in each interval, spread over it, until stop(), which waits for all
    receipts. Reports of what was sent go into `folder`."""

    def __init__(self, path, topics, interval_s, folder, first_number=5000):
        super().__init__()
        self.probes = [Probe(path, topic, first_number + i) for i, topic in enumerate(topics)]
        self.step_s = interval_s / len(self.probes)
        self.folder = folder
        self.topic, self.processes = ",".join(topics), []     # as other senders have
        self.reports = [os.path.join(folder, "probe-%d.json" % p.number) for p in self.probes]
        self.stopping, self.fault = threading.Event(), None

    def run(self):
        try:
            self.send_until_stop()
            self.read_until(time.monotonic() + CLOSES_AFTER_S, self.is_done)
        except (OSError, ValueError) as fault:
            self.fault = fault
        for probe, report in zip(self.probes, self.reports):
            probe.client.close()
            with open(report, "w", encoding="utf-8") as file:
                json.dump({"sender": probe.number, "sent_any": len(probe.sent_s), "sent_key": 0,
                           "again": 0, "refused": 0}, file)

    def is_done(self):
        return all(probe.is_done() for probe in self.probes)

    def send_until_stop(self):
        due_s, turn = time.monotonic(), 0
        while not self.stopping.is_set():
            self.probes[turn % len(self.probes)].send()
            turn, due_s = turn + 1, due_s + self.step_s
            self.read_until(due_s)

    def read_until(self, end_s, done=lambda: False):
        by_fd = {probe.client.fileno(): probe for probe in self.probes}
        while not done():
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                return
            for fd in select.select(list(by_fd), [], [], left_s)[0]:
                by_fd[fd].read()

    def stop(self):
        """All that were acknowledged; raises where one was not."""
        self.stopping.set()
        self.join()
        if self.fault or not self.is_done():
            raise RuntimeError("probes: %s" % (self.fault or "some have no receipt"))
        return [Acknowledged(probe.topic, probe.sent_s[number], took_s)
                for probe in self.probes for number, took_s in probe.took_s.items()]


def percentile(values, part):
    """The least that so many of them are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
