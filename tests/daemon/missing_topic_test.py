"""Topics that brokers do not know: how long they are waited for, and how often asked for."""

import time

from daemon_case import wait_for
from scripted_test import Scripted, encode_keyed
from support.scripted_broker import METADATA

LATE = "late"


def nothing(_frame):
    return []


def as_it_is(frame):
    return [frame]


class MissingTopic(Scripted):
    def send_late(self):
        self.send_messages([encode_keyed(LATE, 0, b"%d" % self.sent)])

    def test_only_answers_run_into_the_deadline(self):
        broker = self.run_against(1, "[topic:%s]\nunknown_topic_deadline = 4s\n" % LATE,
                                  request_timeout="1s")
        self.send_late()
        wait_for("it is unknown", lambda: LATE in str(self.status()["warnings"]))
        # Nobody answers for 6 s (request_timeout and grace). Behind the third answer two were read.
        broker.mangles[METADATA].extend([nothing, as_it_is, as_it_is, as_it_is])
        wait_for("its answers", lambda: not broker.mangles[METADATA])
        self.assertEqual(self.books()["discarded"], 0)
        broker.topics[LATE] = 1
        self.assertEqual(self.wait_settled()["delivered"], 1)

    def test_one_that_was_given_up_is_asked_for_seldom_and_found(self):
        broker = self.run_against(1, "[topic:%s]\nunknown_topic_deadline = 1s\n" % LATE)
        self.send_late()
        wait_for("it is given up", lambda: self.books()["discarded"] == 1)
        begin = time.monotonic()
        broker.topics[LATE] = 1

        def is_found():
            self.send_late()
            return self.books()["delivered"] > 0
        wait_for("it is found", is_found)
        self.assertGreater(time.monotonic() - begin, 5)     # 10 s; while it was waited for, 1 s
        self.wait_settled()
