"""What was never sent is given up where the topic says so, and nothing else is."""

import os
import sys

from daemon_case import SMALL, wait_for
from scripted_test import Scripted

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.scripted_broker import Step  # noqa: E402

LEADERLESS = 1
MESSAGES = 60       # of 8,000 bytes: three times the share of a pool of 16M
SHARE = SMALL + "\npartition_share = 1%"
NOT_ENOUGH_REPLICAS = 19


class Unsent(Scripted):
    def fill(self, policy):
        """(all messages of the partition without a leader, those that are in its log in the end)"""
        broker = self.run_against(3, "[topic:t]\npartition_full = %s\n" % policy, buffer=SHARE,
                                  leaderless={("t", LEADERLESS)})
        values = [b"%04d" % i + b"x" * 7996 for i in range(MESSAGES)]
        healthy = [b"first"]
        self.send_to(0, *healthy)
        self.wait_settled()     # the topic is known: what waits for that has a share of its own
        for value in values:
            self.send_to(LEADERLESS, value)
            healthy.append(value[:4])
            self.send_to(0, value[:4])
        wait_for("the others", lambda: self.log_of(0) == healthy)
        if policy != "wait":
            wait_for("discards", lambda: self.books()["discarded"] > 0)
            self.assertIn("partition_share", str(self.status()["warnings"]))
        self.wait_received()
        broker.leaderless.clear()
        self.wait_settled()
        return values, self.log_of(LEADERLESS)

    def test_the_newest_go(self):
        values, logged = self.fill("discard_newest")
        self.assertIn(len(logged), range(1, MESSAGES))
        self.assertEqual(logged, values[:len(logged)])
        self.assertEqual(self.discarded_by(), {"partition_full": MESSAGES - len(logged)})
        self.assertIn("its newest messages are discarded", self.log_text())

    def test_the_oldest_go(self):
        values, logged = self.fill("discard_oldest")
        self.assertIn(len(logged), range(1, MESSAGES))
        self.assertEqual(logged, values[-len(logged):])
        self.assertEqual(self.discarded_by(), {"partition_full": MESSAGES - len(logged)})

    def test_by_default_all_wait(self):
        values, logged = self.fill("wait")
        self.assertEqual(logged, values)
        self.assertEqual(self.discarded_by(), {})

    def test_the_deadline_is_for_what_was_never_sent(self):
        broker = self.run_against(3, "[topic:t]\ndelivery_deadline = 1s\n",
                                  leaderless={("t", LEADERLESS)})
        broker.rules["t", 2] = lambda _batch: Step(NOT_ENOUGH_REPLICAS)
        self.send_to(2, b"sent")
        wait_for("its first attempt", lambda: broker.seen["t", 2])
        self.send_to(2, b"behind it")
        self.send_to(LEADERLESS, *[b"%d" % i for i in range(10)])
        self.send_to(0, b"healthy")
        wait_for("the deadline", lambda: self.discarded_by() == {"deadline": 11})
        self.assertEqual(self.books()["buffered"], 1)
        broker.rules.clear()
        broker.leaderless.clear()
        self.send_to(LEADERLESS, b"later")
        self.wait_settled()
        self.assertEqual([self.log_of(p) for p in range(3)], [[b"healthy"], [b"later"], [b"sent"]])
        self.assertIn("never sent", self.log_text())
