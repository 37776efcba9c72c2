"""Receipts on stream connections: what clients are told, and that each is told once, whoever dies.

The broker is the scripted one, whose log says which message lies at an offset.
"""

import collections
import os
import select
import signal
import socket
import struct
import subprocess
import threading
import time

from daemon_case import SMALL, WAIT_S, encode, free_port, wait_for
from messages_test import FOLDER, Golden
from scripted_test import Scripted, Step

INPUTS = """[input:datagram]
[input:stream]
type = unix_stream
deny = secret*
[input:tcp]
type = tcp
port = %d
[topic:slow]
rate_limit = 1/24h
"""
Receipt = collections.namedtuple("Receipt", "id code partition offset")
RECEIPT = struct.Struct(">iqhiq")
DELIVERED, BAD_TOPIC, TOO_MANY_TOPICS, NO_ROOM, RATE_LIMIT, NOT_ALLOWED = 0, 5, 6, 7, 8, 9
REFUSED, OTHER = 103, 108
OPEN_AT_MOST = 157      # of a connection: what has room in its area


def ask(number, value, topic="t", partition=None):
    """A message of version 1 that asks for a receipt."""
    body = struct.pack(">hhh", 256 if partition is None else 257, 1, 1)
    if partition is not None:
        body += struct.pack(">i", partition)
    body += struct.pack(">qh", number, len(topic)) + topic.encode()
    body += struct.pack(">qhii", int(time.time() * 1000), 0, -1, len(value)) + value
    return struct.pack(">i", len(body) + 4) + body


class Client:
    """A stream connection, and what has come on it."""

    def __init__(self, connected):
        self.socket = connected
        self.socket.settimeout(WAIT_S)
        self.bytes = b""

    def send(self, data):
        self.socket.sendall(data)

    def take(self):
        """The receipts that are whole now."""
        whole = len(self.bytes) // RECEIPT.size * RECEIPT.size
        found = []
        for size, *fields in RECEIPT.iter_unpack(self.bytes[:whole]):
            assert size == RECEIPT.size, "no receipt: %r" % self.bytes[:whole]
            found.append(Receipt(*fields))
        self.bytes = self.bytes[whole:]
        return found

    def receive(self, count):
        """So many receipts by id, and not one more."""
        receipts = []
        while len(receipts) < count:
            data = self.socket.recv(1 << 16)
            assert data, "the connection ended after %d of %d receipts" % (len(receipts), count)
            self.bytes += data
            receipts += self.take()
        assert self.is_silent() and not self.bytes
        by_id = {receipt.id: receipt for receipt in receipts}
        assert len(by_id) == count == len(receipts), "a receipt came twice"
        return by_id

    def is_silent(self):
        readable = select.select([self.socket], [], [], 0)[0]
        return not readable or not self.socket.recv(1, socket.MSG_PEEK)

    def receive_to_end(self):
        while data := self.socket.recv(1 << 16):
            self.bytes += data
        return self.take()


class ReceiptsCase(Scripted):
    def begin(self, partitions=4, options="", buffer=SMALL, topics=()):
        self.port = free_port()
        self.path = os.path.join(self.run_dir, "input_stream_sock")
        self.run_against(partitions, INPUTS % self.port + options, buffer=buffer)
        for topic in topics:
            self.broker.topics[topic] = 1

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(WAIT_S)
        client.connect(self.path)
        self.addCleanup(client.close)
        return Client(client)

    def connect_tcp(self):
        client = socket.create_connection(("127.0.0.1", self.port), WAIT_S)
        self.addCleanup(client.close)
        return Client(client)

    def ask_many(self, count, first=1, **where):
        """Messages that ask, on end; they count as sent."""
        self.sent += count
        return b"".join(ask(number, b"message %d" % number, **where)
                        for number in range(first, first + count))

    def check_delivered(self, receipts, topic="t", name=b"message %d"):
        """Each receipt names the place in the log where that message is."""
        for receipt in receipts.values():
            self.assertEqual(receipt.code, DELIVERED)
            self.assertEqual(self.broker.log[topic, receipt.partition][receipt.offset],
                             name % receipt.id)
        places = {(receipt.partition, receipt.offset) for receipt in receipts.values()}
        self.assertEqual(len(places), len(receipts))

    def kill(self, name):
        before = self.worker(name)
        os.kill(before["pid"], signal.SIGKILL)
        self.wait_up(name, before["generation"])


class Told(ReceiptsCase):
    def test_where_a_message_is(self):
        self.begin()
        for number, client in enumerate((self.connect(), self.connect_tcp())):
            first = 1 + 1000 * number
            client.send(self.ask_many(500, first) + self.ask_many(100, first + 500, partition=2))
            receipts = client.receive(600)
            self.check_delivered(receipts)
            self.assertTrue(all(receipts[first + i].partition == 2 for i in range(500, 600)))
        self.wait_settled()

    def test_not_before_kafka_has_acknowledged_it(self):
        self.begin(1)
        gate = threading.Event()
        self.broker.script("t", 0, Step(gate=gate))
        client = self.connect()
        client.send(self.ask_many(1))
        wait_for("the request", lambda: self.broker.seen["t", 0])
        client.send(self.ask_many(1, 2, topic="secrets"))
        self.assertEqual(client.receive(1)[2].code, NOT_ALLOWED)    # it overtakes
        gate.set()
        self.check_delivered(client.receive(1))

    def test_what_was_rejected(self):
        self.begin(topics=("slow",))
        client = self.connect()
        client.send(ask(1, b"v", "no topic") + ask(2, b"v", "secrets") +
                    ask(3, b"message 3", "slow") + ask(4, b"v", "slow") + ask(5, b"message 5"))
        self.sent += 5
        receipts = client.receive(5)
        self.assertEqual([receipts[number].code for number in range(1, 6)],
                         [BAD_TOPIC, NOT_ALLOWED, DELIVERED, RATE_LIMIT, DELIVERED])
        self.check_delivered({3: receipts[3]}, "slow")
        self.check_delivered({5: receipts[5]})
        for number in (1, 2, 4):
            self.assertEqual(receipts[number][2:], (-1, -1))
        books = self.books()
        self.assertEqual((books["received"], books["rejected"], books["delivered"]), (5, 3, 2))

    def test_a_topic_too_many(self):
        self.begin(buffer=SMALL + "\nmax_topics = 1\n")
        client = self.connect()
        client.send(self.ask_many(1))
        self.assertEqual(client.receive(1)[1].code, DELIVERED)
        client.send(self.ask_many(1, topic="u"))
        self.assertEqual(client.receive(1)[1].code, TOO_MANY_TOPICS)

    def test_no_room(self):
        self.begin(1, buffer=SMALL + "\nwhen_full = reject\n")
        gate = threading.Event()
        self.broker.rules["t", 0] = lambda batch: Step(gate=gate) if not gate.is_set() else None
        client = self.connect()
        count = 30
        client.send(b"".join(ask(number, b"%d" % number + b"x" * 900_000)
                             for number in range(1, count + 1)))
        self.sent += count
        self.wait_received()
        rejected = self.books()["rejected"]
        self.assertGreater(rejected, 0)
        self.assertEqual(self.status()["rejected_by"]["no_room"], rejected)
        gate.set()
        codes = collections.Counter(r.code for r in client.receive(count).values())
        self.assertEqual(codes, {DELIVERED: count - rejected, NO_ROOM: rejected})

    def test_what_was_discarded(self):
        self.begin(2, "[topic:t]\nbatch_messages = 4\nbatch_time = 1h\n")
        self.broker.script("t", 0, Step(87, names=(1,)), Step(0), Step(87, names=(0,)))
        self.broker.script("t", 1, Step(17))
        client = self.connect()
        client.send(self.ask_many(4, 1, partition=0) + self.ask_many(4, 5, partition=1))
        receipts = client.receive(8)
        self.assertEqual(receipts[2], (2, REFUSED, 0, -1))
        self.check_delivered({number: receipts[number] for number in (1, 3, 4)})
        for number in range(5, 9):
            self.assertEqual(receipts[number], (number, OTHER, 1, -1))

    def test_who_does_not_ask_is_not_told(self):
        self.begin()
        client = self.connect()
        client.send(encode("t", b"v") + self.ask_many(1, 7) + encode("no topic", b"v") +
                    b"\0\0\0\x09\x01\0\0\0x" + self.ask_many(1, 8))
        self.sent += 3
        self.check_delivered(client.receive(2))
        wait_for("3 delivered", lambda: self.books()["delivered"] == 3)
        self.assertTrue(client.is_silent())

    def test_golden_messages_ask_for_them(self):
        self.begin()
        self.broker.topics["orders"] = 4
        client = self.connect()
        folder = os.path.join(FOLDER, "receipts")
        golden = {name: Golden(os.path.join(folder, name + ".hex")).bytes
                  for name in ("any", "any.null", "key")}
        client.send(b"".join(golden.values()))
        receipts = client.receive(3)
        self.assertEqual({number: receipt.code for number, receipt in receipts.items()},
                         {1: DELIVERED, (1 << 63) - 1: DELIVERED, -2: DELIVERED})
        self.assertEqual(receipts[-2].partition, 3)
        self.send_messages(golden.values())         # as datagrams
        self.sent += 3
        self.wait_received()
        self.assertEqual(self.status()["rejected_by"]["malformed"], 3)


class ToDory(ReceiptsCase):
    def run_to_dory(self, *words, code=0):
        result = subprocess.run([os.path.join(self.bin, "to_dory"), "--receipt", *words],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, check=False, timeout=WAIT_S)
        self.assertEqual((result.returncode, result.stderr), (code, ""), result.stdout[-200:])
        return [line.split() for line in result.stdout.splitlines()]

    def test_on_both_kinds_of_stream(self):
        self.begin()
        for where in (["--stream-socket-path", self.path], ["--port", str(self.port)]):
            lines = self.run_to_dory(*where, "--topic", "t", "--count", "3000", "--value", "v",
                                     "--seq")
            self.sent += 3000
            self.assertEqual(sorted(int(line[0]) for line in lines), list(range(1, 3001)))
            for number, word, partition, offset in lines:
                self.assertEqual(word, "delivered")
                place = "t", int(partition.removeprefix("partition="))
                self.assertEqual(self.broker.log[place][int(offset.removeprefix("offset="))],
                                 number.encode() + b" v")

    def test_what_is_not_delivered_is_its_failure(self):
        self.begin(topics=("slow",))
        lines = self.run_to_dory("--port", str(self.port), "--topic", "slow", "--count", "3",
                                 code=1)
        self.sent += 3
        self.assertEqual(sorted(lines), [["1", "delivered", "partition=0", "offset=0"],
                                         ["2", "rate_limit"], ["3", "rate_limit"]])


class Connections(ReceiptsCase):
    def test_a_half_closed_one_gets_its_receipts(self):
        self.begin(1)
        gate = threading.Event()
        self.broker.script("t", 0, Step(gate=gate))
        clients = [self.connect(), self.connect_tcp()]
        for client in clients:
            client.send(self.ask_many(100))
            client.socket.shutdown(socket.SHUT_WR)
        self.wait_received()
        gate.set()
        for client in clients:
            receipts = client.receive_to_end()
            self.assertEqual(len(receipts), 100)
            self.check_delivered({receipt.id: receipt for receipt in receipts})
        wait_for("no connection", lambda: not any(entry.get("connections")
                                                  for entry in self.status()["inputs"]))

    def test_a_client_that_never_reads_stops_only_its_own(self):
        self.begin()
        deaf, other = self.connect(), self.connect()
        asked = self.send_until_blocked(deaf)
        other.send(self.ask_many(2000))
        self.check_delivered(other.receive(2000))
        self.send_to(1, *[b"datagram"] * 100)
        wait_for("the datagrams", lambda: self.books()["delivered"] >= 2100)
        self.assertLess(self.books()["received"], asked + 2100)
        receipts = deaf.receive(asked)
        self.sent += asked
        self.check_delivered(receipts, name=b"deaf %d " + b"x" * 300)
        self.wait_settled()

    @staticmethod
    def send_until_blocked(client):
        """How many messages went out as a whole; the last one is completed."""
        client.socket.settimeout(3)
        number = 0
        while True:
            number += 1
            message = ask(number, b"deaf %d " % number + b"x" * 300)
            sent = 0
            try:
                while sent < len(message):
                    sent += client.socket.send(message[sent:])
            except TimeoutError:
                break
        client.socket.settimeout(WAIT_S)
        if sent == 0:
            return number - 1
        threading.Thread(target=client.send, args=(message[sent:],)).start()
        return number

    def test_one_that_is_gone_leaves_its_receipts_to_nobody(self):
        self.begin(buffer=SMALL + "\nreceipts = 64\n")
        gate = threading.Event()
        self.broker.rules["t", 0] = lambda batch: Step(gate=gate) if not gate.is_set() else None
        for _ in range(3):
            gone = self.connect()
            gone.send(self.ask_many(20, partition=0))
            self.wait_received()
            gone.socket.close()
        client = self.connect()
        sender = threading.Thread(target=client.send, args=(self.ask_many(1000),))
        sender.start()
        gate.set()
        self.check_delivered(client.receive(1000))
        sender.join()
        self.wait_settled()


class Deaths(ReceiptsCase):
    COUNT = 8000

    def test_of_an_intake_that_leaves_full_connections_and_every_outcome(self):
        """Its successor answers them all at once, and no outcome is to come that would wake it."""
        self.begin()
        gate = threading.Event()
        for partition in range(4):
            self.broker.rules["t", partition] = lambda batch: None if gate.is_set() else Step(
                gate=gate)
        for _ in range(2):
            gate.clear()
            self.kill_a_full_intake(gate, [self.connect(), self.connect_tcp()])

    def kill_a_full_intake(self, gate, clients):
        before = self.sent
        for client in clients:
            client.send(self.ask_many(1000))
        asked = before + len(clients) * OPEN_AT_MOST
        wait_for("all that may ask", lambda: self.books()["received"] == asked)
        intake = self.worker("intake-0")
        os.kill(intake["pid"], signal.SIGSTOP)
        gate.set()
        wait_for("all of it", lambda: len(self.broker.values("t")) == asked)
        time.sleep(0.2)     # nobody but the stopped intake could tell when its tickets are settled
        os.kill(intake["pid"], signal.SIGKILL)
        for client in clients:
            self.check_delivered(client.receive(1000))
        self.wait_up("intake-0", intake["generation"])

    def ask_while(self, work):
        """Asks for COUNT receipts on each of four connections, while work() goes on; checks all."""
        self.begin(options="[topic:t]\nbatch_time = 1ms\n")
        clients = [self.connect(), self.connect(), self.connect_tcp(), self.connect_tcp()]
        texts = [self.ask_many(self.COUNT // 4, 1 + i * self.COUNT) for i in range(len(clients))]
        outcomes = {}

        def receive(index, client):
            outcomes[index] = client.receive(self.COUNT // 4)

        def send(client, text):
            size = len(text) // 100
            for at in range(0, len(text), size):
                client.send(text[at:at + size])

        threads = [threading.Thread(target=receive, args=each) for each in enumerate(clients)]
        threads += [threading.Thread(target=send, args=each) for each in zip(clients, texts)]
        for thread in threads:
            thread.start()
        work(lambda: any(thread.is_alive() for thread in threads))
        for thread in threads:
            thread.join()
        self.assertEqual(len(outcomes), len(clients))
        for receipts in outcomes.values():
            self.check_delivered(receipts)
        self.assertEqual(self.wait_settled()["possible_duplicates"], 0)

    def kill_while(self, *names):
        def work(goes_on):
            for _ in range(6):
                for name in names:
                    self.kill(name)
                if not goes_on():
                    break
        self.ask_while(work)

    def test_of_the_intake(self):
        self.kill_while("intake-0")

    def test_of_the_kafka_worker(self):
        self.kill_while("kafka-0")

    def test_of_both(self):
        self.kill_while("intake-0", "kafka-0")
