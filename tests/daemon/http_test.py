"""dory-status: its pages, bad clients, its deaths, and an address that is taken."""

import base64
import http.client
import json
import os
import re
import signal
import socket
import threading
import unittest

from daemon_case import (NOBODY_LISTENS, WAIT_S, DaemonCase, encode, free_port, is_alive,
                         wait_for)

PLAIN, JSON = "text/plain; charset=utf-8", "application/json"
TYPES = {
    "/": "text/html; charset=utf-8", "/status.json": JSON, "/healthz": PLAIN,
    "/counters": PLAIN, "/counters/plain": PLAIN, "/counters/json": JSON,
    "/discards": PLAIN, "/discards/plain": PLAIN, "/discards/json": JSON,
    "/server_info": PLAIN, "/server_info/plain": PLAIN, "/server_info/json": JSON,
    "/page.css": "text/css; charset=utf-8", "/page.js": "text/javascript; charset=utf-8"}
HEAD = (r"pid: %d\nversion: \S+\nsince: \d+ \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\n"
        r"now: \d+ \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\n")
DAY = "[discard_report]\ninterval = 24h\n"  # no window begins meanwhile


class HttpCase(DaemonCase):
    """dory with dory-status on a port of its own."""

    def setUp(self):
        super().setUp()
        self.port = free_port()

    def start_with_http(self, host="127.0.0.1", brokers=None, **options):
        self.write_config(brokers, http="%s:%d" % (host, self.port), **options)
        dory = self.start()
        wait_for("dory-status", self.answers)
        return dory

    def answers(self):
        try:
            return self.get("/healthz")[0]
        except OSError:
            return 0

    def get(self, path, method="GET", body=None):
        """Status code, fields and body of an answer."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            client.request(method, path, body)
            answer = client.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            client.close()

    def get_json(self, path):
        return json.loads(self.get(path)[2])

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), WAIT_S)


def read_all(client):
    """What comes until the other side has closed."""
    read = b""
    try:
        while more := client.recv(65536):
            read += more
    except ConnectionResetError:
        pass
    return read


class Pages(HttpCase):
    def test_every_path_answers_in_its_type(self):
        self.start_with_http()
        for path, content_type in TYPES.items():
            code, fields, body = self.get(path)
            self.assertEqual((path, code, fields["Content-Type"]), (path, 200, content_type))
            self.assertEqual(len(body.encode()), int(fields["Content-Length"]))
            code, fields, body = self.get(path, "HEAD")
            self.assertEqual((path, code, body), (path, 200, ""))
            self.assertGreater(int(fields["Content-Length"]), 0)
            code, fields, _body = self.get(path, "POST", "x" * 100000)
            self.assertEqual((path, code, fields["Allow"]), (path, 405, "GET, HEAD"))
            self.assertEqual(self.get(path, "DELETE")[0], 405)
        for path in ("/nothing", "/counters/", "/counters/xml", "/..%2fetc/passwd", "//", "/%00",
                     "/%63ounters"):
            self.assertEqual((path, self.get(path)[0]), (path, 404))
        self.assertEqual(self.get("/healthz?verbose=1")[2], "ok\n")

    def test_the_figures_are_those_of_the_status(self):
        dory = self.start_with_http(more=DAY)
        self.send(20)
        self.wait_delivered()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.connect(self.input)
            client.send(b"this is no message")
            client.send(encode("no<b>such</b>", b"v"))
        self.sent += 2
        self.wait_received()
        wait_for("the status", lambda: self.get_json("/status.json")["books"]["received"] == 22)
        shown, status = self.get_json("/status.json"), self.status()
        for part in ("version", "instance", "state", "pid", "books", "rejected_by", "warnings"):
            self.assertEqual(shown[part], status[part])
        self.assertEqual([worker["name"] for worker in shown["workers"]],
                         ["intake-0", "kafka-0", "status"])
        page = self.get("/")[2]
        self.assertIn("<dt>received</dt><dd>22</dd>", page)
        self.assertIn("bad_topic", page)
        self.assertNotIn("<b>such</b>", page)

        text = self.get("/counters/plain")[2]
        self.assertRegex(text, HEAD % dory.pid + r"\n(\[\w+\]\.\w+=\d+\n)+$")
        counters = dict(re.findall(r"^\[\w+\]\.(\w+)=(\d+)$", text, re.M))
        self.assertEqual(counters["MessagesReceived"], "22")
        self.assertEqual(counters["UnixDgInputAgentForwardMsg"], "20")
        self.assertEqual(counters["InputAgentDiscardMsgMalformed"], "1")
        listed = self.get_json("/counters/json")["counters"]
        self.assertEqual({entry["name"]: str(entry["value"]) for entry in listed}, counters)
        self.assertEqual(self.get("/counters")[2].splitlines()[5:], text.splitlines()[5:])

        text = self.get("/discards")[2]
        self.assertRegex(text, HEAD % dory.pid + "report interval in seconds: ")
        self.assertIn("\n    malformed msg count: 1\n", text)
        report = self.get_json("/discards/json")["unfinished_report"]
        self.assertEqual((report["malformed_msg_count"], report["bad_topic_msg_count"]), (1, 1))
        self.assertEqual(base64.b64decode(report["recent_malformed"][0]), b"this is no message")
        self.assertEqual(report["recent_bad_topic"], ["no<b>such</b>"])
        info = self.get_json("/server_info/json")
        self.assertEqual(sorted(info), ["now", "pid", "since", "version"])
        self.assertEqual(info["pid"], dory.pid)

    def test_the_report_has_windows_that_outlive_workers(self):
        self.start_with_http(more="[discard_report]\ninterval = 5s\n")
        report = lambda: self.get_json("/discards/json")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.connect(self.input)
            client.send(b"this is no message")
        self.sent += 1
        first = wait_for("the prefix", lambda: next(
            (window for window in report().values()
             if isinstance(window, dict) and window["recent_malformed"]), None))
        self.assertEqual(first["malformed_msg_count"], 1)
        os.kill(self.worker("intake-0")["pid"], signal.SIGKILL)
        finished = wait_for("the end of the window", lambda: next(
            (window for name, window in report().items()
             if name == "finished_report" and window["id"] == first["id"]), None))
        self.assertEqual(finished, first)
        self.assertEqual(report()["unfinished_report"]["malformed_msg_count"], 0)

    def test_what_a_topics_rate_rejects_is_reported(self):
        self.start_with_http(more=DAY + "[topic:slow]\nrate_limit = 2/24h\n")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.connect(self.input)
            for topic in ("slow", "free") * 5:
                client.send(encode(topic, b"v"))
        self.sent += 10
        self.wait_received()
        wait_for("7 delivered", lambda: self.status()["books"]["delivered"] == 7)
        self.assertEqual(self.status()["rejected_by"]["rate_limit"], 3)
        found = wait_for("the report", lambda: self.get_json(
            "/discards/json")["unfinished_report"]["rate_limit_discard"])
        self.assertEqual(found, [{"topic": "slow", "count": 3}])
        self.assertIn("    rate limit discard topic: 4[slow] count 3\n", self.get("/discards")[2])

    def test_health_follows_the_state(self):
        dory = self.start_with_http()
        self.assertEqual(self.get("/healthz")[::2], (200, "ok\n"))
        for _ in range(5):
            before = self.worker("kafka-0")
            os.kill(before["pid"], signal.SIGKILL)
            self.wait_up("kafka-0", before["generation"])
        wait_for("degraded", lambda: self.answers() == 503)
        self.assertRegex(self.get("/healthz")[2], r"^degraded: kafka-0 is up after \d deaths\n$")
        self.assertEqual(self.term(dory), 0)

    def test_health_while_dory_stops(self):
        dory = self.start_with_http(brokers=NOBODY_LISTENS, stop_timeout="1h")
        self.send(1)
        self.wait_received()
        dory.send_signal(signal.SIGTERM)
        wait_for("stopping", lambda: self.answers() == 503)
        self.assertEqual(self.get("/healthz")[2], "stopping: intake-0 is stopped\n")
        self.assertEqual(self.term(dory), 3)

    def test_off_is_off(self):
        self.write_config()
        self.start()
        self.assertEqual([worker["name"] for worker in self.status()["workers"]],
                         ["intake-0", "kafka-0"])

    def test_a_supervisor_that_does_not_answer_is_said(self):
        dory = self.start_with_http()
        dory.send_signal(signal.SIGSTOP)
        try:
            wait_for("no answer", lambda: self.answers() == 503)
            self.assertEqual(self.get("/")[::2], (503, "dory does not answer\n"))
            self.assertEqual(self.get("/page.css")[0], 200)
        finally:
            dory.send_signal(signal.SIGCONT)
        wait_for("an answer", lambda: self.answers() == 200)


class BadClients(HttpCase):
    def test_garbage_costs_its_connection_only(self):
        self.start_with_http()
        for garbage in (b"\r\n\r\n", b"\0" * 1000, os.urandom(5000), b"GET\r\n\r\n",
                        b"GET / HTTP/9.9\r\n\r\n", b"G" * 100000, b"GET /" + b"a" * 100000,
                        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
                        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 20 + b"\r\n\r\n",
                        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"):
            with self.connect() as client:
                try:
                    client.sendall(garbage)
                    client.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                answer = read_all(client)
            self.assertNotIn(b" 200 ", answer[:20], garbage[:40])
            self.assertEqual(self.get("/healthz")[0], 200)
        self.assertEqual(self.worker("status")["deaths"], 0)

    def test_slow_clients_are_cut_and_others_served(self):
        self.start_with_http()
        silent, slow = self.connect(), self.connect()
        with silent, slow:
            stop = threading.Event()

            def drip():
                try:
                    while not stop.wait(0.5):
                        slow.send(b"x")
                except OSError:
                    pass
            slow.send(b"GET / HTTP/1.1\r\nX: ")
            dripping = threading.Thread(target=drip)
            dripping.start()
            try:
                silent.send(b"GET /")
                self.assertEqual(self.get("/healthz")[0], 200)
                self.assertNotIn(b" 200 ", read_all(silent))
                self.assertEqual(self.get("/healthz")[0], 200)
                self.assertNotIn(b" 200 ", read_all(slow))
            finally:
                stop.set()
                dripping.join()
        self.assertEqual(self.get("/healthz")[0], 200)

    def test_more_clients_than_it_takes_are_served_in_turn(self):
        self.start_with_http()
        idle = [self.connect() for _ in range(100)]
        try:
            wait_for("an answer", lambda: self.answers() == 200)
            self.assertEqual(self.worker("status")["deaths"], 0)
        finally:
            for client in idle:
                client.close()

    def test_a_client_that_does_not_read_holds_up_nobody(self):
        self.start_with_http()
        with self.connect() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
            for _ in range(20):
                self.assertEqual(self.get("/")[0], 200)


class Deaths(HttpCase):
    def test_it_comes_back_and_nobody_else_notices(self):
        dory = self.start_with_http()
        pids = [self.worker(name)["pid"] for name in ("intake-0", "kafka-0")]
        sender = threading.Thread(target=self.send, args=(20000,))
        sender.start()
        for _ in range(6):
            before = self.worker("status")
            os.kill(before["pid"], signal.SIGKILL)
            self.wait_up("status", before["generation"])
        sender.join()
        self.wait_delivered()
        wait_for("dory-status", self.answers)
        status = self.get_json("/status.json")
        self.assertEqual(status["books"]["delivered"], 20000)
        self.assertEqual(status["state"], "up")
        self.assertEqual([worker["pid"] for worker in status["workers"]][:2], pids)
        self.assertEqual(self.worker("status")["generation"], 7)
        self.assertIn("http", [warning["name"] for warning in status["warnings"]])
        self.assertEqual(self.term(dory), 0)

    def test_a_stopped_one_holds_up_neither_status_nor_check_nor_stop(self):
        dory = self.start_with_http()
        pid = self.worker("status")["pid"]
        os.kill(pid, signal.SIGSTOP)
        self.send(10)
        self.wait_delivered()
        self.assertNotIn("no_status", [warning["name"] for warning in self.status()["warnings"]])
        self.check_buffer()
        self.assertEqual(self.term(dory), 0)
        self.assertFalse(is_alive(pid))
        self.assertNotIn("too long", self.log_text())

    def test_it_ends_with_its_supervisor(self):
        dory = self.start_with_http()
        pid = self.worker("status")["pid"]
        dory.kill()
        dory.wait()
        wait_for("its end", lambda: not is_alive(pid))
        self.start_with_http()

    def test_a_program_that_is_missing_is_said_unless_it_is_off(self):
        self.copy_programs("dory", "dory-intake", "dory-kafka", "doryctl")
        self.write_config(http="127.0.0.1:%d" % self.port)
        status, text = self.run_to_end()
        self.assertEqual(status, 1)
        self.assertIn("dory-status", text)
        self.write_config()
        self.start()


class Addresses(HttpCase):
    def test_an_address_that_is_taken_is_a_warning_and_tried_again(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", self.port))
            other.listen()
            self.write_config(http="127.0.0.1:%d" % self.port)
            self.start()
            warnings = wait_for("a warning", lambda: [
                warning["text"] for warning in self.status()["warnings"]
                if warning["name"] == "http"])
            self.assertIn("127.0.0.1:%d: bind: Address already in use" % self.port, warnings[0])
            self.assertEqual(self.state(), "up")
            self.send(10)
            self.wait_delivered()
        wait_for("dory-status", self.answers)
        wait_for("no warning", lambda: "http" not in [
            warning["name"] for warning in self.status()["warnings"]])
        self.assertEqual(self.worker("status")["deaths"], 0)
        self.assertEqual(self.log_text().count("can't listen"), 1)

    def test_names_and_ipv6(self):
        self.start_with_http("localhost")
        self.write_config(http="[::1]:%d" % self.port)
        self.assertEqual(self.term(self.processes[-1]), 0)
        self.start()

        def look():
            try:
                return socket.create_connection(("::1", self.port), WAIT_S)
            except OSError:
                return None
        with wait_for("[::1]", look) as client:
            client.send(b"GET /healthz HTTP/1.0\r\n\r\n")
            self.assertIn(b" 200 OK", read_all(client))


if __name__ == "__main__":
    unittest.main()
