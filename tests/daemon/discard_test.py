"""What clients send in vain: who may name which topic, and the discard log."""

import os
import re
import signal
import socket
import unittest

from daemon_case import DaemonCase, encode, read_file, wait_for

LINE = re.compile(r"^now: \d+ ts: (\d+) event: DISC info: (\w+) topic: \d+\[(.*)\] "
                  r"key: \d+\[\S*\] msg: (\d+)\[(\S*)\]$")


class DiscardTest(DaemonCase):
    def setUp(self):
        super().setUp()
        self.log_path = os.path.join(self.folder, "discards")
        self.log_options = "[discard_log]\npath = %s\n" % self.log_path

    def send_all(self, *messages):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.connect(self.input)
            for message in messages:
                client.send(message)
        self.sent += len(messages)
        self.wait_received()

    def wait_lines(self, count):
        """[(timestamp, reason, topic, size, base64)] once there are so many."""
        def look():
            if not os.path.exists(self.log_path):
                return None
            lines = read_file(self.log_path).splitlines()
            return lines if len(lines) >= count else None
        lines = wait_for("%d lines" % count, look)
        self.assertEqual(len(lines), count)
        return [LINE.match(line).groups() for line in lines]

    def test_a_line_for_each_reject(self):
        self.write_config(more=self.log_options + "[topic:slow]\nrate_limit = 1/24h\n"
                          "[input:datagram]\ndeny = secret*\n")
        self.start()
        self.send_all(encode("secrets", b"v"), encode("slow", b"taken"), encode("slow", b"abc"),
                      b"no message", encode("free", b"v"))
        lines = self.wait_lines(3)
        self.assertEqual([line[1:] for line in lines],
                         [("not_allowed", "secrets", "1", "dg=="),
                          ("rate_limit", "slow", "3", "YWJj"),
                          ("malformed", "", "10", "bm8gbWVzc2FnZQ==")])
        self.assertEqual(os.stat(self.log_path).st_mode & 0o777, 0o600)
        os.kill(self.worker("intake-0")["pid"], signal.SIGKILL)
        self.send_all(b"another life")
        self.assertEqual(self.wait_lines(4)[3][1], "malformed")

    def test_who_may_name_which_topic_is_reloaded(self):
        self.write_config(more="[input:datagram]\nallow = orders, web-*\n")
        self.start()
        self.send_all(encode("orders", b"v"), encode("web-log", b"v"), encode("other", b"v"))
        wait_for("2 delivered", lambda: self.status()["books"]["delivered"] == 2)
        self.assertEqual(self.status()["rejected_by"]["not_allowed"], 1)
        self.write_config(more="[input:datagram]\nallow = other\n")
        self.assertEqual(self.doryctl("reload")[0], 0)
        self.wait_for_log("reload: [input:datagram] allow: orders, web-* -> other")
        self.status()  # the intake has answered, so it has the new list
        self.send_all(encode("other", b"v"), encode("orders", b"v"))
        wait_for("3 delivered", lambda: self.status()["books"]["delivered"] == 3)
        self.assertEqual(self.status()["rejected_by"]["not_allowed"], 2)

    def test_a_log_that_can_not_be_written_stops_nothing(self):
        self.log_path = os.path.join(self.folder, "nowhere", "discards")
        self.write_config(more="[discard_log]\npath = %s\n" % self.log_path)
        self.start()
        self.send_all(b"no message", encode("t", b"v"))
        wait_for("it is delivered", lambda: self.status()["books"]["delivered"] == 1)
        warning = wait_for("the warning", lambda: next(
            (warning["text"] for warning in self.status()["warnings"]
             if "discard_log" in warning["text"]), None))
        self.assertIn(self.log_path + ": open: No such file or directory", warning)


if __name__ == "__main__":
    unittest.main()
