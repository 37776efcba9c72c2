"""to_dory against a socket of the test's own: the bytes that each option leads to, and what it
makes of receipts that come late, in pieces or never, or that no Dory would write."""

import os
import shutil
import socket
import struct
import subprocess
import tempfile
import unittest

from daemon_case import BIN, WAIT_S

V1_PLAIN = (1, 0, None)


def receipt(number, code=0, partition=0, offset=0):
    return struct.pack(">iqhiq", 26, number, code, partition, offset)


class Reader:
    def __init__(self, data):
        self.data = data

    def number(self, form):
        size = struct.calcsize(form)
        value, = struct.unpack(">" + form, self.data[:size])
        self.data = self.data[size:]
        return value

    def text(self, form):
        size = self.number(form)
        if size < 0:
            return None
        value, self.data = self.data[:size], self.data[size:]
        return value


def decode(data):
    """(version, flags, id), partition key, topic, headers, key, value; no byte is left."""
    reader = Reader(data)
    assert reader.number("i") == len(data)
    api_key, version, flags = reader.number("h"), reader.number("h"), reader.number("h")
    partition_key = reader.number("i") if api_key == 257 else None
    number = reader.number("q") if flags & 1 else None
    topic = reader.text("h").decode()
    reader.number("q")
    count = reader.number("h") if version == 1 else 0
    headers = [(reader.text("h"), reader.text("i")) for _ in range(count)]
    key, value = reader.text("i"), reader.text("i")
    assert reader.data == b""
    return (version, flags, number), partition_key, topic, headers, key, value


class ToDoryCase(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="dory-to-dory.")
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "s")

    def listen(self, kind):
        server = socket.socket(socket.AF_UNIX, kind)
        self.addCleanup(server.close)
        server.settimeout(WAIT_S)
        server.bind(self.path)
        if kind == socket.SOCK_STREAM:
            server.listen()
        return server

    def launch(self, *words, stdin=subprocess.DEVNULL):
        process = subprocess.Popen([os.path.join(BIN, "to_dory"), *words], stdin=stdin,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()

    def run_to_end(self, *words):
        return self.outcome(self.launch(*words))

    @staticmethod
    def outcome(process):
        out, err = process.communicate(timeout=WAIT_S)
        return process.returncode, out.decode().splitlines(), err.decode()


class Bytes(ToDoryCase):
    def send(self, *words):
        """What one message is that these options lead to."""
        server = self.listen(socket.SOCK_DGRAM)
        code, out, err = self.run_to_end("--socket-path", self.path, "--topic", "t", *words)
        self.assertEqual((code, out, err), (0, [], ""))
        message = decode(server.recv(1 << 16))
        server.close()
        os.unlink(self.path)
        return message

    def test_who_asks_for_nothing_new_sends_version_0(self):
        v0 = (0, 0, None)
        self.assertEqual(self.send(), (v0, None, "t", [], b"", b""))
        self.assertEqual(self.send("--key", "", "--value", "v"), (v0, None, "t", [], b"", b"v"))
        self.assertEqual(self.send("--partition-key", "-1", "--key", "k", "--seq", "--pad", "3"),
                         (v0, -1, "t", [], b"k", b"001 "))

    def test_headers(self):
        self.assertEqual(self.send("--header", "a=1", "--value", "v"),
                         (V1_PLAIN, None, "t", [(b"a", b"1")], None, b"v"))
        self.assertEqual(self.send("--header", "a=b=c", "--header", "a=", "--header", "=",
                                   "--key", "", "--partition-key", "7"),
                         (V1_PLAIN, 7, "t", [(b"a", b"b=c"), (b"a", b""), (b"", b"")], b"", b""))

    def test_null(self):
        self.assertEqual(self.send("--null-value", "--key", "k"),
                         (V1_PLAIN, None, "t", [], b"k", None))

    def test_options_that_are_refused(self):
        for words, text in [
                (["--header", "abc"], "'abc' has no '='; allowed is NAME=VALUE"),
                (["--null-value", "--value", "v"], "--null-value"),
                (["--null-value", "--seq"], "--seq excludes --null-value"),
                (["--receipt", "--bad"], "--receipt excludes --bad"),
                (["--receipt"], "a datagram socket has no way back; use --stream-socket-path")]:
            code, out, err = self.run_to_end("--socket-path", self.path, "--topic", "t", *words)
            self.assertEqual((code, out), (2, []), words)
            self.assertIn(text, err)

    def test_a_header_that_is_too_long(self):
        self.listen(socket.SOCK_DGRAM)
        code, _out, err = self.run_to_end("--socket-path", self.path, "--topic", "t", "--header",
                                          "n" * 32768 + "=v")
        self.assertEqual(code, 1)
        self.assertIn("message 1 to %s: there are too many headers, or a header's" % self.path, err)

    def test_lines_of_standard_input(self):
        server = self.listen(socket.SOCK_DGRAM)
        process = self.launch("--socket-path", self.path, "--topic", "t", "--lines",
                              stdin=subprocess.PIPE)
        process.stdin.write(b"one\n\n" + b"x" * 100000 + b"\nlast")
        self.assertEqual(self.outcome(process)[0], 0)
        values = [decode(server.recv(1 << 20))[-1] for _ in range(4)]
        self.assertEqual(values, [b"one", b"", b"x" * 100000, b"last"])


class Receipts(ToDoryCase):
    def begin(self, *words, stdin=subprocess.DEVNULL):
        """to_dory, and the connection that it has made."""
        server = self.listen(socket.SOCK_STREAM)
        process = self.launch("--stream-socket-path", self.path, "--topic", "t", "--receipt",
                              *words, stdin=stdin)
        client, _address = server.accept()
        self.addCleanup(client.close)
        client.settimeout(WAIT_S)
        self.stream = client.makefile("rb")
        self.addCleanup(self.stream.close)
        return process, client

    def read_message(self):
        size = self.stream.read(4)
        return decode(size + self.stream.read(struct.unpack(">i", size)[0] - 4))

    def read_messages(self, count):
        """Before their receipts are written: nobody waits for them earlier."""
        return [self.read_message() for _ in range(count)]

    def hang_up(self, client):
        self.stream.close()
        client.close()

    def test_each_message_asks_and_all_are_delivered(self):
        process, client = self.begin("--count", "3", "--value", "v")
        for number in (1, 2, 3):
            self.assertEqual(self.read_message(), ((1, 1, number), None, "t", [], None, b"v"))
        answers = receipt(2, 0, 3, 1 << 40) + receipt(3, 0, 0, -1) + receipt(1)
        for byte in answers:
            client.sendall(bytes([byte]))
        self.assertEqual(self.outcome(process), (0, ["2 delivered partition=3 offset=1099511627776",
                                                     "3 delivered partition=0",
                                                     "1 delivered partition=0 offset=0"], ""))

    def test_one_that_was_not_delivered(self):
        process, client = self.begin("--count", "3")
        self.read_messages(3)
        client.sendall(receipt(1, 8, -1, -1) + receipt(2, 105, 4, -1) + receipt(3, 4711, -1, -1))
        self.assertEqual(self.outcome(process),
                         (1, ["1 rate_limit", "2 deadline partition=4", "3 code_4711"], ""))

    def test_a_connection_that_ends_says_how_many_are_missing(self):
        process, client = self.begin("--count", "10")
        self.read_messages(10)
        client.sendall(receipt(1) + receipt(3) + receipt(2)[:25])
        self.hang_up(client)
        code, out, err = self.outcome(process)
        self.assertEqual((code, len(out)), (1, 2))
        self.assertIn("%s: the connection has ended\n" % self.path, err)
        self.assertIn("8 of 10 receipts are missing, the first of message 2: nobody knows", err)

    def test_a_connection_that_ends_in_the_middle_of_a_message(self):
        process, client = self.begin("--stdin", stdin=subprocess.PIPE)
        process.stdin.write(b"x" * 5_000_000)
        process.stdin.close()
        process.stdin = None
        self.stream.read(100_000)
        self.hang_up(client)
        code, out, err = self.outcome(process)
        self.assertEqual((code, out), (1, []))
        self.assertIn("1 of 1 receipts are missing", err)

    def test_what_nobody_has_asked_for(self):
        process, client = self.begin("--count", "2")
        self.read_messages(2)
        client.sendall(receipt(1) + receipt(1) + receipt(2))
        code, out, err = self.outcome(process)
        self.assertEqual((code, len(out)), (1, 3))
        self.assertIn("nobody waits for a receipt of message 1\n", err)

    def test_the_other_side_is_not_dory(self):
        process, client = self.begin()
        self.read_messages(1)
        client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        code, out, err = self.outcome(process)
        self.assertEqual((code, out), (1, []))
        self.assertIn("the other side is not Dory", err)
        self.assertIn("1 of 1 receipts are missing", err)

    def test_it_reads_receipts_while_it_sends(self):
        # Here is nobody who reads on before a receipt is taken, and there is little room for them.
        count = 1500                     # whose lines fit a pipe
        process, client = self.begin("--count", str(count), "--value", "v" * 1000)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        for number in range(1, count + 1):
            self.assertEqual(self.read_message()[0], (1, 1, number))
            client.sendall(receipt(number, 0, 0, number))
        code, out, err = self.outcome(process)
        self.assertEqual((code, len(out), err), (0, count, ""))

    def test_receipts_are_told_while_standard_input_waits(self):
        process, client = self.begin("--lines", stdin=subprocess.PIPE)
        for number in (1, 2):
            process.stdin.write(b"line %d\n" % number)
            process.stdin.flush()
            self.assertEqual(self.read_message()[-1], b"line %d" % number)
            client.sendall(receipt(number, 0, 1, number))
            self.assertEqual(process.stdout.readline(),
                             b"%d delivered partition=1 offset=%d\n" % (number, number))
        self.assertEqual(self.outcome(process), (0, [], ""))

    def test_over_tcp(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(WAIT_S)
            process = self.launch("--port", str(server.getsockname()[1]), "--topic", "t",
                                  "--receipt", "--interval", "1000", "--count", "20")
            client, _address = server.accept()
            with client, client.makefile("rb") as self.stream:
                for number in range(1, 21):
                    self.assertEqual(self.read_message()[0][2], number)
                    client.sendall(receipt(number))
                self.assertEqual(self.outcome(process)[0], 0)


if __name__ == "__main__":
    unittest.main()
