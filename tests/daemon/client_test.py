"""[client:NAME]: limits by the user a client runs as, through deaths of intakes and reloads."""

import os
import signal
import socket
import unittest

from daemon_case import DaemonCase, IS_ROOT, encode, free_port, wait_for

WEB = 61033     # nobody has these numbers
BATCH = 61077
OTHER = 61099

CLIENTS = """
[client:web]
uid = %d
allow = web
[client:batch]
uid = %d
deny = web
[client:*]
deny = t
""" % (WEB, BATCH)


class ClientCase(DaemonCase):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.path = os.path.join(self.run_dir, "input_stream_sock")
        self.children = []

    def tearDown(self):
        for child in self.children:
            child.end()
        super().tearDown()

    def begin(self, more=CLIENTS):
        self.write_config(more="[input:datagram]\n[input:stream]\ntype = unix_stream\n"
                               "[input:tcp]\ntype = tcp\nport = %d\n" % self.port + more)
        return self.start()

    def client(self, uid, kind=socket.SOCK_DGRAM):
        child = Client(uid, self.input if kind == socket.SOCK_DGRAM else self.path, kind)
        self.children.append(child)
        return child

    def give(self, client, *topics):
        client.send(b"".join(encode(topic, b"v") for topic in topics))
        self.sent += len(topics)

    def topics(self):
        return {topic["name"]: (topic["received"] - topic["rejected"], topic["rejected"])
                for topic in self.status()["topics"]}


class Client:
    """A process of that user, which sends what it is given, and says when it has."""

    def __init__(self, uid, path, kind):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                ours.close()
                if IS_ROOT:
                    os.setgroups([])
                    os.setresgid(uid, uid, uid)
                    os.setresuid(uid, uid, uid)
                self.serve(theirs, path, kind)
            finally:
                os._exit(0)
        theirs.close()
        self.control = ours
        self.control.settimeout(60)

    @staticmethod
    def serve(control, path, kind):
        with socket.socket(socket.AF_UNIX, kind) as out:
            out.connect(path)
            while data := control.recv(1 << 16):
                out.sendall(data)
                control.send(b"sent")

    def send(self, data):
        self.control.send(data)
        if self.control.recv(16) != b"sent":
            raise AssertionError("the client is gone")

    def end(self):
        """Killed: clients that were forked later hold our end of the control socket, too."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.control.close()


@unittest.skipUnless(IS_ROOT, "only root can be other users")
class Users(ClientCase):
    def test_each_is_judged_by_its_own_section_through_deaths(self):
        self.begin()
        web = [self.client(WEB), self.client(WEB, socket.SOCK_STREAM)]
        batch = [self.client(BATCH), self.client(BATCH, socket.SOCK_STREAM)]
        other = self.client(OTHER)
        tcp = socket.create_connection(("127.0.0.1", self.port), 60)
        self.addCleanup(tcp.close)
        for _ in range(3):
            before = self.worker("intake-0")
            for _ in range(5):
                for client in web + batch + [other]:
                    self.give(client, "web")
                    self.give(client, "t")
                tcp.sendall(encode("web", b"v") + encode("t", b"v"))
                self.sent += 2
            os.kill(before["pid"], signal.SIGKILL)
            self.wait_up("intake-0", before["generation"])
        self.wait_received()
        # web: allowed to the two of WEB, OTHER and TCP; t: to the two of BATCH.
        self.assertEqual(self.topics(), {"web": (4 * 15, 2 * 15), "t": (2 * 15, 4 * 15)})
        self.assertEqual(self.status()["rejected_by"]["not_allowed"], 6 * 15)
        self.wait_delivered_all()

    def wait_delivered_all(self):
        wait_for("all that was taken", lambda: self.status()["books"]["buffered"] == 0)

    def test_a_rate_is_each_users(self):
        self.begin("[client:*]\nrate_limit = 5/24h\n")
        for client in (self.client(WEB), self.client(BATCH),
                       self.client(BATCH, socket.SOCK_STREAM)):
            for _ in range(4):
                self.give(client, "t")
        self.wait_received()
        self.assertEqual(self.topics(), {"t": (9, 3)})
        self.assertEqual(self.status()["rejected_by"]["rate_limit"], 3)

    def test_a_reload_brings_sections_and_takes_them_away(self):
        self.begin("")
        datagrams, stream = self.client(WEB), self.client(WEB, socket.SOCK_STREAM)
        self.give_both(datagrams, stream)
        self.assertEqual(self.topics(), {"t": (2, 0)})
        for more, topics in ((CLIENTS, {"t": (2, 2)}), ("", {"t": (4, 2)}),
                             (CLIENTS, {"t": (4, 4)})):
            with open(self.config, encoding="utf-8") as file:
                text = file.read().split("[client:")[0]
            with open(self.config, "w", encoding="utf-8") as file:
                file.write(text + more)
            self.assertEqual(self.doryctl("reload")[0], 0)
            self.give_both(datagrams, stream)
            self.assertEqual(self.topics(), topics)

    def give_both(self, *clients):
        for client in clients:
            self.give(client, "t")
        self.wait_received()


class Passing(ClientCase):
    def test_descriptors_that_are_passed_are_not_kept(self):
        self.begin()
        intake = self.worker("intake-0")["pid"]
        before = len(os.listdir("/proc/%d/fd" % intake))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.connect(self.input)
            for _ in range(200):
                socket.send_fds(client, [encode("web", b"v")], [0, 1, 2])
                self.sent += 1
        self.wait_received()
        self.assertEqual(len(os.listdir("/proc/%d/fd" % intake)), before)
        self.assertEqual(self.worker("intake-0")["pid"], intake)


if __name__ == "__main__":
    unittest.main()
