"""Which partition a message goes to, by scripted brokers: counted in what they got."""

import os
import random
import struct
import sys
import time

from daemon_case import encode, wait_for
from scripted_test import BATCH, OPTIONS, Scripted, encode_keyed

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.scripted_broker import ScriptedBroker  # noqa: E402

# A signed field that is read unsigned.
KEYS = [*range(25), -1, -2, 2147483647, -2147483648, 4711]
OPTIONS_NEXT = "[topic:t]\npartition_key_fallback = next\n"


def encode_with_kafka_key(kind, topic, kafka_key, value):
    """A message of either kind; a PartitionKey of 0."""
    body = struct.pack(">hhh", kind, 0, 0) + (struct.pack(">i", 0) if kind == 257 else b"")
    body += struct.pack(">h", len(topic)) + topic.encode()
    body += struct.pack(">qi", int(time.time() * 1000), len(kafka_key)) + kafka_key
    body += struct.pack(">i", len(value)) + value
    return struct.pack(">i", len(body) + 4) + body


class Keys(Scripted):
    PARTITIONS = 7

    def send_keys(self):
        self.send_messages(encode_keyed("t", key, b"%d" % key) for key in KEYS)

    def keys_of(self, *partitions):
        return [b"%d" % key for key in KEYS if key % (1 << 32) % self.PARTITIONS in partitions]

    def logs(self):
        return [self.log_of(partition) for partition in range(self.PARTITIONS)]

    def test_a_partition_key_is_taken_modulo_all_partitions(self):
        broker = self.run_against(self.PARTITIONS, options="", leaderless={("t", 3)})
        self.send_keys()
        leaderless = len(self.keys_of(3))
        wait_for("all but the leaderless one's",
                 lambda: self.books()["delivered"] == len(KEYS) - leaderless)
        self.assertEqual(self.books()["buffered"], leaderless)
        self.assertEqual(self.log_of(3), [])
        broker.leaderless.clear()
        self.wait_settled()
        self.assertEqual(self.logs(), [self.keys_of(p) for p in range(self.PARTITIONS)])

    def test_keys_of_leaderless_partitions_take_the_next_and_no_others_move(self):
        broker = self.run_against(self.PARTITIONS, OPTIONS_NEXT, leaderless={("t", 6), ("t", 2)})
        self.send_keys()
        self.wait_settled()
        for partition, homes in ((0, (0, 6)), (1, (1,)), (2, ()), (3, (2, 3)), (4, (4,)), (5, (5,)),
                                 (6, ())):
            self.assertEqual(sorted(self.log_of(partition)), sorted(self.keys_of(*homes)))
        broker.leaderless.clear()
        wait_for("all are at home again", self.are_at_home)
        self.wait_settled()

    def are_at_home(self):
        """Whether a further round of keys goes where it belongs."""
        before = self.logs()
        before = [len(values) for values in before]
        self.send_keys()
        self.wait_settled()
        return all(self.log_of(p)[before[p]:] == self.keys_of(p) for p in range(self.PARTITIONS))

    def test_kafka_keys_go_where_kafkas_java_client_sends_them(self):
        self.kafka_keys("murmur2")

    def test_kafka_keys_go_where_librdkafka_sends_them(self):
        self.kafka_keys("crc32")

    def kafka_keys(self, partitioner):
        """By tests/golden/kafka/partitions: key in hex, number of partitions, partition."""
        count, golden = 12, {}
        folder = os.path.join(os.path.dirname(__file__), "..", "golden", "kafka", "partitions")
        with open(os.path.join(folder, partitioner + ".txt"), encoding="ascii") as file:
            rows = [line.split() for line in file if not line.startswith("#")]
        for key, of, partition in rows:
            if int(of) == count and key != "-":     # an empty key is none, in version 0
                golden[bytes.fromhex(key)] = int(partition)
        broker = self.run_against(count, "[topic:t]\npartitioner = %s\n" % partitioner)
        self.send_messages(encode_with_kafka_key(kind, "t", key, key)
                           for key in golden for kind in (256, 257))
        self.wait_settled()
        for partition in range(count):
            expected = [key for key in golden for _ in range(2) if golden[key] == partition]
            self.assertEqual(broker.log["t", partition], expected)


class Spread(Scripted):
    PARTITIONS = 12

    def test_any_partition_batches_are_spread_evenly(self):
        """Three brokers that answer at once: of each of twelve partitions as many batches, but for
        the one at which the turn ends."""
        brokers = [ScriptedBroker({"t": self.PARTITIONS}) for _ in range(3)]
        for broker in brokers:
            broker.cluster = brokers
            self.addCleanup(broker.stop)
            broker.__enter__()
        self.broker = brokers[0]
        self.write_config(brokers[0].address, more=OPTIONS)
        self.start()
        chance = random.Random(7)
        for batches in range(1, 41):
            self.send_messages(encode("t", b"x" * chance.randrange(500)) for _ in range(BATCH))
            wait_for("batch %d" % batches, lambda: self.books()["delivered"] == self.sent)
        counts = [len(brokers[p % 3].seen["t", p]) for p in range(self.PARTITIONS)]
        self.assertEqual(sum(counts), batches)
        self.assertLessEqual(max(counts) - min(counts), 1, counts)
        self.assertEqual([b.complaints for b in brokers], [[], [], []])
