#!/usr/bin/env python3
"""Tests of tests/support/sanitized: what a sanitizer finds fails the suite, in whatever process."""

import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SANITIZED = os.path.join(HERE, "sanitized")

# A program that does nothing wrong, or the fault that its argument names.
PROGRAM = r"""
#include <climits>
#include <cstdlib>
#include <cstring>
#include <string>

int main(int argc, char** argv) {
  const std::string fault = argc > 1 ? argv[1] : "";
  volatile int one = 1;
  if (fault == "overflow") {
    char* block = new char[8];
    block[7 + one] = 1;
    delete[] block;
  }
  if (fault == "undefined") one = INT_MAX + one;
  if (fault == "leak") std::memset(std::malloc(100), 0, 100);
  return 0;
}
"""


class Reports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        source = os.path.join(cls.folder.name, "program.cc")
        cls.program = os.path.join(cls.folder.name, "program")
        with open(source, "w", encoding="utf-8") as file:
            file.write(PROGRAM)
        subprocess.run(["g++", "-O0", "-g", "-std=c++20", "-fsanitize=address,undefined",
                        "-fno-sanitize-recover=all", "-static-libubsan",
                        "-o", cls.program, source], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def run_shell(self, script):
        return subprocess.run([SANITIZED, "sh", "-c", script, self.program],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)

    def assert_found(self, result, what, status=1):
        self.assertEqual((result.returncode, result.stdout.splitlines()[-1]),
                         (status, "0 passed, 1 failed"), result.stdout)
        self.assertIn(what, result.stdout)

    def test_nothing_found_changes_nothing(self):
        result = self.run_shell("\"$0\" && echo '3 passed, 0 failed'")
        self.assertEqual((result.returncode, result.stdout), (0, "3 passed, 0 failed\n"))
        self.assertEqual(self.run_shell("exit 7").returncode, 7)

    def test_each_fault_fails(self):
        for fault, text in (("overflow", "heap-buffer-overflow"), ("leak", "LeakSanitizer"),
                            ("undefined", "signed integer overflow")):
            self.assert_found(self.run_shell("\"$0\" %s; exit 0" % fault), text)

    def test_who_found_nothing_itself_keeps_its_exit_status(self):
        self.assert_found(self.run_shell("\"$0\" overflow; exit 5"), "heap-buffer-overflow", 5)

    def test_a_daemon_that_says_nothing_is_found_out(self):
        self.assert_found(
            self.run_shell("(cd / && exec setsid \"$0\" overflow </dev/null >/dev/null 2>&1) &"
                           " wait; echo '3 passed, 0 failed'"), "heap-buffer-overflow")


if __name__ == "__main__":
    outcome = unittest.main(exit=False, verbosity=0).result
    wrong = len(outcome.failures) + len(outcome.errors)
    print("%d passed, %d failed" % (outcome.testsRun - wrong, wrong))
    sys.exit(wrong > 0)
