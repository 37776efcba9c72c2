#!/usr/bin/env python3
"""One of three brokers is stopped (SIGSTOP) for a minute: what does it cost the others' partitions?

    tests/kafka/isolation.py [TEST...] [--seconds S]

30 topics of one partition, 10,000 messages a second. With one copy each: on partitions that others
lead, the count delivered in each second stays above 0.9 of what it was, and 99 % of the probes take
less than 3 times what they took. With three copies Kafka itself holds every answer until the
stopped follower is left out; there 99 % take at most 1.3 times what they take librdkafka's producer
beside it. Then the broker goes on, and the rest arrives, once and in order. It is about time, so
part of `make soak`, never of a check: on a machine that does something else they say little.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka import kafka_cluster  # noqa: E402
from kafka.probes import Acknowledged, Probes, percentile  # noqa: E402
from kafka.three_brokers import (  # noqa: E402
    BROKERS, VERSION, free_port, read_arguments, running, settle_accounts)
from support import harness  # noqa: E402
from support.harness import SUPPORT, Senders, Together, check, wait_until  # noqa: E402

TOPICS = ["t%d" % i for i in range(30)]     # numbered_sender's
SENDERS, RATE = 4, 2500                     # messages a second of each
INTERVAL_S = 0.1                            # in which each topic gets a probe
BUFFER = "ring_size = 64M\npool_size = 256M\nreceipts = 65536\n"
STOPPED = BROKERS - 1
WARM_S, BEFORE_S = 10, 20
LEAST_RATE, MOST_TIMES, MOST_TIMES_RDKAFKA = 0.9, 3, 1.3


class Load(Senders):
    """To all topics in turn."""

    def __init__(self, dory):
        dory.senders.append(self)
        self.topic = ",".join(TOPICS)
        self.reports = [os.path.join(dory.folder, "load-%d.json" % i) for i in range(SENDERS)]
        self.processes = [subprocess.Popen(
            [os.path.join(SUPPORT, "numbered_sender"), "--socket", dory.socket, "--topics",
             str(len(TOPICS)), "--sender", str(i), "--rate", str(RATE), "--report", report])
            for i, report in enumerate(self.reports)]


class Watch(threading.Thread):
    """What is delivered of each topic, once a second."""

    def __init__(self, dory):
        super().__init__()
        self.dory, self.seen, self.stopping = dory, [], threading.Event()
        self.start()

    def run(self):
        while not self.stopping.wait(1):
            topics = self.dory.status()["topics"]
            self.seen.append((time.monotonic(), {t["name"]: t["delivered"] for t in topics}))

    def stop(self):
        self.stopping.set()
        self.join()

    def rates(self, topics, began_s, ended_s):
        """Messages a second of these topics, between any two looks in that time."""
        looks = [(at, sum(counts.get(topic, 0) for topic in topics)) for at, counts in self.seen
                 if began_s <= at < ended_s]
        return [(b[1] - a[1]) / (b[0] - a[0]) for a, b in zip(looks, looks[1:])]


def find_leaders(cluster):
    told = json.loads(subprocess.run(["kcat", "-b", cluster.bootstrap, "-L", "-J"], check=True,
                                     stdout=subprocess.PIPE).stdout)
    return {topic["topic"]: topic["partitions"][0]["leader"] for topic in told["topics"]
            if topic["topic"] in TOPICS}


def took_99(probes, topics, began_s, ended_s):
    """What 99 % of them were within, in seconds."""
    return percentile([a.took_s for a in probes
                       if a.topic in topics and began_s <= a.sent_s < ended_s], 0.99)


def stop_for(cluster, seconds):
    """When it was stopped and when it went on, the time before that included."""
    time.sleep(WARM_S)
    began_s = time.monotonic()
    time.sleep(BEFORE_S)
    stopped_s = time.monotonic()
    cluster.pause(STOPPED)
    try:
        time.sleep(seconds)
    finally:
        cluster.resume(STOPPED)
    return began_s, stopped_s, stopped_s + seconds


def run(cluster, seconds, beside=lambda: None):
    """The account, the probes and the watch, and when what began."""
    with running(cluster, buffer=BUFFER, streams=True) as dory:
        probes = Probes(dory.stream_socket, TOPICS, INTERVAL_S, dory.folder)
        probes.start()
        wait_until(lambda: len(find_leaders(cluster)) == len(TOPICS), "the topics are there")
        leaders = find_leaders(cluster)
        load, watch = Load(dory), Watch(dory)
        beside()
        when = stop_for(cluster, seconds)
        load.stop()
        watch.stop()
        acknowledged = probes.stop()
        everybody = Together(load, probes)
        account = settle_accounts(cluster, dory, everybody, everybody.sent())
        return account, leaders, acknowledged, watch, when


def one_copy(seconds):
    """What others lead goes on as before."""
    with cluster_of(1) as cluster:
        account, leaders, probes, watch, when = run(cluster, seconds)
    began_s, stopped_s, resumed_s = when
    healthy = [topic for topic, leader in leaders.items() if leader != STOPPED]
    check(0 < len(healthy) < len(TOPICS), "leaders: %s" % leaders)
    rates_before = watch.rates(healthy, began_s, stopped_s)
    before = statistics.mean(rates_before)
    least = min(watch.rates(healthy, stopped_s, resumed_s))
    took = [took_99(probes, healthy, *span) for span in (when[:2], when[1:])]
    said = ("of %d topics led elsewhere %.0f messages/s before (in the worst second %.0f), in the "
            "worst second meanwhile %.0f (%.2f); 99 %% within %.0f ms before, %.0f ms meanwhile "
            "(%.2f times); %s" % (
                len(healthy), before, min(rates_before), least, least / before, took[0] * 1000,
                took[1] * 1000, took[1] / took[0], account))
    check(least > LEAST_RATE * before and took[1] < MOST_TIMES * took[0], said)
    return said


def three_copies(seconds):
    """Every leader waits for the stopped one; librdkafka's producer beside it."""
    with cluster_of(BROKERS) as cluster, tempfile.TemporaryFile("w+") as out:
        processes = []

        def begin():
            processes.append(subprocess.Popen(
                [os.path.join(SUPPORT, "rdkafka_probe"), "--brokers", cluster.bootstrap,
                 "--topics", ",".join("beside-" + topic for topic in TOPICS),
                 "--interval-ms", str(round(INTERVAL_S * 1000))], stdout=out))
        try:
            account, _leaders, probes, _watch, when = run(cluster, seconds, begin)
            processes[0].terminate()
            check(processes[0].wait(harness.WAIT_S) == 0, "librdkafka did not deliver all")
        finally:
            for process in processes:
                process.kill()
                process.wait()
        out.seek(0)
        theirs = [Acknowledged(topic.removeprefix("beside-"), float(sent_s), float(took_s))
                  for topic, sent_s, took_s in map(str.split, out)]
    ours_s, theirs_s = (took_99(found, TOPICS, *when[1:]) for found in (probes, theirs))
    said = "99 %% within %.1f s, of librdkafka's within %.1f s (%.2f times); %s" % (
        ours_s, theirs_s, ours_s / theirs_s, account)
    check(ours_s <= MOST_TIMES_RDKAFKA * theirs_s, said)
    return said


class Cluster(kafka_cluster.Cluster):
    """With its folder."""

    def __exit__(self, *arguments):
        super().__exit__(*arguments)
        self.folder.cleanup()


def cluster_of(copies):
    folder = tempfile.TemporaryDirectory(prefix="dory-kafka-")
    cluster = Cluster(VERSION, folder.name, BROKERS, free_port(BROKERS), {
        "num.partitions": "1", "default.replication.factor": str(copies)})
    cluster.folder = folder
    return cluster


def main():
    tests, seconds = read_arguments([one_copy, three_copies], __doc__, "--seconds", 60)
    return harness.run_tests(tests, seconds)


if __name__ == "__main__":
    sys.exit(main())
