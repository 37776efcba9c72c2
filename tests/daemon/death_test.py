"""Deaths: of workers, of the supervisor, and of workers that outlive it."""

import os
import signal
import threading
import unittest

from daemon_case import NOBODY_LISTENS, DaemonCase, free_port, is_alive, wait_for


class Workers(DaemonCase):
    def test_a_killed_worker_is_restarted_and_nothing_is_lost(self):
        self.write_config()
        dory = self.start()
        for name in ("intake-0", "kafka-0", "intake-0", "kafka-0"):
            self.send(50)
            before = self.worker(name)
            os.kill(before["pid"], signal.SIGKILL)
            after = self.wait_up(name, before["generation"])
            self.assertEqual(after["generation"], before["generation"] + 1)
            self.assertEqual(after["deaths"], before["deaths"] + 1)
            self.send(50)
        self.wait_delivered()
        self.assertIn("died: ended by signal 9", self.log_text())
        self.assertEqual(self.term(dory), 0)

    def test_messages_sent_while_workers_die_are_all_delivered(self):
        self.write_config()
        dory = self.start()
        sender = threading.Thread(target=self.send, args=(20000,))
        sender.start()
        for _ in range(10):
            for worker in self.status()["workers"]:
                if worker["pid"]:
                    os.kill(worker["pid"], signal.SIGKILL)
            self.wait_up("intake-0")
            self.wait_up("kafka-0")
        sender.join()
        self.wait_delivered()
        self.assertEqual(self.term(dory), 0)

    def test_five_deaths_in_a_minute_are_degraded(self):
        self.write_config()
        self.start()
        for _ in range(5):
            before = self.worker("kafka-0")
            os.kill(before["pid"], signal.SIGKILL)
            self.wait_up("kafka-0", before["generation"])
        self.assertEqual(self.state(), "degraded")
        self.send(5)
        self.wait_delivered()

    def test_a_stopped_worker_does_not_hold_up_the_status(self):
        self.write_config()
        self.start()
        pid = self.worker("kafka-0")["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            status = self.status()
            self.assertNotIn("brokers", status)
            self.assertIn("no_status", [warning["name"] for warning in status["warnings"]])
            code, _out, err = self.doryctl("check-buffer", "--live")
            self.assertEqual(code, 1)
            self.assertIn("did not pause in time", err)
        finally:
            os.kill(pid, signal.SIGCONT)

    def test_a_worker_that_does_not_move_or_answer_is_ended(self):
        self.write_config(http="127.0.0.1:%d" % free_port())
        self.start()
        before = [self.wait_up(name) for name in ("intake-0", "status")]
        for worker in before:
            os.kill(worker["pid"], signal.SIGSTOP)
        for worker in before:
            after = self.wait_up(worker["name"], worker["generation"])
            self.assertNotEqual(after["pid"], worker["pid"])
            self.assertIn("%s (pid %d) has not moved" % (worker["name"], worker["pid"]),
                          self.log_text())


class UnusablePrograms(DaemonCase):
    """dory beside a dory-kafka of ours."""

    balances = False

    def setUp(self):
        super().setUp()
        self.copy_programs("dory", "dory-intake", "doryctl")

    def put_kafka(self, script):
        path = os.path.join(self.bin, "dory-kafka")
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + script)
        os.chmod(path + ".new", 0o755)
        os.rename(path + ".new", path)

    def test_a_program_that_is_missing_is_said_before_anything_starts(self):
        self.write_config(NOBODY_LISTENS)
        status, text = self.run_to_end()
        self.assertEqual(status, 1)
        self.assertIn("dory-kafka", text)
        self.assertFalse(os.path.exists(self.run_dir))

    def test_exit_code_10_parks(self):
        self.put_kafka("exit 10\n")
        self.write_config(NOBODY_LISTENS)
        dory = self.start(state="degraded")
        self.assertEqual(self.worker("kafka-0")["state"], "parked")
        self.assertEqual(self.worker("kafka-0")["deaths"], 1)
        self.send(3)
        self.wait_received()
        self.assertEqual(self.term(dory), 3)

    def test_barren_deaths_back_off(self):
        self.put_kafka("exit 1\n")
        self.write_config(NOBODY_LISTENS)
        dory = self.launch()
        wait_for("degraded", lambda: self.state() == "degraded")
        self.assertEqual(self.term(dory), 0)

    def test_a_worker_that_never_is_ready_is_killed(self):
        self.put_kafka("exec sleep 1000\n")
        self.write_config(NOBODY_LISTENS)
        dory = self.launch()
        self.wait_for_log("kafka-0 (pid")
        self.wait_for_log("is starting for too long: killed")
        self.assertEqual(self.term(dory), 0)


class SupervisorDeath(DaemonCase):
    def test_a_new_start_takes_over_what_is_buffered(self):
        self.write_config(NOBODY_LISTENS)
        dory = self.start()
        self.send(100)
        self.wait_received()
        pids = [worker["pid"] for worker in self.status()["workers"]]
        dory.kill()
        dory.wait()
        self.write_config()
        dory = self.start()
        self.assertFalse(any(is_alive(pid) for pid in pids))
        self.send(10)
        self.wait_delivered()
        self.assertEqual(self.term(dory), 0)

    def test_what_is_in_the_socket_is_drained_when_the_supervisor_dies(self):
        self.write_config()
        dory = self.start()
        pid = self.worker("intake-0")["pid"]
        os.kill(pid, signal.SIGSTOP)
        self.send(5)  # the kernel has them, the intake does not
        dory.kill()
        dory.wait()
        os.kill(pid, signal.SIGCONT)
        wait_for("the intake's end", lambda: not is_alive(pid))
        dory = self.start()
        self.wait_delivered()
        self.assertEqual(self.term(dory), 0)

    def test_a_worker_that_outlives_its_supervisor_is_killed(self):
        self.write_config()
        dory = self.start()
        self.send(10)
        self.wait_delivered()
        pid = self.worker("intake-0")["pid"]
        os.kill(pid, signal.SIGSTOP)
        dory.kill()
        dory.wait()
        dory = self.start()
        self.assertFalse(is_alive(pid))
        self.assertIn("worker %d of a supervisor that died" % pid, self.log_text())
        self.send(10)
        self.wait_delivered()
        self.assertEqual(self.term(dory), 0)

    def test_deaths_again_and_again(self):
        self.write_config()
        for _ in range(5):
            dory = self.start()
            self.send(200)
            self.wait_received()
            dory.kill()
            dory.wait()
        dory = self.start()
        self.wait_delivered()
        self.assertEqual(self.term(dory), 0)


if __name__ == "__main__":
    unittest.main()
