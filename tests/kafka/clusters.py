#!/usr/bin/env python3
"""Clusters of three brokers: leaders die under load, and a cluster is upgraded broker by broker.

    tests/kafka/clusters.py [TEST...] [--scale F]

Every test ends with what an independent consumer finds and with books that balance. --scale
multiplies how long it is between two events.
"""

import contextlib
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka import kafka_cluster  # noqa: E402
from kafka.three_brokers import (  # noqa: E402
    BROKERS, free_port, new_topic, read_arguments, running)
from kafka.versions import settle_accounts  # noqa: E402
from support import harness  # noqa: E402
from support.harness import Senders, wait_until  # noqa: E402

NEWEST = ["2.8.2", "3.9.1", "4.3.0"]
# From, to, and what the brokers are told so that old and new ones understand each other.
UPGRADES = [
    ("0.10.2.2", "0.11.0.3", {"inter.broker.protocol.version": "0.10.2",
                              "log.message.format.version": "0.10.2",
                              "controlled.shutdown.enable": "true"}),
    ("2.8.2", "3.9.1", {"inter.broker.protocol.version": "2.8",
                        "controlled.shutdown.enable": "true"}),
    ("3.9.1", "4.3.0", {})]
RATE = 3000
BETWEEN_S = 2


@contextlib.contextmanager
def cluster_of(version, settings=None):
    # Two copies of each record or no acknowledgement: one broker's death loses nothing of Kafka's.
    settings = dict(settings or {}, **{"min.insync.replicas": "2"})
    with tempfile.TemporaryDirectory(prefix="dory-kafka-") as folder, kafka_cluster.Cluster(
            version, folder, BROKERS, free_port(BROKERS), settings) as cluster:
        yield cluster


@contextlib.contextmanager
def under_load(cluster):
    """Yields what to put into the account; the account is settled at the end."""
    with running(cluster) as dory:
        senders = Senders(dory, new_topic("load"), 2, 0, rate=RATE)
        account = []
        yield dory, account
        account.append(settle_accounts(cluster, dory, senders, senders.stop()))


def wait_missed(cluster, dead):
    """The others know that it is gone, and lead what it led."""
    port = kafka_cluster.broker_port(cluster.state, (dead + 1) % BROKERS)
    wait_until(lambda: kafka_cluster.registered_brokers(port) == BROKERS - 1,
               "broker %d is missed" % dead)


def wait_whole(dory, cluster):
    """All brokers know each other, and what was sent by now is delivered."""
    for i in range(BROKERS):
        kafka_cluster.wait_registered(cluster.state, i)
    received = dory.books()["received"]
    wait_until(lambda: dory.books()["delivered"] >= received, "%d are delivered" % received, 120)


def leaders_die(version, scale):
    """Each broker is killed once and restarted."""
    with cluster_of(version) as cluster:
        with under_load(cluster) as (dory, account):
            for broker in range(BROKERS):
                time.sleep(BETWEEN_S * scale)
                cluster.kill(broker)
                wait_missed(cluster, broker)
                time.sleep(BETWEEN_S * scale)
                cluster.restart(broker)
                wait_whole(dory, cluster)
        return account[0]


def spoken_formats(dory):
    return sorted(b["message_format"] for b in dory.status()["brokers"] if "message_format" in b)


def upgrade(old, new, settings, scale):
    """Each broker is stopped in order and comes back as the new version."""
    with cluster_of(old, settings) as cluster:
        with under_load(cluster) as (dory, account):
            formats = []
            for broker in range(BROKERS):
                time.sleep(BETWEEN_S * scale)
                cluster.terminate(broker)
                cluster.restart(broker, new)
                wait_whole(dory, cluster)
                formats.append(spoken_formats(dory))
            time.sleep(BETWEEN_S * scale)
        return "%s; message formats spoken meanwhile: %s" % (account[0], formats)


def make_tests():
    tests = []
    for version in NEWEST:
        tests.append((lambda scale, v=version: leaders_die(v, scale), "leaders_die_" + version))
    for step in UPGRADES:
        tests.append((lambda scale, s=step: upgrade(*s, scale), "upgrade_%s_%s" % step[:2]))
    for test, name in tests:
        test.__name__ = name
    return [test for test, _ in tests]


if __name__ == "__main__":
    sys.exit(harness.run_tests(*read_arguments(make_tests(), __doc__)))
