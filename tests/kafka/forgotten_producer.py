#!/usr/bin/env python3
"""Real Kafka 4.3.0 that forgets a producer after ten seconds: what is sent again later than that.

    tests/kafka/forgotten_producer.py [VERSION]

Between Dory and the broker stands a relay, which loses the answer to a batch, or the batch; then
nobody gets through until the broker has forgotten us. A last test shows that Kafka then doubles
what it is sent without having been asked.
"""

import contextlib
import os
import socket
import struct
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka import kafka_cluster  # noqa: E402
from kafka.messages import encode  # noqa: E402
from kafka.old_versions import create_topic, read_by_kcat  # noqa: E402
from kafka.secure_broker import Relay  # noqa: E402
from kafka.three_brokers import free_port, new_topic  # noqa: E402
from support import harness  # noqa: E402
from support.harness import Dory, check, wait_until  # noqa: E402

DESCRIBE_PRODUCERS = 61
RELAYED, ADVERTISED = 2, 3      # ports, from the broker's on: its listener, what it says of that
SETTINGS = {
    "producer.id.expiration.ms": "10000", "producer.id.expiration.check.interval.ms": "1000",
    "listeners": "PLAINTEXT://127.0.0.1:{port},RELAYED://127.0.0.1:{port+%d},"
                 "CONTROLLER://127.0.0.1:{port+1}" % RELAYED,
    "advertised.listeners": "PLAINTEXT://127.0.0.1:{port},"
                            "RELAYED://127.0.0.1:{port+%d}" % ADVERTISED,
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,RELAYED:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT"}
VALUES = ["v%d" % i for i in range(5)]


def count_producers(cluster, topic):
    """How many the leader of partition 0 remembers, by DescribeProducers version 0."""
    name = topic.encode()
    body = struct.pack(">hhihb", DESCRIBE_PRODUCERS, 0, 1, -1, 0)
    body += struct.pack(">bb", 2, len(name) + 1) + name + struct.pack(">bibb", 2, 0, 0, 0)
    with socket.create_connection(("127.0.0.1", cluster.state["port"]), 30) as connection:
        connection.sendall(struct.pack(">i", len(body)) + body)
        size = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))[0]
        answer = connection.recv(size, socket.MSG_WAITALL)
    at = 4 + 1 + 4 + 1 + 1 + len(name) + 1 + 4      # of the error code; behind it a null message
    check(answer[at:at + 3] == b"\0\0\0", "DescribeProducers: %s" % answer)
    return answer[at + 3] - 1


def read_values(cluster, topic):
    return read_by_kcat(cluster, topic, "-f", "%s\n").splitlines()


def send(dory, topic, values):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(dory.socket)
        for value in values:
            client.send(encode(topic, b"", value.encode()))


@contextlib.contextmanager
def relayed(cluster, expiration, more=""):
    """A relay, and a Dory that knows the broker by it."""
    port = cluster.state["port"]
    options = "producer_id_expiration = %s\nrequest_timeout = 1s\n[topic:*]\nbatch_messages = 5\n" \
              "batch_time = 200ms\n%s" % (expiration, more)
    with Relay(port + ADVERTISED, port + RELAYED) as relay, \
            Dory("127.0.0.1:%d" % (port + ADVERTISED), more=options) as dory:
        dory.start()
        try:
            yield relay, dory
        except harness.Failure:
            print(dory.last_words(40))
            raise


def send_and_forget(cluster, topic, relay, dory, loses):
    """A batch whose answer is lost, or itself; then the broker forgets us."""
    send(dory, topic, ["before"])
    wait_until(lambda: dory.books()["delivered"] == 1, "the first one is delivered")
    relay.loses = loses
    send(dory, topic, VALUES)
    if loses == "answers":
        wait_until(lambda: len(read_values(cluster, topic)) == 6, "they are in the log")
    else:
        wait_until(lambda: relay.lost > 200, "they are on their way")
    relay.away = True
    relay.cut()
    relay.loses = None
    wait_until(lambda: count_producers(cluster, topic) == 0, "the broker forgets us")
    relay.away = False


def resend(cluster, loses, expiration, more=""):
    """The log's values, the books, and what Dory has logged."""
    topic = new_topic("forgotten")
    create_topic(cluster, topic, 1)
    with relayed(cluster, expiration, more) as (relay, dory):
        send_and_forget(cluster, topic, relay, dory, loses)
        books = dory.wait_delivered()
        with open(dory.log, encoding="utf-8") as log:
            return read_values(cluster, topic), books, log.read()


def what_is_in_the_log_is_not_sent_again(cluster):
    values, books, log = resend(cluster, "answers", "10s")
    check(values == ["before"] + VALUES, "%s" % values)
    check(books["delivered"] == 6 and books["possible_duplicates"] == 0, "%s" % books)
    check("it is in the log" in log, log)


def what_is_not_there_is_sent_again(cluster):
    values, books, log = resend(cluster, "requests", "10s")
    check(values == ["before"] + VALUES, "%s" % values)
    check(books["delivered"] == 6 and books["possible_duplicates"] == 0, "%s" % books)
    check("it is not in the log" in log, log)


def kafka_doubles_what_is_sent_unasked(cluster):
    values, _books, log = resend(cluster, "answers", "8760h")
    check(values == ["before"] + 2 * VALUES, "%s" % values)
    check("asked for sequence" not in log, log)


TESTS = [what_is_in_the_log_is_not_sent_again, what_is_not_there_is_sent_again,
         kafka_doubles_what_is_sent_unasked]


def main():
    version = (sys.argv[1:] or ["4.3.0"])[0]
    with tempfile.TemporaryDirectory(prefix="dory-kafka-") as folder:
        with kafka_cluster.Cluster(version, folder, port=free_port(1),
                                   settings=SETTINGS) as cluster:
            return harness.run_tests(TESTS, cluster)


if __name__ == "__main__":
    sys.exit(main())
