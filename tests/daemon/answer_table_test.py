"""Every error code of Kafka's list as an answer to a first attempt and to a re-send, of one message
and of ten: what becomes of the messages, in the log and in the books.

What has to happen stands here by hand, after the protocol guide's list of error codes and what each
says about the log; it shares nothing with the table that the daemon goes by.
"""

import os
import sys

from daemon_case import SMALL
from scripted_test import Scripted, encode_keyed

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.scripted_broker import ScriptedBroker, Step  # noqa: E402

LAST = 133
CODES = [*range(-1, LAST + 1), 4711]    # the last: from a Kafka that is not written yet
NO_SEQUENCES = 43                       # of it the whole topic goes without them afterwards
REQUEST_TIMED_OUT = 7                   # nothing is known of what it answers

SETTLED = {0, 46}                       # NONE, DUPLICATE_SEQUENCE_NUMBER
TOO_LARGE = {10, 18}                    # MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE
# CORRUPT_MESSAGE, INVALID_REQUIRED_ACKS, INVALID_TIMESTAMP, POLICY_VIOLATION, INVALID_RECORD
REFUSED = {2, 21, 32, 44, 87}
# Under another sequence, epoch or id, where it is known that nothing was written:
# OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH, UNKNOWN_PRODUCER_ID, PRODUCER_FENCED; and
# without a sequence: UNSUPPORTED_FOR_MESSAGE_FORMAT
ANEW = {43, 45, 47, 59, 90}
# The same again: what may have been appended, what is retriable by Kafka's own list, what an
# operator has to mend (authorization), UNSUPPORTED_VERSION, and what nobody knows.
SAME_AGAIN = {
    -1, 3, 5, 6, 7, 9, 13, 14, 15, 16, 19, 20, 29, 31, 33, 34, 35, 41, 51, 56, 58, 70, 71, 72, 74,
    75, 78, 80, 83, 84, 88, 89, 100, 103, 106, 122, 123, 133, 4711}


def after_first_attempt(code, size):
    """(times in the log, discarded as, counted as possible duplicates)"""
    if code in TOO_LARGE:
        return (0, "too_large", 0) if size == 1 else (1, None, 0)   # the halves are taken
    if code in REFUSED:
        return (0, "refused", 0) if size == 1 else (1, None, 0)
    if code in SETTLED | ANEW | SAME_AGAIN:
        return 1, None, 0
    return 0, "other", 0


def after_resend(code):
    """Of what was appended when nobody knew. An answer that nothing was written now says nothing of
    that: the messages are sent anew, and counted as possible duplicates."""
    if code in SETTLED | SAME_AGAIN:
        return 1, None, 0
    return 2, None, 1


class AnswerTable(Scripted):
    SIZES = {"one": 1, "ten": 10, "one.old": 1, "ten.old": 10}

    def run_table(self):
        self.broker = ScriptedBroker({topic: 2 * len(CODES) for topic in self.SIZES})
        self.addCleanup(self.broker.stop)
        self.broker.__enter__()
        options = "".join("[topic:%s]\nbatch_messages = %d\nbatch_time = 1h\n" % item
                          for item in self.SIZES.items())
        self.write_config("%s\nrequest_timeout = 30s" % self.broker.address, more=options,
                          buffer=SMALL)
        self.start()

    def cases(self):
        """(topic, partition, number of messages, what is scripted, what has to happen)"""
        for topic, size in self.SIZES.items():
            for place, code in enumerate(CODES):
                if (code == NO_SEQUENCES) != topic.endswith("old"):
                    continue
                step = Step(code, appends=code in SETTLED)
                yield topic, 2 * place, size, [step], after_first_attempt(code, size)
                unknown = Step(REQUEST_TIMED_OUT, appends=True)
                yield topic, 2 * place + 1, size, [unknown, step], after_resend(code)

    def test_every_code_on_a_first_attempt_and_on_a_resend(self):
        self.run_table()
        for topic, partition, _size, steps, _expected in self.cases():
            self.broker.script(topic, partition, *steps)
        for topic, partition, size, _steps, _expected in self.cases():
            self.send_messages(encode_keyed(topic, partition, value)
                               for value in self.values_of(partition, size))
        books = self.wait_settled()
        self.judge(books)

    @staticmethod
    def values_of(partition, size):
        return [b"%d.%d" % (partition, i) for i in range(size)]

    def judge(self, books):
        duplicates = 0
        discarded = {}
        for topic, partition, size, steps, (times, reason, doubled) in self.cases():
            self.assertEqual(self.broker.log[topic, partition],
                             self.values_of(partition, size) * times, (topic, steps))
            duplicates += size * doubled
            if reason:
                discarded[reason] = discarded.get(reason, 0) + size
        self.assertEqual(self.discarded_by(), discarded)
        self.assertEqual(books["possible_duplicates"], duplicates)
