"""What operators tell a running dory: reload, drain and resume, restart, health, workers."""

import json
import os
import signal
import socket
import time
import unittest

from daemon_case import NOBODY_LISTENS, DaemonCase, encode, read_file, wait_for

SLOW = "[topic:slow]\nbatch_time = 1h\n"
BROKEN = "[topic:t]\nbatch_time = soon\n"


class Reload(DaemonCase):
    def rewrite(self, old, new):
        text = read_file(self.config)
        self.assertIn(old, text)
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text.replace(old, new))

    def test_a_topics_settings_change_live(self):
        self.write_config(more=SLOW)
        self.start()
        self.send(5, "slow")
        self.wait_received()
        self.assertEqual(self.status()["books"]["delivered"], 0)
        hash_before = self.status()["config_hash"]
        self.rewrite("batch_time = 1h", "batch_time = 1ms")
        code, out, err = self.doryctl("reload")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(out, "[topic:slow] batch_time: 1h -> 1ms\n")
        self.wait_delivered()
        self.assertNotEqual(self.status()["config_hash"], hash_before)
        self.assertEqual([w["generation"] for w in self.status()["workers"]
                          if w["name"] in ("intake-0", "kafka-0")], [1, 1])

    def test_reload_says_its_changes_as_json(self):
        self.write_config(more=SLOW)
        self.start()
        self.rewrite("batch_time = 1h", "batch_time = 2s")
        code, out, _err = self.doryctl("reload", "--json")
        self.assertEqual(code, 0)
        self.assertEqual(json.loads(out), {"changes": [
            {"section": "[topic:slow]", "key": "batch_time", "from": "1h", "to": "2s"}]})
        self.assertEqual(self.doryctl("reload"), (0, "nothing has changed\n", ""))

    def test_hup_changes_the_log_level(self):
        self.write_config(more="[topic:t]\nbatch_time = 1s\n")
        dory = self.start()
        self.rewrite("batch_time = 1s", "batch_time = 2s")
        dory.send_signal(signal.SIGHUP)
        self.wait_for_log("reload: [topic:t] batch_time: 1s -> 2s")
        self.assertIn("reload (signal): 1 changes", self.log_text())

    def test_a_broken_file_is_said_and_changes_nothing(self):
        self.write_config()
        dory = self.start()
        before = self.status()["config_hash"]
        whole = read_file(self.config)
        with open(self.config, "a", encoding="utf-8") as file:
            file.write(BROKEN)
        code, out, err = self.doryctl("--run-dir", self.run_dir, "reload", config=False)
        self.assertEqual((code, out), (1, ""))
        line = read_file(self.config).count("\n")
        self.assertIn("%s:%d: [topic:t] batch_time = soon" % (self.config, line), err)
        self.assertIn("allowed: 1ms to 1h", err)
        dory.send_signal(signal.SIGHUP)
        self.wait_for_log("reload (signal): refused")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(whole)
        self.assertEqual(self.status()["config_hash"], before)
        self.send(3)
        self.wait_delivered()

    def test_what_needs_a_restart_is_named_and_nothing_changes(self):
        self.write_config(buffer="ring_size = 4M\npool_size = 16M\n", more=SLOW)
        self.start()
        before = self.status()["config_hash"]
        self.rewrite("ring_size = 4M", "ring_size = 8M")
        self.rewrite("batch_time = 1h", "batch_time = 1ms")
        with open(self.config, "a", encoding="utf-8") as file:
            file.write("[input:second]\n")
        code, out, err = self.doryctl("reload")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("needs a restart, so nothing was changed:\n[buffer] ring_size: 4M -> 8M\n",
                      err)
        self.assertIn("[input:second]: none -> ", err)
        self.assertNotIn("batch_time", err)
        self.assertEqual(self.status()["config_hash"], before)
        self.send(2, "slow")
        self.wait_received()
        self.assertEqual(self.status()["books"]["delivered"], 0)

    def test_a_log_that_can_not_be_opened_changes_nothing(self):
        self.write_config(log_to="stderr")
        self.start()
        self.rewrite("to = stderr", "to = %s/dory.log" % self.config)
        code, _out, err = self.doryctl("reload")
        self.assertEqual(code, 1)
        self.assertIn(self.config + "/dory.log", err)
        self.rewrite(self.config + "/dory.log", self.folder + "/other.log")
        self.assertEqual(self.doryctl("reload")[0], 0)
        self.doryctl("restart", "kafka-0")
        self.assertIn("kafka-0 is up", read_file(self.folder + "/other.log"))


class Drain(DaemonCase):
    def test_senders_wait_and_go_on(self):
        self.write_config(more=SLOW)
        self.start()
        self.send(20, "slow")
        code, out, err = self.doryctl("drain")
        self.assertEqual(code, 0, err)
        self.assertEqual(out, "everything is delivered; senders wait until doryctl resume\n")
        self.assertEqual(self.state(), "draining")
        self.fill_socket()
        self.assertEqual(self.status()["books"]["received"], 20)
        self.assertEqual(self.doryctl("resume")[0:2], (0, "inputs are read again\n"))
        self.assertEqual(self.state(), "up")
        self.send(1)
        self.wait_received()

    def fill_socket(self):
        """Sends without waiting until the kernel takes no more."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.connect(self.input)
            client.setblocking(False)
            with self.assertRaises(BlockingIOError):
                while True:
                    client.send(encode("t", b"message %d" % self.sent))
                    self.sent += 1

    def test_what_is_left_is_said(self):
        self.write_config(NOBODY_LISTENS)
        self.start()
        self.send(7)
        self.wait_received()
        code, out, _err = self.doryctl("drain", "--timeout", "100ms")
        self.assertEqual(code, 4)
        self.assertIn("7 messages are left in the buffer", out)
        code, out, _err = self.doryctl("drain", "--timeout", "100ms", "--json")
        self.assertEqual((code, json.loads(out)), (4, {"messages_left": 7}))
        self.assertEqual(self.doryctl("drain", "--timeout", "soon")[0], 2)

    def test_successors_are_born_draining(self):
        self.write_config(NOBODY_LISTENS)
        self.start()
        self.doryctl("drain", "--timeout", "0ms")
        before = {w["name"]: w["generation"] for w in self.status()["workers"]}
        for name in ("intake-0", "kafka-0"):
            os.kill(self.worker(name)["pid"], signal.SIGKILL)
            self.wait_up(name, before[name])
        self.fill_socket()
        time.sleep(0.1)
        self.assertEqual(self.status()["books"]["received"], 0)
        self.doryctl("resume")
        self.wait_received()

    def test_a_stop_takes_what_the_sockets_hold(self):
        self.write_config()
        dory = self.start()
        self.doryctl("drain")
        self.fill_socket()
        self.assertEqual(self.term(dory), 0)
        self.assertIn("everything is delivered", self.log_text())

    def test_resume_without_a_drain(self):
        self.write_config(NOBODY_LISTENS)
        self.start()
        self.assertEqual(self.doryctl("resume"), (0, "nothing was being drained\n", ""))


class Restart(DaemonCase):
    def test_a_worker_is_replaced_and_nobody_notices(self):
        self.write_config()
        self.start()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.connect(self.input)
            for name in ("intake-0", "kafka-0"):
                before = self.worker(name)
                code, out, err = self.doryctl("restart", name)
                self.assertEqual(code, 0, err)
                now = self.worker(name)
                self.assertEqual(out, "%s is up (pid %d, generation %d)\n"
                                 % (name, now["pid"], before["generation"] + 1))
                self.assertEqual((now["deaths"], now["degraded"]), (0, False))
                client.send(encode("t", b"over the same socket"))
                self.sent += 1
        self.wait_delivered()

    def test_an_unknown_worker(self):
        self.write_config(NOBODY_LISTENS)
        self.start()
        code, _out, err = self.doryctl("restart", "intake-7")
        self.assertEqual(code, 1)
        self.assertIn("no worker 'intake-7'; there are: intake-0, kafka-0", err)

    def test_one_that_does_not_listen_is_killed(self):
        self.write_config(NOBODY_LISTENS)
        self.start()
        os.kill(self.worker("kafka-0")["pid"], signal.SIGSTOP)
        self.assertEqual(self.doryctl("restart", "kafka-0")[0], 0)
        self.assertEqual(self.worker("kafka-0")["deaths"], 1)


class Health(DaemonCase):
    def test_of_a_dory_that_is_well(self):
        self.write_config()
        self.start()
        wait_for("OK", lambda: self.doryctl("health")[0] in (0, 1))
        code, out, _err = self.doryctl("health", "--nagios")
        self.assertRegex(out, r"^DORY (OK|WARNING) - .* \| oldest=0s;60;600;0 ring=.*buffered=0\n$")
        self.assertEqual(out.startswith("DORY OK"), code == 0)

    def test_of_old_messages(self):
        self.write_config(NOBODY_LISTENS)
        self.start()
        self.send(1)
        wait_for("an age", lambda: self.status()["oldest_message_age_s"])
        code, out, _err = self.doryctl("health", "--oldest-warning", "0", "--oldest-critical", "0")
        self.assertEqual(code, 2)
        self.assertIn("oldest ", out)

    def test_of_none(self):
        self.write_config(NOBODY_LISTENS)
        code, out, _err = self.doryctl("health", "--nagios")
        self.assertEqual(code, 2)
        self.assertIn("DORY CRITICAL - no dory runs on", out)

    def test_workers(self):
        self.write_config(NOBODY_LISTENS)
        self.start()
        names = [worker["name"] for worker in json.loads(self.doryctl("workers", "--json")[1])]
        self.assertEqual(names[:2], ["intake-0", "kafka-0"])
        self.assertIn("generation", self.doryctl("workers")[1].splitlines()[0])


if __name__ == "__main__":
    unittest.main()
