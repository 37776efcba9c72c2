"""Every message of tests/golden/messages over every transport: what becomes of it, and of the
connection that it came on."""

import glob
import os
import socket
import unittest

from daemon_case import TOP, DaemonCase, encode, free_port, wait_for

FOLDER = os.path.join(TOP, "tests", "golden", "messages")
TIMEOUT_S = 20


class Golden:
    """A file: its bytes, the reason that it is rejected for (empty: none), on a stream and not,
    and whether a stream is closed then."""

    def __init__(self, path):
        self.name = os.path.basename(path)[:-len(".hex")]
        with open(path, encoding="utf-8") as file:
            _title, verdict, *lines = file.read().splitlines()
        self.bytes = bytes.fromhex("".join(line.split("#")[0] for line in lines))
        words = verdict.replace(",", "").replace(";", "").split()
        self.reason = words[3] if words[1] == "rejected" else ""
        self.stream_reason = words[words.index("stream") + 2] if "on" in words else self.reason
        self.closes = verdict.endswith("is closed")
        self.is_cut_off = "waits for what is missing" in verdict


GOLDEN = [Golden(path) for path in sorted(glob.glob(os.path.join(FOLDER, "*.hex")))]


class MessagesTest(DaemonCase):
    def setUp(self):
        super().setUp()
        self.stream = os.path.join(self.folder, "stream")
        self.port = free_port()
        self.write_config(more="[input:datagram]\ntype = unix_datagram\npath = %s/datagram\n"
                               "[input:stream]\ntype = unix_stream\npath = %s\n"
                               "partial_timeout = 300ms\n"
                               "[input:tcp]\ntype = tcp\nport = %d\n"
                          % (self.folder, self.stream, self.port))
        self.start()
        self.expected = {}

    def connect(self, kind):
        if kind == "tcp":
            return socket.create_connection(("127.0.0.1", self.port), TIMEOUT_S)
        if kind == "tcp6":
            return socket.create_connection(("::1", self.port), TIMEOUT_S)
        client = socket.socket(socket.AF_UNIX,
                               socket.SOCK_STREAM if kind == "stream" else socket.SOCK_DGRAM)
        client.settimeout(TIMEOUT_S)
        client.connect(self.stream if kind == "stream" else self.folder + "/datagram")
        return client

    def count(self, reason):
        self.sent += 1
        if reason:
            self.expected[reason] = self.expected.get(reason, 0) + 1

    def check_counted(self):
        wait_for("all received",
                 lambda: self.status()["books"]["received"] == self.sent)
        status = self.status()
        self.assertEqual({k: v for k, v in status["rejected_by"].items() if v}, self.expected)
        self.assertEqual(status["books"]["appended"],
                         self.sent - sum(self.expected.values()))

    def send_on_stream(self, kind, golden):
        with self.connect(kind) as client:
            client.sendall(golden.bytes)
            if golden.is_cut_off:
                self.count("unclean_disconnect_" + ("unix" if kind == "stream" else "tcp"))
                return
            self.count(golden.stream_reason)
            if golden.closes:
                self.assertEqual(client.recv(1), b"", golden.name)
                return
            client.sendall(encode("t", golden.name.encode()))    # it is open
            self.count("")

    def test_datagrams(self):
        with self.connect("datagram") as client:
            for golden in GOLDEN:
                client.send(golden.bytes)
                self.count(golden.reason)
            client.send(b"")
            client.send(b"\0\0\0\6ab")
            self.count("malformed")
            self.count("malformed")
            client.send(encode("t", b"v" * 70000))
            self.count("too_long")
        self.check_counted()

    def check_stream(self, kind):
        for golden in GOLDEN:
            self.send_on_stream(kind, golden)
        self.check_counted()

    def test_unix_streams(self):
        self.check_stream("stream")

    def test_a_message_that_does_not_end_costs_its_connection(self):
        message = encode("t", b"slow")
        with self.connect("stream") as other, self.connect("stream") as client:
            other.sendall(message)           # idle from now on, and left alone
            self.count("")
            for byte in message[:3]:
                client.sendall(bytes([byte]))
            self.assertEqual(client.recv(1), b"")
            self.count("unclean_disconnect_unix")
            other.sendall(message)
            self.count("")
            self.check_counted()

    def test_tcp(self):
        self.check_stream("tcp")

    def test_tcp_of_version_6(self):
        self.check_stream("tcp6")

    def test_all_of_them_one_after_the_other_on_one_connection(self):
        with self.connect("stream") as client:
            for golden in GOLDEN:
                if golden.closes or golden.is_cut_off:
                    continue
                client.sendall(golden.bytes)
                self.count(golden.stream_reason)
        self.check_counted()


if __name__ == "__main__":
    unittest.main()
