"""Brokers that misbehave by script: what each kind of answer does to the log and to the books, and
that nobody waits for a sick partition. Order is counted in requests and answers, not in seconds.
"""

import os
import random
import socket
import struct
import sys
import threading
import time

from daemon_case import SMALL, WAIT_S, DaemonCase, wait_for

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.scripted_broker import ScriptedBroker, Step  # noqa: E402

BATCH = 4       # messages; a batch is sent when it has them all
OPTIONS = "[topic:t]\nbatch_messages = %d\nbatch_time = 1h\n" % BATCH


def encode_keyed(topic, partition, value, age_s=0):
    body = struct.pack(">hhhih", 257, 0, 0, partition, len(topic)) + topic.encode()
    body += struct.pack(">qii", int((time.time() - age_s) * 1000), 0, len(value)) + value
    return struct.pack(">i", len(body) + 4) + body


class Scripted(DaemonCase):
    def run_against(self, partitions, options=OPTIONS, request_timeout="5s", max_idle_s=None,
                    mangles=None, leaderless=(), buffer=SMALL, offers_looks=False, kafka="",
                    newest=(8, 1)):
        self.broker = ScriptedBroker({"t": partitions})
        self.broker.newest_produce, self.broker.newest_metadata = newest
        self.broker.leaderless.update(leaderless)
        self.broker.max_idle_s = max_idle_s
        self.broker.offers_looks = offers_looks
        for api, how in (mangles or {}).items():
            self.broker.mangles[api].extend(how)
        self.addCleanup(self.broker.stop)
        self.broker.__enter__()
        self.write_config("%s\nrequest_timeout = %s\n%s" % (self.broker.address, request_timeout,
                                                            kafka), more=options, buffer=buffer)
        self.start()
        return self.broker

    def tearDown(self):
        super().tearDown()
        self.assertEqual(self.broker.complaints, [])

    def send_to(self, partition, *values):
        self.send_messages(encode_keyed("t", partition, value) for value in values)

    def send_messages(self, messages):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.connect(self.input)
            client.settimeout(WAIT_S)
            for message in messages:
                client.send(message)
                self.sent += 1

    def send_batch(self, partition, name="m"):
        values = [b"%s%d.%d" % (name.encode(), partition, i) for i in range(BATCH)]
        self.send_to(partition, *values)
        return values

    def books(self):
        return self.status()["books"]

    def wait_settled(self):
        """Nothing is buffered any more; the books, which balance."""
        wait_for("all is settled", lambda: (lambda b: b["received"] == self.sent and
                                            b["buffered"] == 0)(self.books()))
        books = self.books()
        self.assertEqual(books["delivered"] + books["discarded"], self.sent)
        return books

    def discarded_by(self):
        return {reason: n for reason, n in self.status()["discarded_by"].items() if n}

    def log_of(self, partition):
        return self.broker.log["t", partition]

    def suspect_connections(self):
        return [b for b in self.status().get("brokers", []) if b["suspects"]]


class Answers(Scripted):
    # steps, records in the log, discarded, possible duplicates
    CASES = [
        ([], 4, {}, 0),
        ([Step(0), Step(0)], 4, {}, 0),
        ([Step(46, appends=True)], 4, {}, 0),
        ([Step(6), Step(3), Step(5)], 4, {}, 0),
        ([Step(6, appends=True), Step(7), Step(56)], 4, {}, 0),
        ([Step(7, appends=True)], 4, {}, 0),
        ([Step(13), Step(74), Step(75), Step(100)], 4, {}, 0),
        ([Step(19), Step(19)], 4, {}, 0),
        ([Step(20, appends=True)], 4, {}, 0),
        ([Step(-1, appends=True)], 4, {}, 0),
        ([Step(-1), Step(4711)], 4, {}, 0),
        ([Step(10)], 4, {}, 0),
        ([Step(10), Step(10), Step(10)], 3, {"too_large": 1}, 0),
        ([Step(18), Step(18), Step(18)], 3, {"too_large": 1}, 0),
        ([Step(10), Step(0, appends=True), Step(10), Step(10)], 3, {"too_large": 1}, 0),
        ([Step(87, names=(0,))], 3, {"refused": 1}, 0),
        ([Step(87, names=(2,)), Step(0), Step(87, names=(0,))], 3, {"refused": 1}, 0),
        ([Step(2), Step(2), Step(2)], 3, {"refused": 1}, 0),
        ([Step(32, names=(3,)), Step(0), Step(32)], 3, {"refused": 1}, 0),
        ([Step(21), Step(2), Step(44)], 3, {"refused": 1}, 0),
        ([Step(17)], 0, {"other": 4}, 0),
        ([Step(29), Step(31), Step(58)], 4, {}, 0),
        ([Step(35)], 4, {}, 0),
        ([Step(45)], 4, {}, 0),
        ([Step(59)], 4, {}, 0),
        ([Step(6), Step(45)], 4, {}, 4),
        ([Step(6, appends=True), Step(59)], 8, {}, 4),
        ([Step(6, appends=True), Step(10), Step(10)], 8, {}, 4),
        ([Step(6, appends=True), Step(17), Step(17)], 4, {"other": 4}, 4),
    ]

    def test_each_kind_is_seen_in_the_log_and_in_the_books(self):
        broker = self.run_against(len(self.CASES))
        for partition, (steps, *_rest) in enumerate(self.CASES):
            broker.script("t", partition, *steps)
        for partition in range(len(self.CASES)):
            self.send_batch(partition)
        books = self.wait_settled()
        for partition, (steps, logged, _discarded, _duplicates) in enumerate(self.CASES):
            self.assertEqual(len(self.log_of(partition)), logged, steps)
        reasons = {}
        for _steps, _logged, discarded, _duplicates in self.CASES:
            for reason, count in discarded.items():
                reasons[reason] = reasons.get(reason, 0) + count
        self.assertEqual(self.discarded_by(), reasons)
        self.assertEqual(books["possible_duplicates"], sum(case[3] for case in self.CASES))

    def warned(self, text):
        return [w["text"] for w in self.status()["warnings"] if text in w["text"]]

    def test_a_topic_of_an_old_format_goes_without_sequences(self):
        broker = self.run_against(2)
        broker.without_sequences.add("t")
        values = [self.send_batch(partition) for partition in range(2)]
        self.wait_settled()
        broker.script("t", 0, Step(7, appends=True))
        values[0] += self.send_batch(0, "more") * 2
        books = self.wait_settled()
        self.assertEqual([self.log_of(partition) for partition in range(2)], values)
        self.assertEqual(books["possible_duplicates"], BATCH)
        self.assertTrue(self.warned("its message format is older than Kafka 0.11"))
        self.assertEqual(self.log_text().count("its message format"), 1)

    def test_without_a_producer_id_it_is_at_least_once(self):
        self.refuse_producer_id("preferred")

    def test_without_a_producer_id_it_waits_where_one_is_required(self):
        self.refuse_producer_id("required")

    def refuse_producer_id(self, kind):
        broker = ScriptedBroker({"t": 1})
        broker.init_producer_id_code = 31
        broker.script("t", 0, Step(7, appends=True))
        self.addCleanup(broker.stop)
        broker.__enter__()
        self.write_config("%s\nidempotence = %s" % (broker.address, kind), more=OPTIONS,
                          buffer=SMALL)
        self.broker = broker
        self.start()
        values = self.send_batch(0)
        if kind == "required":
            wait_for("the warning",
                     lambda: self.warned("CLUSTER_AUTHORIZATION_FAILED; messages wait"))
            self.assertEqual(broker.seen["t", 0], [])
            broker.init_producer_id_code = 0
        books = self.wait_settled()
        times = 2 if kind == "preferred" else 1
        self.assertEqual(broker.log["t", 0], values * times)
        self.assertEqual(books["possible_duplicates"], BATCH * (times - 1))
        self.assertEqual(bool(self.warned("FAILED; at least once")), kind == "preferred")

    def test_an_id_that_somebody_else_uses_is_left(self):
        broker = self.run_against(1)
        broker.script("t", 0, Step(47), Step(90))
        values = self.send_batch(0)
        self.wait_settled()
        self.assertEqual(self.log_of(0), values)
        ids = [batch.producer for batch in broker.seen["t", 0]]
        self.assertEqual([number - ids[0] for number in ids], [0, 1, 2])

    def test_a_broker_that_forgot_us_is_met_under_the_next_epoch(self):
        broker = self.run_against(1)
        values = self.send_batch(0, "a")
        self.wait_settled()
        broker.forget_producers()
        values += self.send_batch(0, "b")
        books = self.wait_settled()
        self.assertEqual(self.log_of(0), values)
        self.assertEqual(books["possible_duplicates"], 0)
        self.assertEqual(broker.seen["t", 0][-1].epoch, 1)

    def test_exactly_the_named_records_are_discarded(self):
        broker = self.run_against(1)

        def refuse_bad(batch):
            bad = tuple(i for i, value in enumerate(batch.values) if value.startswith(b"bad"))
            return Step(87, names=bad) if bad else None
        broker.rules["t", 0] = refuse_bad
        values = [b"%s%d" % (b"bad" if i % 3 == 1 else b"good", i) for i in range(8 * BATCH)]
        self.send_to(0, *values)
        self.wait_settled()
        good = [value for value in values if value.startswith(b"good")]
        self.assertEqual(self.log_of(0), good)
        self.assertEqual(self.discarded_by(), {"refused": len(values) - len(good)})

    def test_without_authorization_messages_wait_and_the_status_says_so(self):
        broker = self.run_against(1)
        broker.rules["t", 0] = lambda _batch: Step(29)
        values = self.send_batch(0)
        wait_for("the warning", self.unauthorized)
        self.assertEqual(self.books()["buffered"], BATCH)
        broker.rules.clear()
        self.wait_settled()
        self.assertEqual(self.log_of(0), values)
        self.assertEqual(self.unauthorized(), [])

    def unauthorized(self):
        return [w["text"] for w in self.status()["warnings"] if "not authorized" in w["text"]]

    def test_a_record_that_the_server_fails_at_blocks_nothing_for_ever(self):
        broker = self.run_against(1, OPTIONS + "server_error_deadline = 100ms\n")
        broker.rules["t", 0] = lambda batch: Step(-1) if b"poison" in batch.values else None
        values = [b"1", b"2", b"poison", b"4"] + [b"%d" % i for i in range(5, 9)]
        self.send_to(0, *values)
        self.wait_settled()
        self.assertEqual(self.log_of(0), [v for v in values if v != b"poison"])
        self.assertEqual(self.discarded_by(), {"ambiguous": 1})


class Connections(Scripted):
    def test_cut_connections_and_answers_that_are_none(self):
        broker = self.run_against(3)
        broker.script("t", 0, Step(cuts=True), Step(cuts=True, appends=True), Step(garbage=True))
        broker.script("t", 1, Step(garbage=True, appends=True), Step(7), Step(cuts=True))
        values = [self.send_batch(partition) for partition in range(3)]
        books = self.wait_settled()
        self.assertEqual([self.log_of(partition) for partition in range(3)], values)
        self.assertEqual(books["possible_duplicates"], 0)

    def test_a_connection_that_is_closed_while_idle_is_no_failure(self):
        broker = self.run_against(1, max_idle_s=0.2)
        values = self.send_batch(0, "before")
        self.wait_settled()
        for _ in range(5):
            wait_for("it is down", lambda: all(
                b["state"] != "up" for b in self.status()["brokers"]))
            values += self.send_batch(0, "after%d." % len(values))
            self.wait_settled()
        self.assertEqual(self.log_of(0), values)
        self.assertNotIn("failure", self.log_text())

    def test_an_answer_that_never_comes_is_not_waited_for(self):
        gate = threading.Event()
        broker = self.run_against(3, request_timeout="100ms")
        broker.script("t", 0, Step(appends=True, gate=gate))
        values = [self.send_batch(partition) for partition in range(3)]
        books = self.wait_settled()
        gate.set()      # late, and nobody's
        more = self.send_batch(0, "more")
        self.wait_settled()
        self.assertEqual(self.log_of(0), values[0] + more)
        self.assertEqual([self.log_of(1), self.log_of(2)], values[1:])
        self.assertEqual(books["possible_duplicates"], 0)
        self.assertIn("no answer in time", self.log_text())

    def test_a_batch_that_is_cut_off_alone_again_and_again_is_narrowed_down(self):
        broker = self.run_against(2, "[topic:t]\nbatch_messages = 2\nbatch_time = 1h\n")
        broker.rules["t", 0] = lambda batch: Step(cuts=b"poison" in batch.values)
        self.send_to(0, b"poison", b"sound")
        others = []

        def look():     # others are served all the time
            if len(self.log_of(1)) == len(others):
                others.extend([b"%d" % len(others), b"%d" % (len(others) + 1)])
                self.send_to(1, *others[-2:])
            return b"sound" in self.log_of(0)
        wait_for("the sound one", look)
        self.wait_settled()
        self.assertEqual(self.discarded_by(), {"ambiguous": 1})
        self.assertEqual([self.log_of(0), self.log_of(1)], [[b"sound"], others])

    def test_a_broker_that_takes_nothing_of_others_is_no_reason_to_discard(self):
        broker = self.run_against(1)
        broker.rules["t", 0] = lambda _batch: Step(cuts=True)
        values = self.send_batch(0)
        wait_for("eight cuts", lambda: len(broker.seen["t", 0]) >= 8)
        broker.rules.clear()
        books = self.wait_settled()
        self.assertEqual(self.log_of(0), values)
        self.assertEqual(books["possible_duplicates"], 0)

    def test_any_mixture_of_unknown_outcomes_delivers_once_and_in_order(self):
        broker = self.run_against(4)
        seed = random.randrange(1 << 30)
        chance = random.Random(seed)

        def misbehave(_batch):
            if chance.random() < 0.6:
                return None
            return Step(chance.choice([3, 5, 6, 7, 13, 20, 56, 75, -1]),
                        appends=chance.random() < 0.5, cuts=chance.random() < 0.2,
                        garbage=chance.random() < 0.1)
        for partition in range(4):
            broker.rules["t", partition] = misbehave
        values = [[] for _ in range(4)]
        for i in range(25):
            for partition in range(4):
                values[partition] += self.send_batch(partition, "%d." % i)
        books = self.wait_settled()
        self.assertEqual([self.log_of(p) for p in range(4)], values, "seed %d" % seed)
        self.assertEqual(books["possible_duplicates"], 0)


class Isolation(Scripted):
    SICK = ("t", 0)

    def waits(self, events):
        """Requests of healthy partitions that waited for an answer of the sick one; how many did
        not."""
        owed = {}       # connection -> requests of the sick one that have no answer
        waiting, free = [], 0
        for event in events:
            sick = self.SICK in event.partitions
            if event.kind == "request":
                healthy = event.partitions - {self.SICK}
                if healthy and (sick or owed.get(event.connection)):
                    waiting.append(event)
                elif healthy:
                    free += 1
                if sick:
                    owed.setdefault(event.connection, set()).add(event.request)
            elif sick:
                owed[event.connection].discard(event.request)
        return waiting, free

    def test_no_request_of_a_healthy_partition_waits_for_an_answer_of_a_sick_one(self):
        gate = threading.Event()
        broker = self.run_against(4, "[topic:t]\nbatching = off\n", request_timeout="30s")
        broker.script("t", 0, Step(20, appends=True))
        self.send_to(0, b"first")
        self.wait_settled()
        wait_for("the second connection goes", lambda: not self.suspect_connections())
        broker.script("t", 0, Step(20, appends=True), Step(7, gate=gate), Step(20, gate=gate))
        self.send_to(0, b"second")
        wait_for("the second connection", self.suspect_connections)
        expected = [[], [], [], []]
        for i in range(60):     # each round is delivered before the next, while the sick one is not
            for partition in (1, 2, 3):
                expected[partition].append(b"%d" % i)
                self.send_to(partition, b"%d" % i)
            wait_for("round %d" % i, lambda: all(
                self.log_of(p) == expected[p] for p in (1, 2, 3)))
        wait_for("only the sick one's", lambda: self.books()["buffered"] == 1)
        gate.set()
        self.wait_settled()
        with broker.lock:
            waiting, free = self.waits(broker.events)
        self.assertEqual(waiting, [])
        self.assertGreaterEqual(free, 60)
        self.assertEqual(self.log_of(0), [b"first", b"second"])
        wait_for("the second connection goes", lambda: not self.suspect_connections())

    def test_any_partition_messages_go_round_the_sick_one(self):
        gate = threading.Event()
        broker = self.run_against(4, "[topic:t]\nbatching = off\n", request_timeout="30s")
        broker.script("t", 0, Step(20), Step(0, gate=gate))
        self.send_to(0, b"keyed")
        wait_for("the second connection", self.suspect_connections)
        self.send(200)
        wait_for("200 round it", lambda: len(broker.values("t")) >= 200)
        gate.set()
        self.wait_settled()
        self.assertEqual(len(broker.values("t")), 201)
