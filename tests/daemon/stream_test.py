"""Stream inputs: UNIX stream sockets and TCP, through deaths of intakes, shortages and stops."""

import os
import resource
import select
import signal
import socket
import subprocess
import threading
import time
import unittest

from daemon_case import DaemonCase, encode, free_port, read_file, wait_for

STREAMS = """[input:datagram]
[input:stream]
type = unix_stream
[input:tcp]
type = tcp
port = {port}
"""


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


class StreamCase(DaemonCase):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.path = os.path.join(self.run_dir, "input_stream_sock")
        self.clients = []

    def tearDown(self):
        for client in self.clients:
            client.close()
        super().tearDown()

    def begin(self, more="", buffer="", prefix=()):
        self.write_config(buffer="ring_size = 4M\npool_size = 16M\n" + buffer,
                          more=STREAMS.format(port=self.port) + more)
        return self.start(prefix=prefix)

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(60)
        client.connect(self.path)
        self.clients.append(client)
        return client

    def connect_tcp(self, address="127.0.0.1"):
        client = socket.create_connection((address, self.port), 60)
        self.clients.append(client)
        return client

    def make(self, count, size=0):
        """So many messages on end, which count as sent."""
        text = b""
        for _ in range(count):
            text += encode("t", b"message %d " % self.sent + b"x" * size)
            self.sent += 1
        return text

    def entry(self, name):
        return next(entry for entry in self.status()["inputs"] if entry["name"] == name)

    def wait_connections(self, name, count):
        wait_for("%d connections" % count, lambda: self.entry(name)["connections"] == count)

    def warnings(self):
        return [warning["name"] for warning in self.status()["warnings"]]


class Arriving(StreamCase):
    def test_messages_of_every_kind_of_socket_arrive(self):
        dory = self.begin()
        self.send(10)
        self.connect().sendall(self.make(100))
        self.connect_tcp().sendall(self.make(100))
        if has_ipv6():
            self.connect_tcp("::1").sendall(self.make(100))
        self.wait_delivered()
        self.assertEqual(self.entry("stream")["connections"], 1)
        self.assertEqual(self.entry("tcp")["accepted"], 2 if has_ipv6() else 1)
        self.assertEqual(self.term(dory), 0)
        self.assertFalse(os.path.exists(self.path))

    def test_a_message_byte_by_byte(self):
        self.begin()
        client = self.connect()
        for byte in self.make(1):
            client.send(bytes([byte]))
        self.wait_delivered()

    def test_messages_over_an_area(self):
        self.begin()
        self.connect().sendall(self.make(3, size=1 << 20))
        self.wait_delivered()

    def test_to_dory_sends_on_both(self):
        self.begin()
        for where in (["--stream-socket-path", self.path], ["--port", str(self.port)]):
            self.run_to_dory(*where, "--topic", "t", "--count", "500", "--value", "v" * 1000)
            self.sent += 500
        self.wait_delivered()

    def run_to_dory(self, *words):
        status = os.spawnv(os.P_WAIT, os.path.join(self.bin, "to_dory"), ["to_dory", *words])
        self.assertEqual(status, 0)


class Connections(StreamCase):
    def test_a_thousand_that_come_and_go_leave_nothing(self):
        self.begin()
        for number in range(1000):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(self.path)
                if number % 2 == 0:
                    client.sendall(self.make(1))
        self.wait_delivered()
        self.wait_connections("stream", 0)
        self.assertEqual(self.entry("stream")["accepted"], 1000)

    def test_more_than_there_are_slots_for_wait(self):
        self.begin(buffer="stream_connections = 5\n")
        clients = [self.connect() for _ in range(8)]
        for client in clients:
            client.sendall(self.make(1))
        wait_for("the warning", lambda: "connections_full" in self.warnings())
        self.assertEqual(self.entry("stream")["connections"], 5)
        for client in clients[:4]:
            client.close()
        self.wait_delivered()
        self.wait_connections("stream", 4)
        wait_for("no warning", lambda: "connections_full" not in self.warnings())

    def test_a_limit_of_64_descriptors_and_35_idle_clients(self):
        dory = self.begin(prefix=("prlimit", "--nofile=64:64"))
        self.assertIsNone(dory.poll())
        idle = [self.connect() for _ in range(35)]
        wait_for("the warning", lambda: "descriptors" in self.warnings())
        held = self.entry("stream")["connections"]
        self.assertLess(held, 35)
        self.send(100)
        before = self.worker("intake-0")
        os.kill(before["pid"], signal.SIGKILL)
        self.wait_up("intake-0", before["generation"])
        self.wait_delivered()
        for client in idle[:held]:
            client.close()
        wait_for("all accepted", lambda: self.entry("stream")["accepted"] == 35)
        for client in idle[held:]:
            client.sendall(self.make(1))
        self.wait_delivered()
        self.assertNotIn("descriptors", self.warnings())

    def test_a_system_without_memory_for_another_connection(self):
        library, scarce = (os.path.join(self.folder, name) for name in ("no_memory.so", "scarce"))
        here = os.path.dirname(os.path.abspath(__file__))
        source = os.path.join(here, "../support/no_memory.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        open(scarce, "w").close()
        self.begin(prefix=("env", "LD_PRELOAD=" + library, "NO_MEMORY_WHILE=" + scarce,
                           "NO_MEMORY_SOCKET=" + self.path))
        client = self.connect()
        client.sendall(self.make(1))
        wait_for("the warning", lambda: "memory" in self.warnings())
        self.assertEqual(self.entry("stream")["accepted"], 0)
        os.unlink(scarce)
        self.wait_delivered()
        self.assertNotIn("memory", self.warnings())

    def test_thousands_of_idle_ones_and_a_successor_that_takes_them_over(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
        self.begin()
        clients = [self.connect() for _ in range(5000)]
        self.wait_connections("stream", 5000)
        self.assertNotIn("descriptors", self.warnings())
        before = self.worker("intake-0")
        os.kill(before["pid"], signal.SIGKILL)
        self.wait_up("intake-0", before["generation"])
        for client in clients[::10]:
            client.sendall(self.make(1))
        self.wait_delivered()
        self.assertEqual(self.entry("stream")["connections"], 5000)

    def test_a_message_that_is_not_finished_is_an_unclean_disconnect(self):
        self.begin(more="[input:hasty]\ntype = unix_stream\npartial_timeout = 500ms\n")
        self.path = os.path.join(self.run_dir, "input_hasty_sock")
        slow = self.connect()
        slow.sendall(self.make(1)[:10])
        self.assertEqual(slow.recv(1), b"")
        cut = self.connect_tcp()
        cut.sendall(self.make(2)[:-1])
        cut.close()
        self.wait_received()
        rejected = self.status()["rejected_by"]
        self.assertEqual(rejected["unclean_disconnect_unix"], 1)
        self.assertEqual(rejected["unclean_disconnect_tcp"], 1)
        self.wait_connections("hasty", 0)

    def test_a_client_that_writes_a_byte_now_and_then_does_not_hold_an_area_for_ever(self):
        self.begin(more="[input:hasty]\ntype = unix_stream\npartial_timeout = 1s\n",
                   buffer="stream_areas = 1\n")
        path, self.path = self.path, os.path.join(self.run_dir, "input_hasty_sock")
        slow = self.connect()
        self.path = path
        message = self.make(1, size=600)
        slow.send(message[:20])
        for client in [self.connect() for _ in range(3)]:
            client.sendall(self.make(1))
        self.assertLess(self.drip(slow, message[20:]), len(message) - 20)
        self.wait_received()
        wait_for("the others'", lambda: self.status()["books"]["delivered"] == 3)
        self.assertEqual(self.status()["rejected_by"]["unclean_disconnect_unix"], 1)
        self.wait_connections("hasty", 0)

    @staticmethod
    def drip(client, data):
        """Byte by byte, until the other end has closed; how many were sent."""
        client.settimeout(0.05)
        for at in range(len(data)):
            try:
                client.send(data[at:at + 1])
                if client.recv(1) == b"":
                    return at
            except TimeoutError:
                pass
            except OSError:
                return at
        return len(data)


class Deaths(StreamCase):
    def test_a_client_does_not_notice_that_intakes_are_killed_in_the_middle_of_messages(self):
        self.begin()
        text = self.make(200, size=3000)
        clients = [self.connect(), self.connect_tcp()]
        self.sent *= 2
        for number in range(10):
            for client in clients:
                begin = len(text) * number // 10
                client.sendall(text[begin:len(text) * (number + 1) // 10])
            before = self.worker("intake-0")
            os.kill(before["pid"], signal.SIGKILL)
            self.wait_up("intake-0", before["generation"])
        self.wait_delivered()
        for client in clients:
            client.setblocking(False)
            with self.assertRaises(BlockingIOError):
                client.recv(1)

    def test_many_clients_while_intakes_are_killed(self):
        self.begin()
        failures = []

        def work(client, text):
            try:
                client.sendall(text)
            except OSError as error:
                failures.append(error)

        threads = []
        for number in range(200):
            client = self.connect() if number % 2 == 0 else self.connect_tcp()
            threads.append(threading.Thread(target=work, args=(client, self.make(20, size=500))))
        for thread in threads:
            thread.start()
        for _ in range(5):
            before = self.worker("intake-0")
            os.kill(before["pid"], signal.SIGKILL)
            self.wait_up("intake-0", before["generation"])
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.wait_delivered()


    def test_a_killed_supervisor_cuts_connections_but_loses_no_message(self):
        dory = self.begin()
        for _ in range(10):
            client = self.connect()
            client.sendall(self.make(5) + self.make(1)[:10])   # the last one is cut, and rejected
        self.wait_connections("stream", 10)
        dory.kill()
        dory.wait()
        self.assertEqual(client.recv(1), b"")
        self.start()
        self.connect().sendall(self.make(1))
        self.wait_received()
        self.assertEqual(self.status()["rejected_by"]["unclean_disconnect_unix"], 10)
        wait_for("all the others",
                 lambda: self.status()["books"]["delivered"] == self.sent - 10)


class SocketFiles(StreamCase):
    def test_a_file_that_was_removed_is_made_again(self):
        dory = self.begin()
        self.send(1)
        client = self.connect()
        for path in (self.input, self.path):
            os.unlink(path)
        wait_for("both files", lambda: os.path.exists(self.input) and os.path.exists(self.path))
        self.assertIn("it is there again", self.log_text())
        client.sendall(self.make(1))
        self.connect().sendall(self.make(1))
        self.send(1)
        self.wait_delivered()
        self.assertEqual(self.entry("stream")["restored"], 1)
        self.assertEqual(self.entry("datagram")["restored"], 1)
        self.assertNotIn("socket_file", self.warnings())
        self.assertEqual(self.term(dory), 0)
        self.assertEqual(os.listdir(self.run_dir), ["lock"])

    def test_what_stands_in_its_place_is_left_alone(self):
        self.begin()
        os.unlink(self.path)
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("mine")
        wait_for("the warning", lambda: "socket_file" in self.warnings())
        self.assertEqual(read_file(self.path), "mine")
        os.unlink(self.path)
        wait_for("no warning", lambda: "socket_file" not in self.warnings())
        self.connect().sendall(self.make(1))
        self.wait_delivered()


class Stopping(StreamCase):
    def test_a_stop_takes_what_connections_and_backlogs_hold(self):
        dory = self.begin()
        self.assertEqual(self.doryctl("drain", "--timeout", "10s")[0], 0)
        for _ in range(150):
            self.connect().sendall(self.make(2))
        self.connect_tcp().sendall(self.make(2))
        self.assertEqual(self.entry("stream")["accepted"], 0)
        self.assertEqual(self.term(dory), 0)
        self.assertIn("everything is delivered", self.log_text())
        self.assertEqual(self.clients[0].recv(1), b"")
        with self.assertRaises(OSError):
            self.connect()

    def test_a_drain_leaves_connections_waiting_until_it_is_taken_back(self):
        self.begin()
        self.assertEqual(self.doryctl("drain", "--timeout", "10s")[0], 0)
        self.connect().sendall(self.make(1))
        self.assertEqual(self.entry("stream")["accepted"], 0)
        self.assertEqual(self.doryctl("resume")[0], 0)
        self.wait_delivered()

    def test_what_was_sent_with_success_while_dory_stops_arrives(self):
        dory = self.begin()
        for _ in range(5):
            counts = [0] * 20
            threads = [threading.Thread(target=self.send_until_cut,
                                        args=(self.connect(), counts, number))
                       for number in range(len(counts))]
            for thread in threads:
                thread.start()
            wait_for("all senders", lambda: min(counts) > 10)
            self.assertEqual(self.term(dory), 0)
            for thread in threads:
                thread.join()
            self.sent += sum(counts)
            dory = self.start()
            self.check_buffer()
        self.wait_delivered()

    def test_who_connects_by_tcp_while_dory_stops_loses_nothing(self):
        dory = self.begin()
        stopped, counts = threading.Event(), [0] * 4
        threads = [threading.Thread(target=self.come_and_go, args=(stopped, counts, number))
                   for number in range(len(counts))]
        for thread in threads:
            thread.start()
        for _ in range(5):
            before = min(counts)
            wait_for("all clients", lambda before=before: min(counts) > before)
            self.assertEqual(self.term(dory), 0)
            dory = self.start()
        stopped.set()
        for thread in threads:
            thread.join()
        self.sent += sum(counts)
        self.wait_delivered()

    def come_and_go(self, stopped, counts, index):
        """Connections of three messages. Before each it is seen whether Dory has ended its side."""
        message = encode("t", b"x" * 100)
        while not stopped.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.port)) as client:
                    for _ in range(3):
                        if select.select([client], [], [], 0)[0]:
                            break
                        client.sendall(message)
                        counts[index] += 1
            except OSError:
                time.sleep(0.002)

    @staticmethod
    def send_until_cut(client, counts, index):
        """One message a send: a UNIX stream takes a small one as a whole or not at all."""
        message = encode("t", b"x" * 100)
        try:
            while True:
                client.send(message)
                counts[index] += 1
        except OSError:
            client.close()


class Refusing(StreamCase):
    def test_a_port_that_is_taken(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", self.port))
            other.listen()
            self.write_config(more=STREAMS.format(port=self.port))
            code, log = self.run_to_end()
        self.assertEqual(code, 1)
        self.assertIn("[input:tcp]: 127.0.0.1:%d: bind: Address already in use" % self.port, log)
        self.assertFalse(os.path.exists(self.path))

    def test_a_file_in_the_way(self):
        os.makedirs(self.run_dir)
        with open(self.path, "w", encoding="utf-8"):
            pass
        self.write_config(more=STREAMS.format(port=self.port))
        code, log = self.run_to_end()
        self.assertEqual(code, 1)
        self.assertIn("exists and is no socket", log)


if __name__ == "__main__":
    unittest.main()
