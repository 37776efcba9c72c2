"""Configurations that are refused: the same text from every program, and nothing is started."""

import os
import subprocess
import unittest

from daemon_case import TOP, DaemonCase, NOBODY_LISTENS, read_file

GOLDEN = os.path.join(TOP, "tests", "golden", "config")


def list_broken_files():
    """GROUP/NAME.conf of each."""
    return sorted(os.path.join(group, name) for group in os.listdir(GOLDEN)
                  if os.path.isdir(os.path.join(GOLDEN, group))
                  for name in os.listdir(os.path.join(GOLDEN, group)) if name.endswith(".conf"))


class BrokenFiles(DaemonCase):
    def run_program(self, name, *words):
        ended = subprocess.run([os.path.join(self.bin, name), *words], cwd=GOLDEN,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, check=False, timeout=60)
        return ended.returncode, ended.stdout.decode(), ended.stderr.decode()

    def test_every_program_says_the_same(self):
        files = list_broken_files()
        self.assertGreater(len(files), 40)
        for path in files:
            expected = read_file(os.path.join(GOLDEN, path[:-len("conf")] + "errors"))
            for words in (["dory", "--check", "--config", path], ["doryctl", "check", path],
                          ["dory", "--config", path], ["dory", "--daemon", "--config", path]):
                with self.subTest(words=words):
                    self.assertEqual(self.run_program(*words), (1, "", expected))

    def test_nothing_is_started_where_one_line_is_wrong(self):
        self.write_config(NOBODY_LISTENS, more="[topic:a]\nbatch_time = soon\n")
        for words in (["dory", "--config", self.config],
                      ["dory", "--daemon", "--config", self.config],
                      ["dory", "--check", "--config", self.config],
                      ["doryctl", "check", self.config]):
            code, out, err = self.run_program(*words)
            self.assertEqual((code, out), (1, ""), words)
            self.assertIn("[topic:a] batch_time = soon: not a duration", err)
            self.assertFalse(os.path.exists(self.run_dir), words)
            self.assertFalse(os.path.exists(self.segment_folder), words)
        self.assertEqual(self.orphans(), [])

    def test_a_file_that_is_none(self):
        for path, what in (("/nowhere/dory.conf", "cannot be opened: No such file or directory"),
                           (self.folder, "cannot be read: Is a directory"),
                           ("/dev/zero", "more than 1M is no configuration")):
            expected = (1, "", "%s: %s\n" % (path, what))
            self.assertEqual(self.run_program("dory", "--check", "--config", path), expected)
            self.assertEqual(self.run_program("doryctl", "check", path), expected)
            self.assertEqual(self.run_program("dory", "--config", path), expected)

    def test_a_good_file_by_way_of_a_pipe(self):
        self.write_config(NOBODY_LISTENS)
        with open(self.config, "rb") as file:
            ended = subprocess.run([os.path.join(self.bin, "dory"), "--check", "--config",
                                    "/dev/stdin"], stdin=file, stdout=subprocess.PIPE,
                                   check=False, timeout=60)
        self.assertEqual((ended.returncode, ended.stdout),
                         (0, b"/dev/stdin: the configuration is fine\n"))


if __name__ == "__main__":
    unittest.main()
