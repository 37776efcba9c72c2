#!/usr/bin/env python3
"""Tests of tests/run: what it counts, and what it calls a failure."""

import importlib.machinery
import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
RUNNER = os.path.join(os.path.dirname(HERE), "run")


def load_runner():
    loader = importlib.machinery.SourceFileLoader("runner", RUNNER)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("runner", loader))
    loader.exec_module(module)
    return module


def run_table(*rows):
    """Runs the rows (name, command, minutes) in a checkout of their own."""
    with tempfile.TemporaryDirectory() as top:
        os.mkdir(os.path.join(top, "tests"))
        with open(RUNNER, encoding="utf-8") as source, \
                open(os.path.join(top, "tests", "run"), "w", encoding="utf-8") as copy:
            copy.write(source.read())
        with open(os.path.join(top, "tests", "README.md"), "w", encoding="utf-8") as table:
            table.writelines("| %s | check | `%s` | %s | 0 |\n" % row for row in rows)
        return subprocess.run([sys.executable, os.path.join(top, "tests", "run"), "check"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)


class Counting(unittest.TestCase):
    def setUp(self):
        self.runner = load_runner()

    def test_sums_every_summary(self):
        self.assertEqual(self.runner.count_tests("2 passed, 1 failed\nx\n3 passed, 0 failed\n"),
                         (5, 1))

    def test_translates_googletest(self):
        output = "[  PASSED  ] 7 tests.\n[  FAILED  ] 1 test, listed below:\n[  FAILED  ] A.B\n"
        self.assertEqual(self.runner.count_tests(output), (7, 1))

    def test_ignores_a_summary_inside_a_line(self):
        self.assertEqual(self.runner.count_tests("saw 2 passed, 1 failed\n"), (0, 0))

    def test_the_table_of_this_checkout_can_be_read(self):
        self.assertTrue(self.runner.read_table())


class Verdicts(unittest.TestCase):
    def assert_ends(self, result, status, last_line, *parts):
        self.assertEqual((result.returncode, result.stdout.splitlines()[-1]), (status, last_line),
                         result.stdout)
        for part in parts:
            self.assertIn(part, result.stdout)

    def test_sums_the_suites(self):
        result = run_table(("a", "echo 2 passed, 0 failed", 1), ("b", "echo 3 passed, 0 failed", 1))
        self.assert_ends(result, 0, "5 passed, 0 failed")

    def test_shows_the_end_of_what_failed(self):
        result = run_table(("a", "echo why; echo 1 passed, 1 failed; exit 1", 1))
        self.assert_ends(result, 1, "1 passed, 1 failed", "    why\n")

    def test_a_status_without_a_failed_test_is_a_failure(self):
        result = run_table(("a", "echo 2 passed, 0 failed; exit 3", 1))
        self.assert_ends(result, 1, "2 passed, 1 failed", "exit status 3")

    def test_a_suite_that_ran_nothing_has_failed(self):
        result = run_table(("a", "true", 1), ("b", "echo 1 passed, 0 failed", 1))
        self.assert_ends(result, 1, "1 passed, 1 failed", "ran no test")

    def test_ends_a_suite_beyond_its_minutes(self):
        result = run_table(("a", "echo 1 passed, 0 failed; exec sleep 1000", 0.01))
        self.assert_ends(result, 1, "1 passed, 1 failed", "not done in 0.01 minutes")

    def test_ends_and_names_what_is_left_behind(self):
        # Given away to another session, as a daemon is; the runner ends it and can go on.
        result = run_table(("a", "setsid sleep 1000 & echo 1 passed, 0 failed", 1))
        self.assert_ends(result, 1, "1 passed, 1 failed", "left behind: sleep")

    def test_refuses_a_table_that_allows_too_much(self):
        result = run_table(("a", "true", 30), ("b", "true", 6))
        self.assertEqual(result.returncode, 2)
        self.assertIn("check may take 35 minutes, its suites 36", result.stdout)

    def test_refuses_a_row_that_it_cannot_read(self):
        for row in (("a", "true", "some"), ("a", "true | cat", 1), ("a", "", 1)):
            self.assertEqual(run_table(row).returncode, 2, row)


if __name__ == "__main__":
    tests = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__])
    outcome = unittest.TextTestRunner(verbosity=2).run(tests)
    bad = len(outcome.failures) + len(outcome.errors)
    print("%d passed, %d failed" % (outcome.testsRun - bad, bad))
    sys.exit(bad > 0)
