"""A broker whose answers are none: cut short, too long, of another request, twice, without an end.
Only the connection suffers: nothing is lost or doubled, no worker dies, no memory is taken.
"""

import itertools
import os
import random
import struct

from daemon_case import BIN, SMALL, wait_for
from refusal_test import RIGHT, SASL
from scripted_test import BATCH, OPTIONS, Scripted, encode_keyed
from support.kafka_bytes import COMPACT, array, text, unsigned
from support.scripted_broker import (API_VERSIONS, INIT_PRODUCER_ID, METADATA, PRODUCE,
                                     SASL_AUTHENTICATE, SASL_HANDSHAKE, ScriptedBroker, Step)
from support.scripted_log import DESCRIBE_PRODUCERS, FETCH, LIST_OFFSETS

SANITIZED = "address" in os.path.basename(os.path.dirname(BIN))     # each piece takes more then
MEMORY_KB = 40 << 10 << SANITIZED
SIZE = 4        # bytes of a frame before its answer
LARGEST = 16 << 20
HEAD = 2 * SIZE + 4 + 4 + (2 + 9) + 4 + 2 + 4     # of a Metadata frame: up to its topics
NEW_BROKERS = 4500      # in an answer
LEADERS = 20
MANY = ["t", *("t%d" % i for i in range(9))]       # topics in use
MOST = (1 << 16) - len(MANY) + 1    # partitions of one of them, beside those of the others


def with_size(size, answer):
    return [struct.pack(">i", size) + answer]


def cut_short(frame):
    return with_size(len(frame) - SIZE - 3, frame[SIZE:-3])


def too_long(frame):
    return with_size(len(frame) - SIZE + 3, frame[SIZE:] + b"\0\0\0")


def of_another_request(frame):
    number = struct.unpack(">i", frame[SIZE:2 * SIZE])[0]
    return [frame[:SIZE] + struct.pack(">i", number + 1) + frame[2 * SIZE:]]


def noise(frame):
    return [frame[:2 * SIZE] + random.randbytes(len(frame) - 2 * SIZE)]


def twice(frame):
    return [frame, frame]


def of_negative_size(frame):
    return with_size(-len(frame), frame[SIZE:])


def of_two_bytes(_frame):
    return with_size(2, b"\0\0")


def of_100_megabytes(frame):
    return with_size(100_000_000, frame[SIZE:])


def without_an_end(frame):
    """As large as one may be."""
    yield struct.pack(">i", LARGEST) + frame[SIZE:]
    while True:
        yield b"x" * 65536


def of_largest_size(frame, *parts):
    """An answer of parts; the one that is a list is repeated up to what an answer may have."""
    fixed = sum(len(part) for part in parts if isinstance(part, bytes))
    body = b""
    for part in parts:
        if isinstance(part, bytes):
            body += part
        else:
            count = (LARGEST - SIZE - fixed - SIZE) // len(part[0])
            body += struct.pack(">i", count) + part[0] * count
    return [struct.pack(">i", SIZE + len(body)) + frame[SIZE:2 * SIZE] + body]


def name_millions_of_records(frame):
    """Version 8 takes their batch and names errors in it: nothing to do about them."""
    head = struct.pack(">i", 1) + text("t") + struct.pack(">iihqqq", 1, 0, 0, 0, -1, 0)
    return of_largest_size(frame, head, [struct.pack(">ih", 7, -1)], text(None) + bytes(4))


def of_millions_of_partitions(frame):
    result = struct.pack(">ihqqqih", 0, 0, 0, -1, 0, 0, -1)
    return of_largest_size(frame, struct.pack(">i", 1) + text("t"), [result], bytes(4))


def of_millions_of_topics(frame):
    return of_largest_size(frame, [text("") + bytes(4)], bytes(4))


def tell_millions_of_brokers(frame):
    broker = struct.pack(">i", 1) + text("h") + struct.pack(">i", 1) + text(None)
    return of_largest_size(frame, [broker], bytes(4) + bytes(4))


def tell_millions_of_topics(frame):
    return of_largest_size(frame, bytes(4) + bytes(4), [bytes(2) + text("") + bytes(1 + 4)])


def tell_millions_of_partitions(frame):
    """The head is that of the true answer: this broker, and the topic's name."""
    partition = struct.pack(">hiiii", 0, 0, 1, 0, 0)
    return of_largest_size(frame, frame[2 * SIZE:-4 - 26], [partition])


def tell_of_the_last_partition_of_all(frame):
    """That there are two billion partitions."""
    return [frame[:-24] + struct.pack(">i", (1 << 31) - 1) + frame[-20:]]


def tell_of_the_last_partition_that_may_be(frame):
    """That each topic has it, and none before it but the first."""
    partitions = array([struct.pack(">hiiii", 0, p, 1, 0, 0) for p in (0, MOST - 1)])
    body = frame[2 * SIZE:HEAD] + array([bytes(2) + text(t) + b"\0" + partitions for t in MANY])
    return [struct.pack(">i", SIZE + len(body)) + frame[SIZE:2 * SIZE] + body]


def tell_as_much_as_may_be_kept(frame):
    """Of everything as many as there may be, in one answer."""
    def list_partitions(first, count):
        return array([struct.pack(">hiiii", 0, p, 1, 0, 0) for p in range(first, first + count)])
    brokers = [struct.pack(">i", 1000 + i) + text("%0255d" % i) + struct.pack(">i", 1) + text(None)
               for i in range(4998)]
    known = [text("t") + b"\0" + list_partitions(0, MOST)]
    others = [text("%d" % i) + b"\0" + list_partitions(0, ((1 << 17) - MOST) // 4)
              for i in range(4)]
    rest = (1 << 16) - len(known) - len(others)
    body = struct.pack(">i", 1 + len(brokers)) + frame[3 * SIZE:HEAD - 4] + b"".join(brokers)
    body += struct.pack(">ii", 1, (1 << 16)) + b"".join(bytes(2) + t for t in known + others)
    room = (LARGEST - SIZE - len(body)) // rest - 2 - 2 - 1 - 4
    body += (bytes(2) + text("x" * room) + bytes(1 + 4)) * rest
    return [struct.pack(">i", SIZE + len(body)) + frame[SIZE:2 * SIZE] + body]


def of_compact_form(frame, *parts):
    """As of_largest_size."""
    fixed = sum(len(part) for part in parts if isinstance(part, bytes)) + 1
    body = b"\0"
    for part in parts:
        if isinstance(part, bytes):
            body += part
        else:
            count = (LARGEST - 2 * SIZE - fixed) // len(part[0])
            body += COMPACT.count(count) + part[0] * count
    return [struct.pack(">i", SIZE + len(body)) + frame[SIZE:2 * SIZE] + body]


def of_compact_result(code):
    """A Produce answer of version 12 up to the records that it names."""
    return (COMPACT.count(1) + COMPACT.text("t") + COMPACT.count(1) +
            struct.pack(">ihqqq", 0, code, 0, -1, 0))


# No record is named, no text, no tag of the partition or topic, no throttle.
ANSWER_END = COMPACT.count(0) + COMPACT.text(None) + bytes(1 + 1 + 4)


def name_millions_in_compact_form(frame):
    return of_compact_form(frame, of_compact_result(0), [struct.pack(">ibb", 7, 0, 0)],
                           bytes(1 + 1 + 1 + 4 + 1))


def of_a_text_without_an_end(frame):
    """Why a batch is refused; it could be believed."""
    return of_compact_form(frame, of_compact_result(2), COMPACT.count(0), [b"x"],
                           bytes(1 + 1 + 4 + 1))


def of_millions_of_tags(frame):
    """Of the whole, behind the throttle time; their count is not one more than it is."""
    count = LARGEST // 4
    return of_compact_form(frame, of_compact_result(0) + ANSWER_END, unsigned(count),
                           b"\x63\0" * count)


def of_thousands_of_leaders(frame):
    """Where they are, of whom none was named."""
    leader = struct.pack(">i", 1) + COMPACT.text("h" * 240) + bytes(4 + 1 + 1)
    leaders = COMPACT.array([leader] * ((1 << 16) - 1))
    return of_compact_form(frame, of_compact_result(0) + ANSWER_END, unsigned(1),
                           unsigned(0) + unsigned(len(leaders)) + leaders)


def of_compact_metadata(frame, cluster, topics):
    """A Metadata answer of version 12; the broker is the true one."""
    at = 2 * SIZE + 1 + 4
    broker = frame[at:at + 1 + 4 + (1 + 9) + 4 + 1 + 1]
    return of_compact_form(frame, bytes(4) + broker, *cluster, struct.pack(">i", 1), *topics,
                           b"\0")


def of_a_cluster_with_a_long_id(frame):
    return of_compact_metadata(frame, [[b"x"]], [COMPACT.count(0)])


def tell_of_long_topics(frame):
    topic = bytes(2) + COMPACT.text("x" * 32767) + bytes(16 + 1) + COMPACT.count(0) + bytes(4 + 1)
    return of_compact_metadata(frame, [COMPACT.text("scripted")], [[topic]])


def refuse_and_name_millions_of_mechanisms(frame):
    return of_largest_size(frame, struct.pack(">h", 33), [text("")])


def refuse_and_name_long_mechanisms(frame):
    return of_largest_size(frame, struct.pack(">h", 33), [text("x" * 255)])


def refuse_with_a_long_text_that_is_none(frame):
    body = struct.pack(">hh", 58, 32767) + b"\xff\n" * 16383 + b"\xff" + struct.pack(">iq", 0, 0)
    return [struct.pack(">i", SIZE + len(body)) + frame[SIZE:2 * SIZE] + body]


def accept_with_millions_of_bytes(frame):
    return of_largest_size(frame, struct.pack(">h", 0) + text(None), [b"x"], bytes(8))


def tell_of_a_host_that_is_no_text(frame):
    return [frame.replace(b"127.0.0.1", b"127\xff\xfe\n0.1")]


def tell_of_new_brokers(generation):
    """Nobody is where they are said to be, and the first of them is said to lead."""
    def tell(frame):
        first = 100 + generation * NEW_BROKERS
        brokers = [struct.pack(">i", first + i) + text("127.9.%d.%d" % divmod(i, 250)) +
                   struct.pack(">i", 1) + text(None) for i in range(NEW_BROKERS)]
        partition = struct.pack(">hiiiiii", 0, 0, first, 1, 1, 1, 1)
        topic = struct.pack(">h", 0) + text("t") + b"\0" + array([partition])
        body = array(brokers) + struct.pack(">i", first) + array([topic])
        return [struct.pack(">i", SIZE + len(body)) + frame[SIZE:2 * SIZE] + body]
    return tell


def under_each_others_numbers(first, second):
    return [second[:SIZE] + first[SIZE:2 * SIZE] + second[2 * SIZE:],
            first[:SIZE] + second[SIZE:2 * SIZE] + first[2 * SIZE:]]


def in_each_others_places(first, second):
    return [second, first]


def all_but_the_last_byte(frame):
    """Of the largest answer that may be."""
    return [struct.pack(">i", LARGEST) + frame[SIZE:], bytes(LARGEST - len(frame) + SIZE - 1)]


def tell_of_as_many_brokers_as_partitions(frame):
    """All of them where this one is."""
    brokers = [struct.pack(">i", i + 1) + frame[4 * SIZE:HEAD - 4] for i in range(LEADERS)]
    partitions = [struct.pack(">hiiii", 0, p, p + 1, 0, 0) for p in range(LEADERS)]
    body = array(brokers) + struct.pack(">i", 1) + array([bytes(2) + text("t") + b"\0" +
                                                          array(partitions)])
    return [struct.pack(">i", SIZE + len(body)) + frame[SIZE:2 * SIZE] + body]


def byte_by_byte(frame):
    """No fault at all."""
    return [frame[i:i + 1] for i in range(len(frame))]


def nothing(_frame):
    return []


MANGLES = [cut_short, too_long, of_another_request, noise, twice, of_negative_size, of_two_bytes,
           of_100_megabytes, without_an_end, byte_by_byte]
LARGE = {PRODUCE: [name_millions_of_records, of_millions_of_partitions, of_millions_of_topics],
         METADATA: [tell_millions_of_brokers, tell_millions_of_topics, tell_millions_of_partitions,
                    tell_of_the_last_partition_of_all, tell_of_the_last_partition_that_may_be,
                    tell_as_much_as_may_be_kept, tell_of_a_host_that_is_no_text]}
LARGE_COMPACT = {PRODUCE: [name_millions_in_compact_form, of_a_text_without_an_end,
                           of_millions_of_tags, of_thousands_of_leaders],
                 METADATA: [of_a_cluster_with_a_long_id, tell_of_long_topics]}
OF_LOGINS = {SASL_HANDSHAKE: [*MANGLES, refuse_and_name_millions_of_mechanisms,
                              refuse_and_name_long_mechanisms, nothing],
             SASL_AUTHENTICATE: [*MANGLES, refuse_with_a_long_text_that_is_none,
                                 accept_with_millions_of_bytes, nothing]}


def open_secret(path, flags):
    return os.open(path, flags, 0o600)


class Hostile(Scripted):
    def pid(self):
        return self.worker("kafka-0")["pid"]

    def memory_kb(self, name):
        with open("/proc/%d/status" % self.pid(), encoding="ascii") as file:
            return int(next(line for line in file if line.startswith(name)).split()[1])

    def forget_peak(self):
        with open("/proc/%d/clear_refs" % self.pid(), "w", encoding="ascii") as file:
            file.write("5")


class HostileAnswers(Hostile):
    def test_only_the_connection_suffers(self):
        self.play_all((8, 1))

    def test_only_the_connection_suffers_by_compact_versions(self):
        self.play_all((9, 9))

    def test_only_the_connection_suffers_by_topic_ids(self):
        self.play_all((13, 12))

    def play_all(self, newest):
        broker = self.run_against(2, newest=newest)
        # Each connection that a Produce ends asks for the rest anew; one in two is spared, since
        # back-offs grow by failures in a row.
        for api in (PRODUCE, METADATA, API_VERSIONS):
            for mangle in random.sample(MANGLES, len(MANGLES)):
                broker.mangles[api].extend([mangle, None])
        values = self.send_batch(0, "first")
        self.wait_settled()
        worker = self.pid()
        before = self.memory_kb("VmRSS")
        self.forget_peak()

        def look():
            if any(broker.mangles[api] for api in (PRODUCE, METADATA, API_VERSIONS)):
                if not broker.mangles[PRODUCE]:     # so that the others are asked for once more
                    broker.mangles[PRODUCE].append(cut_short)
                values.extend(self.send_batch(0, "%d." % len(values)))
                self.wait_settled()
                return False
            return True
        wait_for("all is played", look)
        books = self.wait_settled()
        self.assertEqual(self.log_of(0), values)
        self.assertEqual(books["possible_duplicates"], 0)
        self.assertEqual(self.pid(), worker)
        self.assertLess(self.memory_kb("VmHWM"), before + MEMORY_KB)
        self.assertEqual([broker.spoken[api] for api in (PRODUCE, METADATA)],
                         [{version} for version in newest])

    def expect_little(self, broker, values, api, mangle, normal_kb):
        """One answer is mangled; what is sent next is delivered once, and little memory taken."""
        worker = self.pid()
        self.forget_peak()
        broker.mangles[api].append(mangle)
        if api == METADATA:     # is asked for by a batch
            broker.script("t", 0, Step(code=6))
        values.extend(self.send_batch(0, "%d." % len(values)))
        self.wait_settled()
        wait_for("it was played", lambda: not broker.mangles[api])
        self.assertEqual(self.log_of(0), values)
        self.assertEqual(self.wait_settled()["discarded"], 0)
        self.assertEqual(self.pid(), worker)
        self.assertLess(self.memory_kb("VmHWM"), normal_kb + MEMORY_KB)

    def test_no_answer_costs_many_times_its_size(self):
        self.play_large((8, 1), LARGE)

    def test_no_answer_of_a_compact_version_costs_many_times_its_size(self):
        self.play_large((12, 12), LARGE_COMPACT)

    def play_large(self, newest, large):
        """Of as many parts as it may have bytes for, each of them as it should be."""
        broker = self.run_against(1, newest=newest)
        broker.topics.update(dict.fromkeys(MANY, 1))
        self.send_messages(encode_keyed(t, 0, b"") for t in MANY[1:])
        values = self.send_batch(0, "first")
        self.wait_settled()
        normal_kb = self.memory_kb("VmRSS")
        for api, mangles in large.items():
            for mangle in mangles:
                with self.subTest(mangle.__name__):
                    self.expect_little(broker, values, api, mangle, normal_kb)

    def test_answers_that_are_exchanged(self):
        """Two are on their way: each under the other one's number, and each in the other one's
        place."""
        broker = self.run_against(2)
        worker, values = None, [[], []]
        for exchange in (under_each_others_numbers, in_each_others_places):
            values[0] += self.send_batch(0, exchange.__name__)
            values[1] += self.send_batch(1, exchange.__name__)
            self.wait_settled()
            worker = worker or self.pid()
            first = []
            broker.mangles[PRODUCE] += [
                lambda frame, held=first: held.append(frame) or [],
                lambda frame, held=first, how=exchange: how(held[0], frame)]
            values[0] += self.send_batch(0, "a")
            wait_for("the first is held back", lambda held=first: held)
            values[1] += self.send_batch(1, "b")
            books = self.wait_settled()
            self.assertFalse(broker.mangles[PRODUCE])
            self.assertEqual([self.log_of(0), self.log_of(1)], values)
            self.assertEqual([len(broker.seen["t", 0]), len(broker.seen["t", 1])],
                             [len(values[0]) // BATCH + len(broker.mangled) // 2] * 2)
        wait_for("it is closed", lambda: not broker.mangled[-1][1].open)
        self.assertEqual((books["possible_duplicates"], self.pid()), (0, worker))

    def test_answers_that_never_come(self):
        """On the way to the first message, one of each kind."""
        broker = self.run_against(1, request_timeout="100ms", mangles={
            api: [nothing] for api in (API_VERSIONS, METADATA, INIT_PRODUCER_ID)})
        values = self.send_batch(0)
        books = self.wait_settled()
        self.assertEqual([api for api, _ in broker.mangled],
                         [API_VERSIONS, METADATA, INIT_PRODUCER_ID])
        wait_for("all are closed", lambda: not any(on.open for _, on in broker.mangled))
        self.assertEqual(self.log_of(0), values)
        self.assertEqual(books["possible_duplicates"], 0)

    def test_thousands_of_new_brokers_with_each_answer(self):
        """None of them is there. Those of the newest answer are known, and nobody else."""
        broker = self.run_against(1)
        values = self.send_batch(0, "first")
        self.wait_settled()
        worker = self.pid()
        normal_kb = self.memory_kb("VmRSS")
        self.forget_peak()
        script = broker.mangles[METADATA]
        script.extend(tell_of_new_brokers(i) for i in range(500))
        broker.rules["t", 0] = lambda _: Step(code=6) if script else None     # asks for metadata
        values += self.send_batch(0, "second")
        known = [0]

        def look():
            known.append(len(self.known_brokers()))
            return len(script) <= 500 - 16 and max(known) >= NEW_BROKERS
        wait_for("enough is played", look)
        script.clear()
        values += self.send_batch(0, "third")
        self.wait_settled()
        wait_for("the true one alone is known", lambda: self.known_brokers() == [1])
        self.assertEqual(self.log_of(0), values)
        self.assertEqual(self.pid(), worker)
        self.assertLessEqual(max(known), NEW_BROKERS + 1)
        self.assertLess(self.memory_kb("VmHWM"), normal_kb + MEMORY_KB)

    def test_many_connections_with_an_answer_that_is_not_whole(self):
        """Each of many brokers is here, leads a partition, and holds back an answer's last byte."""
        broker = self.run_against(LEADERS)
        values = [self.send_batch(p, "first") for p in range(LEADERS)]
        self.wait_settled()
        worker, normal_kb = self.pid(), self.memory_kb("VmRSS")
        self.forget_peak()
        broker.mangles[API_VERSIONS].extend([all_but_the_last_byte] * LEADERS)
        broker.mangles[METADATA].extend([tell_of_as_many_brokers_as_partitions] * 1000)
        broker.script("t", 0, Step(code=6))
        values[0] += self.send_batch(0, "asks")
        wait_for("they are known", lambda: len(self.known_brokers()) == LEADERS)
        for partition in range(LEADERS):
            values[partition] += self.send_batch(partition, "second")
        self.wait_settled()
        self.assertFalse(broker.mangles[API_VERSIONS])
        self.assertEqual([self.log_of(p) for p in range(LEADERS)], values)
        self.assertEqual(self.pid(), worker)
        self.assertLess(self.memory_kb("VmHWM"), normal_kb + MEMORY_KB)

    def known_brokers(self):
        return [shown["id"] for shown in self.status().get("brokers", []) if shown["id"] >= 0]

    def test_what_cannot_be_read_ends_its_connection_alone(self):
        """A whole frame, an answer to what was asked, but cut short inside. Of the two connections
        one is for messages, the other one for looks."""
        looks = (DESCRIBE_PRODUCERS, LIST_OFFSETS, FETCH)
        broker = self.run_against(len(looks), offers_looks=True, mangles={
            METADATA: [cut_short], INIT_PRODUCER_ID: [cut_short]},
                                  kafka="producer_id_expiration = 1h")
        self.send_batch(0)
        self.wait_settled()
        for partition, api in enumerate(looks):
            broker.mangles[api].append(cut_short)
            broker.script("t", partition, Step(code=7, appends=True, forgets=True))
            self.send_messages(encode_keyed("t", partition, b"%d" % i, age_s=7200)
                               for i in range(BATCH))
            self.wait_settled()
        self.assertEqual([api for api, _ in broker.mangled], [METADATA, INIT_PRODUCER_ID, *looks])
        for api, connection in broker.mangled:
            wait_for("that of api %d is closed" % api, lambda on=connection: not on.open)
        self.assertEqual({event.connection for event in broker.events},
                         {broker.events[-1].connection})
        self.assertTrue(broker.connections[broker.events[-1].connection].open)
        self.assertEqual([len(self.log_of(partition)) for partition in range(len(looks))],
                         [2 * BATCH, BATCH, BATCH])

    def test_a_producer_id_is_got_nevertheless(self):
        mangles = [mangle for mangle in MANGLES if mangle not in (twice, byte_by_byte)]
        broker = self.run_against(1, mangles={INIT_PRODUCER_ID: mangles})
        values = self.send_batch(0)
        self.wait_settled()
        self.assertEqual(self.log_of(0), values)
        self.assertEqual(len(broker.mangles[INIT_PRODUCER_ID]), 0)

    def test_a_look_into_the_log_is_had_nevertheless(self):
        """A batch that the broker has taken without saying so, whose writer it has forgotten, is
        found in the log, whatever becomes of an answer on the way there. It is asked over another
        connection than messages go by."""
        cases = list(itertools.product((DESCRIBE_PRODUCERS, LIST_OFFSETS, FETCH),
                                       (*MANGLES, nothing)))
        broker = self.run_against(len(cases), request_timeout="1s", offers_looks=True,
                                  kafka="producer_id_expiration = 1h")
        worker = self.pid()
        before = self.memory_kb("VmRSS")
        self.forget_peak()
        for partition, (api, mangle) in enumerate(cases):
            broker.mangles[api].append(mangle)
            broker.script("t", partition, Step(code=7, appends=True, forgets=True))
            values = [b"%d.%d" % (partition, i) for i in range(BATCH)]
            self.send_messages(encode_keyed("t", partition, value, age_s=7200)
                               for value in values)
            self.wait_settled()
            self.assertEqual(self.log_of(partition), values, (api, mangle))
            self.assertEqual(len(broker.seen["t", partition]), 1, (api, mangle))
            self.assertFalse(broker.mangles[api], mangle)
        self.assertEqual(self.books()["possible_duplicates"], 0)
        self.assertEqual(len({event.connection for event in broker.events}), 1)
        self.assertEqual(self.pid(), worker)
        self.assertLess(self.memory_kb("VmHWM"), before + MEMORY_KB)


class HostileLogins(Hostile):
    def run_with_login(self):
        password = os.path.join(self.folder, "password")
        with open(password, "w", encoding="ascii", opener=open_secret) as file:
            file.write(RIGHT + "\n")
        self.broker = ScriptedBroker({"t": 1})
        self.broker.password = RIGHT.encode()
        self.addCleanup(self.broker.stop)
        self.broker.__enter__()
        return password

    def test_no_answer_costs_more_than_its_connection(self):
        """Each connection that comes up is cut by the next Produce; the next one logs in anew."""
        password = self.run_with_login()
        self.write_config("%s\nrequest_timeout = 100ms\n%s" % (self.broker.address,
                                                              SASL % password),
                          more=OPTIONS, buffer=SMALL)
        self.start()
        values = self.send_batch(0, "first")
        self.wait_settled()
        worker, normal_kb = self.pid(), self.memory_kb("VmRSS")
        self.forget_peak()
        for api, mangles in OF_LOGINS.items():
            for mangle in mangles:
                with self.subTest(mangle.__name__, api=api):
                    self.broker.mangles[api].append(mangle)
                    self.broker.script("t", 0, Step(cuts=True))
                    values += self.send_batch(0, "%d." % len(values))
                    self.wait_settled()
                    self.assertFalse(self.broker.mangles[api])
                    self.assertEqual(self.log_of(0), values)
                    self.assertEqual(self.pid(), worker)
                    self.assertLess(self.memory_kb("VmHWM"), normal_kb + MEMORY_KB)
        self.assertLess(max(map(len, self.log_text().splitlines())), 1000)
