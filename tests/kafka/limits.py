#!/usr/bin/env python3
"""What brokers allow us, on real Kafka: quotas, and connections that are closed when idle.

    tests/kafka/limits.py [VERSION...] [--tests TEST,...] [--scale F]

By default quotas are tried on 1.1.1, whose answers are late while it throttles, and on 4.3.0, which
answers at once and wants to be spared (KIP-219).
"""

import contextlib
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka import kafka_cluster  # noqa: E402
from kafka.old_versions import create_topic, is_before, run_tool, zookeeper  # noqa: E402
from kafka.three_brokers import free_port, new_topic  # noqa: E402
from kafka.versions import encode, expect_exactly, run_on_versions, send  # noqa: E402
from support.harness import Dory, check, wait_until  # noqa: E402

OLD, NEW = "1.1.1", "4.3.0"
BYTES_A_SECOND = 200_000
VALUE_BYTES = 1000
IDLE_MS = 2000
QUOTA_SETTINGS = {"quota.window.num": "2", "quota.window.size.seconds": "1"}
IDLE_SETTINGS = {"connections.max.idle.ms": str(IDLE_MS)}


def set_quota(cluster, client_id):
    if is_before(cluster, 3):
        where = ("--zookeeper", zookeeper(cluster))
    else:
        where = ("--bootstrap-server", cluster.bootstrap)
    run_tool(cluster, "kafka.admin.ConfigCommand", *where, "--alter", "--add-config",
             "producer_byte_rate=%d" % BYTES_A_SECOND, "--entity-type", "clients",
             "--entity-name", client_id)


def read_log(dory):
    with open(dory.log, encoding="utf-8") as file:
        return file.read()


def expect_no_fault(dory):
    """Nothing that the broker did was taken for a failure of its connection."""
    text = read_log(dory)
    for word in ("failure", "in time"):
        check(word not in text, "the log has '%s': %s" % (word, dory.last_words(20)))
    warnings = dory.warnings()
    check(not any("broker" in w or "topic" in w for w in warnings), "warnings: %s" % warnings)


def quota(cluster, scale):
    """Ten seconds' worth of messages at once: all arrive, and the broker is spared as it asks."""
    client_id = new_topic("limited")
    set_quota(cluster, client_id)
    count = int(10 * scale * BYTES_A_SECOND / VALUE_BYTES)
    topic = new_topic("quota")
    create_topic(cluster, topic, 2)
    good = [("%d " % i).ljust(VALUE_BYTES, "x") for i in range(count)]
    seen = set()
    options = "client_id = %s\n[topic:*]\nbatch_bytes = 100K\n" % client_id
    with Dory(cluster.bootstrap, more=options) as dory:
        dory.start()
        send(dory, [encode(topic, b"", value.encode()) for value in good])

        def settled():
            status = dory.status()
            seen.update(broker["state"] for broker in status["brokers"])
            return status["books"]["received"] == count and not status["books"]["buffered"]
        wait_until(settled, "all is delivered", step_s=0.02)
        text = expect_exactly(cluster, dory, topic, good, {})
        expect_no_fault(dory)
        answers_late = is_before(cluster, 2)
        check(("throttled" in seen) != answers_late, "states that were seen: %s" % seen)
        return text


def idle_connections(cluster, scale):
    """A connection that a broker closes because nobody used it is made anew, and no failure."""
    topic = new_topic("idle")
    good = []
    with Dory(cluster.bootstrap) as dory:
        dory.start()
        for _ in range(max(2, int(3 * scale))):
            time.sleep(2 * IDLE_MS / 1000)
            more = ["%d" % i for i in range(len(good), len(good) + 10)]
            send(dory, [encode(topic, b"", value.encode()) for value in more])
            good += more
            dory.wait_delivered()
        closed = len(re.findall(r" broker 0 \S+: connected", read_log(dory))) - 1
        check(closed >= 1, "no connection was closed: %s" % dory.last_words(20))
        text = expect_exactly(cluster, dory, topic, good, {})
        expect_no_fault(dory)
        return "%s; made anew %d times" % (text, closed)


def one_broker(settings):
    @contextlib.contextmanager
    def start(version, folder):
        with kafka_cluster.Cluster(version, folder, 1, free_port(1), settings) as cluster:
            yield cluster
    return start


if __name__ == "__main__":
    sys.exit(run_on_versions([quota], __doc__, [OLD, NEW], one_broker(QUOTA_SETTINGS)) |
             run_on_versions([idle_connections], __doc__, [NEW], one_broker(IDLE_SETTINGS)))
