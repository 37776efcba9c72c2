"""Starts: what is there afterwards, and what a start that is refused leaves alone."""

import os
import socket
import stat
import subprocess
import unittest

from daemon_case import IS_ROOT, NOBODY_LISTENS, SEGMENT_DIR, DaemonCase, read_file, wait_for


class Starting(DaemonCase):
    def test_takes_messages_and_delivers_them(self):
        self.write_config()
        dory = self.start()
        self.assertEqual(read_file(self.run_dir + "/dory.pid").strip(), str(dory.pid))
        self.assertEqual(stat.S_IMODE(os.stat(self.input).st_mode), 0o222)
        self.assertEqual(stat.S_IMODE(os.stat(self.run_dir + "/control.sock").st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(self.segment_folder).st_mode), 0o700)
        self.send(500)
        self.wait_delivered()
        self.assertEqual(self.term(dory), 0)
        self.assertIn("stopped: everything is delivered", self.log_text())
        self.assertEqual(sorted(os.listdir(self.run_dir)), ["lock"])

    def test_status_has_what_scripts_rely_on(self):
        self.write_config()
        self.start()
        self.send(3)
        self.wait_delivered()
        status = self.status()
        for key in ("version", "instance", "state", "books", "buffer", "workers", "brokers",
                    "topics", "warnings", "config_hash"):
            self.assertIn(key, status)
        self.assertEqual(status["instance"], self.instance)
        self.assertEqual([worker["name"] for worker in status["workers"]], ["intake-0", "kafka-0"])
        self.assertEqual(status["topics"][0]["name"], "t")
        self.assertEqual(status["topics"][0]["delivered"], 3)
        self.assertGreater(status["workers"][0]["rss_bytes"], 0)
        code, out, _err = self.doryctl("status")
        self.assertEqual(code, 0)
        self.assertIn("intake-0", out)

    def test_a_second_instance_is_refused_and_touches_nothing(self):
        self.write_config()
        dory = self.start()
        before = [os.stat(path).st_ino for path in (self.input, self.run_dir + "/control.sock",
                                                    self.segment_folder + "/segment")]
        status, text = self.run_to_end()
        self.assertEqual(status, 1)
        self.assertIn("another dory (pid %d) runs on %s" % (dory.pid, self.run_dir), text)
        self.assertEqual(before, [os.stat(path).st_ino for path in (
            self.input, self.run_dir + "/control.sock", self.segment_folder + "/segment")])
        self.send(10)
        self.wait_delivered()

    def test_a_wrong_configuration_starts_nothing(self):
        self.write_config(NOBODY_LISTENS, more="[buffer]\nno_such_key = 1\n")
        status, text = self.run_to_end()
        self.assertEqual(status, 1)
        self.assertIn("no_such_key", text)
        self.assertFalse(os.path.exists(self.run_dir))
        self.assertFalse(os.path.exists(self.segment_folder))
        self.assertEqual(self.run_to_end("--check")[0], 1)
        self.assertEqual(self.doryctl("check", self.config)[0], 1)

    def test_check_of_a_good_configuration_starts_nothing(self):
        self.write_config(NOBODY_LISTENS)
        self.assertEqual(self.run_to_end("--check")[0], 0)
        self.assertEqual(self.doryctl("check", self.config)[0], 0)
        self.assertFalse(os.path.exists(self.run_dir))

    def test_sizes_without_room_are_refused_with_both_figures(self):
        self.write_config(NOBODY_LISTENS, "ring_size = 16G\npool_size = 64G")
        status, text = self.run_to_end()
        self.assertEqual(status, 1)
        self.assertRegex(text, r"ring_size 16G and pool_size 64G need \d{11} bytes")
        self.assertRegex(text, r" \d+ bytes \(.*\) are free")
        self.assertFalse(os.path.exists(self.input))
        self.assertFalse(os.path.exists(self.run_dir + "/dory.pid"))
        self.assertFalse(os.path.exists(self.segment_folder + "/segment"))

    def test_a_folder_that_is_no_tmpfs_is_refused(self):
        with open("/proc/mounts", encoding="utf-8") as mounts:
            types = {line.split()[1]: line.split()[2] for line in mounts}
        if types.get("/") in ("tmpfs", "hugetlbfs"):
            self.skipTest("/ is a tmpfs here")
        self.write_config(NOBODY_LISTENS, segment_dir="/")
        status, text = self.run_to_end()
        self.assertEqual(status, 1)
        self.assertIn("neither tmpfs nor hugetlbfs", text)
        self.assertFalse(os.path.exists("/dory." + self.instance))

    def test_usage_is_another_exit_status(self):
        dory = os.path.join(self.bin, "dory")
        for words, expected in ((["--no-such-option"], 2), ([], 2), (["--version"], 0),
                                (["--help"], 0)):
            ended = subprocess.run([dory, *words], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, check=False)
            self.assertEqual(ended.returncode, expected, words)


class SmallTmpfs(DaemonCase):
    """Default sizes in a tmpfs of 48 MiB, mounted for dory alone."""

    balances = False  # the segment is nobody's to see but theirs

    def setUp(self):
        super().setUp()
        self.small = os.path.join(self.folder, "small")
        os.mkdir(self.small)
        mounted = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", self.small],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        if mounted.returncode != 0:
            self.tearDown()
            self.skipTest("no mount namespaces here")

    def prefix(self):
        return ["unshare", "-m", "sh", "-c",
                'mount -t tmpfs -o size=48m none "$0" && exec "$@"', self.small]

    def test_default_sizes_shrink_and_it_is_said(self):
        self.write_config(buffer="", segment_dir=self.small)
        dory = self.start(prefix=self.prefix())
        self.send(10)
        self.wait_delivered()
        status = self.status()
        self.assertIn("shrunk_sizes", [warning["name"] for warning in status["warnings"]])
        self.assertGreaterEqual(status["buffer"]["ring_bytes"], 4 << 20)
        self.assertGreaterEqual(status["buffer"]["pool_bytes"], 16 << 20)
        self.assertEqual(self.term(dory), 0)

    def test_configured_sizes_do_not_shrink(self):
        self.write_config(NOBODY_LISTENS, "ring_size = 64M", segment_dir=self.small)
        dory = self.launch(prefix=self.prefix())
        self.assertEqual(dory.wait(60), 1)
        self.assertIn("no room", self.log_text())
        self.assertIn(str(48 << 20), self.log_text())


class InputSockets(DaemonCase):
    def setUp(self):
        super().setUp()
        os.mkdir(self.run_dir)

    def test_a_stale_socket_file_is_replaced(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stale:
            stale.bind(self.input)
        self.write_config()
        self.start()
        self.send(5)
        self.wait_delivered()

    def test_a_socket_that_somebody_has_open_is_left_alone(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.bind(self.input)
            inode = os.stat(self.input).st_ino
            self.write_config(NOBODY_LISTENS)
            status, text = self.run_to_end()
            self.assertEqual((status, os.stat(self.input).st_ino), (1, inode))
            self.assertIn("another process has open", text)

    def test_a_file_in_the_way_is_left_alone(self):
        with open(self.input, "w", encoding="utf-8") as file:
            file.write("mine")
        self.write_config(NOBODY_LISTENS)
        status, text = self.run_to_end()
        self.assertEqual((status, read_file(self.input)), (1, "mine"))
        self.assertIn("is no socket", text)


class Identity(DaemonCase):
    def setUp(self):
        super().setUp()
        if not IS_ROOT:
            self.tearDown()
            self.skipTest("needs root")
        self.copy_programs("dory", "dory-intake", "dory-kafka", "doryctl")

    def test_becomes_the_configured_user(self):
        self.write_config(dory="user = nobody")
        dory = self.start()
        self.send(10)
        self.wait_delivered()
        pids = [dory.pid] + [worker["pid"] for worker in self.status()["workers"]]
        uids = {os.stat("/proc/%d" % pid).st_uid for pid in pids}
        self.assertEqual(uids, {os.stat(self.segment_folder).st_uid})
        self.assertNotIn(0, uids)
        self.assertEqual(os.stat(self.input).st_uid, uids.pop())
        self.assertEqual(self.term(dory), 0)
        self.assertEqual(sorted(os.listdir(self.run_dir)), ["lock"])

    def test_another_uid_may_not_control_dory(self):
        self.write_config()
        self.start()
        os.chmod(self.run_dir + "/control.sock", 0o666)
        program = os.path.join(self.bin, "doryctl")
        ended = subprocess.run([program, "--run-dir", self.run_dir, "stop"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               check=False, user=65534, cwd="/")
        self.assertEqual(ended.returncode, 1, ended.stderr)
        self.assertIn("not allowed", ended.stderr)
        self.assertEqual(self.state(), "up")


class Background(DaemonCase):
    def background(self):
        program = os.path.join(self.bin, "dory")
        return subprocess.run([program, "--config", self.config, "--daemon"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False, timeout=60)

    def test_returns_once_dory_runs(self):
        self.write_config(log_to=self.folder + "/file.log")
        self.assertEqual(self.background().returncode, 0)
        wait_for("dory up", lambda: self.state() == "up")
        self.send(5)
        self.wait_delivered()
        second = self.background()
        self.assertEqual(second.returncode, 1)
        self.assertIn("another dory", second.stderr)
        code, out, err = self.doryctl("stop")
        self.assertEqual((code, out), (0, "everything is delivered\n"), err)
        self.assertIn("stopped", read_file(self.folder + "/file.log"))


class Memfd(DaemonCase):
    def test_runs_without_a_name_in_tmpfs(self):
        self.write_config(segment_dir="memfd")
        dory = self.start()
        self.assertIn("memfd", [warning["name"] for warning in self.status()["warnings"]])
        self.assertFalse(os.path.exists(self.segment_folder))
        self.send(20)
        self.wait_delivered()
        self.check_buffer()
        self.assertEqual(self.term(dory), 0)


class SegmentOfBefore(DaemonCase):
    def test_an_empty_segment_takes_new_sizes(self):
        self.write_config()
        self.assertEqual(self.term(self.start()), 0)
        self.write_config(buffer="ring_size = 8M\npool_size = 16M")
        self.start()
        self.assertEqual(self.status()["buffer"]["ring_bytes"], 8 << 20)

    def test_a_segment_with_messages_keeps_its_sizes_until_it_is_empty(self):
        self.write_config(NOBODY_LISTENS, stop_timeout="0s")
        dory = self.start()
        self.send(7)
        self.assertEqual(self.term(dory), 3)
        self.assertIn("7 messages are left in the buffer; the next start delivers them",
                      self.log_text())
        self.write_config(buffer="ring_size = 8M\npool_size = 16M")
        dory = self.start()
        self.assertIn("layout_pending", [warning["name"] for warning in self.status()["warnings"]])
        self.assertEqual(self.status()["buffer"]["ring_bytes"], 4 << 20)
        self.wait_delivered()
        self.assertEqual(self.term(dory), 0)

    def test_the_folder_of_somebody_else_is_refused(self):
        if not IS_ROOT:
            self.skipTest("needs root")
        os.mkdir(self.segment_folder)
        os.chown(self.segment_folder, 65534, 65534)
        self.write_config(NOBODY_LISTENS)
        status, text = self.run_to_end()
        self.assertEqual(status, 1)
        self.assertIn("belongs to uid 65534", text)

    def test_a_folder_that_is_a_link_is_refused(self):
        os.symlink(self.folder, os.path.join(SEGMENT_DIR, "dory." + self.instance))
        try:
            self.write_config(NOBODY_LISTENS)
            self.assertEqual(self.run_to_end()[0], 1)
        finally:
            os.unlink(os.path.join(SEGMENT_DIR, "dory." + self.instance))


if __name__ == "__main__":
    unittest.main()
