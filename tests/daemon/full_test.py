"""A lane whose buffer is full: its senders wait or are refused, those of others notice nothing."""

import os
import signal
import socket
import unittest

from daemon_case import DaemonCase, encode, wait_for

BUFFER = "ring_size = 4M\npool_size = 16M\nlanes = 2\n"
INPUTS = "[input:a]\n[input:b]\nlane = 1\n"
LARGE = encode("large", b"v" * 60000)


class Full(DaemonCase):
    def begin(self, buffer=BUFFER):
        self.write_config(buffer=buffer, more=INPUTS)
        self.start()
        self.hold_broker(True)

    def tearDown(self):
        self.hold_broker(False)
        super().tearDown()

    def hold_broker(self, hold):
        process = self.stand_in.process
        if process.poll() is None:
            process.send_signal(signal.SIGSTOP if hold else signal.SIGCONT)

    def connect(self, name):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(client.close)
        client.connect(os.path.join(self.run_dir, "input_%s_sock" % name))
        client.setblocking(False)
        return client

    def send_now(self, client, message):
        try:
            client.send(message)
        except BlockingIOError:
            return False
        self.sent += 1
        return True

    def fill(self, client):
        """Until nothing is taken for half a second, and the ring is what is full."""
        client.settimeout(0.5)

        def blocked():
            try:
                while True:
                    client.send(LARGE)
                    self.sent += 1
            except TimeoutError:
                return self.status()["buffer"]["ring_used"] > 3 << 20
        wait_for("a full lane", blocked)
        client.setblocking(False)

    def check_other_lane(self):
        client = self.connect("a")
        client.settimeout(60)
        for _ in range(1000):
            client.send(encode("small", b"v"))
            self.sent += 1

        def small():
            topics = {topic["name"]: topic for topic in self.status()["topics"]}
            return topics.get("small", {"received": 0})
        wait_for("all of the other lane", lambda: small()["received"] == 1000)
        self.assertEqual(small()["rejected"], 0)

    def test_senders_of_a_full_lane_wait_and_others_do_not(self):
        self.begin()
        full = self.connect("b")
        self.fill(full)
        self.check_other_lane()
        self.fill(full)
        self.assertEqual(self.status()["books"]["rejected"], 0)
        self.hold_broker(False)
        self.wait_delivered()
        wait_for("room", lambda: self.send_now(full, LARGE))
        self.wait_delivered()

    def test_messages_of_a_full_lane_are_refused_and_others_are_not(self):
        self.begin(BUFFER + "reject_lanes = 1\n")
        full = self.connect("b")

        def refused():
            for _ in range(50):
                self.send_now(full, LARGE)
            return self.status()["rejected_by"].get("no_room", 0)
        wait_for("a message without room", refused)
        self.check_other_lane()
        self.wait_received()
        self.hold_broker(False)
        wait_for("all that was taken", lambda: self.status()["books"]["buffered"] == 0)
        taken = self.status()["books"]["delivered"]

        def one_more():
            self.send_now(full, LARGE)
            return self.status()["books"]["delivered"] > taken
        wait_for("room", one_more)
        self.wait_received()


if __name__ == "__main__":
    unittest.main()
