"""Stops, signals, and doryctl."""

import os
import signal
import socket
import time
import unittest

from daemon_case import NOBODY_LISTENS, DaemonCase, read_file, wait_for


class Stopping(DaemonCase):
    def test_delivers_what_is_buffered_first(self):
        self.write_config(more="[topic:slow]\nbatch_time = 1h\n")
        dory = self.start()
        self.send(300, "slow")
        self.assertEqual(self.term(dory), 0)
        self.assertIn("everything is delivered", self.log_text())

    def test_messages_that_are_left_are_said_and_delivered_later(self):
        self.write_config(NOBODY_LISTENS, stop_timeout="500ms")
        dory = self.start()
        self.send(10)
        self.assertEqual(self.term(dory, signal.SIGINT), 3)
        self.assertIn("10 messages are left in the buffer; the next start delivers them",
                      self.log_text())
        self.write_config()
        dory = self.start()
        self.wait_delivered()
        self.assertEqual(self.term(dory), 0)

    def test_a_second_signal_ends_at_once(self):
        self.write_config(NOBODY_LISTENS, stop_timeout="1h")
        dory = self.start()
        self.send(10)
        self.wait_received()
        dory.send_signal(signal.SIGTERM)
        self.wait_for_log("stops (signal)")
        self.assertEqual(self.term(dory), 3)
        self.assertFalse(os.path.exists(self.input))

    def test_takes_what_the_socket_holds(self):
        self.write_config()
        dory = self.start()
        pid = self.worker("intake-0")["pid"]
        os.kill(pid, signal.SIGSTOP)
        self.send(5)
        dory.send_signal(signal.SIGTERM)
        self.wait_for_log("stops (signal)")
        os.kill(pid, signal.SIGCONT)
        self.assertEqual(dory.wait(60), 0)

    def test_an_intake_that_dies_in_its_final_drain_has_a_successor_that_does_it_again(self):
        self.write_config()
        dory = self.start()
        before = self.worker("intake-0")
        os.kill(before["pid"], signal.SIGSTOP)
        self.send(5)
        dory.send_signal(signal.SIGTERM)
        wait_for("stopping", lambda: self.worker("intake-0")["state"] == "stopping")
        os.kill(before["pid"], signal.SIGKILL)
        self.assertEqual(dory.wait(60), 0)

    def test_senders_learn_that_dory_has_gone(self):
        self.write_config()
        dory = self.start()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.connect(self.input)
            self.assertEqual(self.term(dory), 0)
            with self.assertRaises(OSError):
                client.send(b"nobody takes this")

    def test_a_kafka_worker_that_dies_in_the_stop_is_restarted(self):
        self.write_config(NOBODY_LISTENS, stop_timeout="10s")
        dory = self.start()
        self.send(10)
        dory.send_signal(signal.SIGTERM)
        wait_for("the intake's end", lambda: self.worker("intake-0")["state"] == "stopped")
        before = self.worker("kafka-0")
        os.kill(before["pid"], signal.SIGKILL)
        self.wait_up("kafka-0", before["generation"])
        self.assertEqual(self.state(), "stopping")
        self.assertEqual(self.term(dory), 3)


class Signals(DaemonCase):
    def test_usr1_reopens_the_logs_of_all(self):
        log = self.folder + "/file.log"
        self.write_config(log_to=log)
        dory = self.start()
        os.rename(log, log + ".1")
        dory.send_signal(signal.SIGUSR1)
        wait_for("a new log", lambda: "logs reopened" in read_file(log))
        time.sleep(0.1)
        self.assertEqual(self.term(dory), 0)
        text = read_file(log)
        for who in ("dory[", "dory-intake-0["):
            self.assertIn(who, text)
        self.assertNotIn("stopped:", read_file(log + ".1"))


class Doryctl(DaemonCase):
    def test_without_dory_there_is_nothing_to_talk_to(self):
        self.write_config(NOBODY_LISTENS)
        for command in ("status", "stop"):
            code, _out, err = self.doryctl(command)
            self.assertEqual(code, 3, command)
            self.assertIn("no dory runs", err)
        self.assertEqual(self.doryctl("no-such-command")[0], 2)

    def test_stop_waits_and_says_what_is_left(self):
        self.write_config(NOBODY_LISTENS, stop_timeout="200ms")
        dory = self.start()
        self.send(4)
        code, out, err = self.doryctl("stop")
        self.assertEqual(code, 4, err)
        self.assertEqual(out, "4 messages are left in the buffer; the next start delivers them\n")
        self.assertEqual(dory.wait(10), 3)

    def test_stop_without_waiting(self):
        self.write_config()
        dory = self.start()
        self.assertEqual(self.doryctl("stop", "--no-wait")[0], 0)
        self.assertEqual(dory.wait(60), 0)

    def test_check_buffer_counts_live_and_offline(self):
        self.write_config(NOBODY_LISTENS, stop_timeout="0s")
        dory = self.start()
        self.send(50)
        self.wait_received()
        code, out, err = self.doryctl("check-buffer")
        self.assertEqual(code, 1)
        self.assertIn("--live", err)
        self.check_buffer()
        self.assertEqual(self.term(dory), 3)
        code, out, err = self.doryctl("check-buffer")
        self.assertEqual(code, 0, err)
        self.assertIn("the books balance", out)

    def test_check_buffer_live_under_load(self):
        self.write_config()
        dory = self.start()
        for _ in range(10):
            self.send(1000)
            code, out, err = self.doryctl("check-buffer", "--live")
            self.assertEqual(code, 0, out + err)
        self.wait_delivered()
        self.assertEqual(self.term(dory), 0)

    def test_garbage_on_the_control_socket_ends_that_session_only(self):
        self.write_config()
        self.start()
        for garbage in (b"\x7f\xff\xff\xff", b"\x00\x00\x00\x04\xff\xff\xff\xff", b"\x00",
                        b"GET / HTTP/1.0\r\n\r\n"):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(self.run_dir + "/control.sock")
                client.send(garbage)
        self.assertEqual(self.state(), "up")


if __name__ == "__main__":
    unittest.main()
