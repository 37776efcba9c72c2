#!/usr/bin/env python3
"""Holds our table of error codes against Kafka's own list.

    tests/kafka/error_table.py [VERSION]        4.3.0 by default

Kafka's jar prints its codes with their names and whether its clients retry them. Every code must
stand in kafka_worker/protocol/error_codes.h under the same name; where the table has no row of its
own making for it, what is retriable is retried and the rest discarded.
"""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka import kafka_cluster  # noqa: E402
from support import harness  # noqa: E402
from support.harness import TOP, check  # noqa: E402

TABLE = os.path.join(TOP, "kafka_worker", "protocol", "error_codes.h")
ROW = re.compile(r'ErrorCode\{(-?\d+), "(\w+)", InLog::(\w+), Action::(\w+), (true|false)\}')
CELLS = re.compile(r"<tr>\s*<td>(\w+)</td>\s*<td>(-?\d+)</td>\s*<td>(\w+)</td>")

# Decided one by one (tests/unit/kafka_worker/protocol/error_codes_test.cc has how); all others by
# the rule. Kafka's clients retry NOT_ENOUGH_REPLICAS and CORRUPT_MESSAGE, too.
DECIDED = {-1, 0, 2, 10, 18, 19, 21, 29, 31, 32, 33, 34, 35, 43, 44, 45, 46, 47, 58, 59, 87, 90}
RULE = {True: ("kUnknown", "kRetry"), False: ("kNoChange", "kDiscard")}


def kafkas_list(version):
    """{code: (name, retriable)}"""
    done = subprocess.run(["java", "-cp", kafka_cluster.fetch(version),
                           "org.apache.kafka.common.protocol.Errors"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
    return {int(code): (name, retriable == "True")
            for name, code, retriable in CELLS.findall(done.stdout)}


def our_table():
    with open(TABLE, encoding="utf-8") as file:
        return {int(row[0]): row[1:] for row in ROW.findall(file.read())}


def every_code_has_its_row(version):
    theirs, ours = kafkas_list(version), our_table()
    check(len(theirs) > 100, "the list was not read: %s" % theirs)
    wrong = [(code, name, ours.get(code)) for code, (name, _) in theirs.items()
             if ours.get(code, [""])[0] != name]
    check(not wrong, "%s" % wrong)
    return "%d codes of %s, %d rows" % (len(theirs), version, len(ours))


def what_is_retriable_is_retried(version):
    theirs, ours = kafkas_list(version), our_table()
    wrong = [(code, name, ours[code]) for code, (name, retriable) in theirs.items()
             if code not in DECIDED and ours[code][1:3] != RULE[retriable]]
    check(not wrong, "%s" % wrong)
    return "%d of them by the rule" % len(theirs.keys() - DECIDED)


TESTS = [every_code_has_its_row, what_is_retriable_is_retried]

if __name__ == "__main__":
    sys.exit(harness.run_tests(TESTS, *(sys.argv[1:] or ["4.3.0"])))
