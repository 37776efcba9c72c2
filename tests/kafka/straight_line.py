#!/usr/bin/env python3
"""The main job on three real brokers of Kafka 4.3.0, while workers, brokers and supervisors die.

    tests/kafka/straight_line.py [TEST...] [--scale F]

Every test ends with an independent consumer's count and with books that balance. --scale multiplies
the numbers of messages and of kills (1: what make check runs).
"""

import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka.three_brokers import (  # noqa: E402
    BROKERS, SENDERS, new_topic, restart_all, run, running, settle_accounts)
from support.harness import Senders, check, judge, wait_until  # noqa: E402

WORKERS = ("dory-intake", "dory-kafka")


def four_senders(cluster, scale):
    """A million messages; what is buffered is counted while it runs."""
    with running(cluster) as dory:
        senders = Senders(dory, new_topic("plain"), SENDERS, int(250_000 * scale), blocking=True)
        counted = []
        while senders.running():
            counted.append(dory.count_buffer("--live"))
            time.sleep(0.5)
        sent = senders.wait()
        return "%s; counted under load: %s" % (settle_accounts(cluster, dory, senders, sent),
                                               counted)


def kill_workers_and_broker(cluster, scale):
    """50 kill -9 of either worker, a broker killed and restarted meanwhile."""
    kills = max(1, int(50 * scale))
    with running(cluster) as dory:
        senders = Senders(dory, new_topic("kills"), SENDERS, 0, rate=5000)
        done = {name: 0 for name in WORKERS}
        for i in range(kills):
            if i == kills // 3:
                cluster.kill(1)
            if i == 2 * kills // 3:
                cluster.restart(1)
            time.sleep(random.uniform(0.02, 0.5))
            for name in random.choice((WORKERS[:1], WORKERS[1:], WORKERS)):
                done[name] += dory.kill_worker(name)
        sent = senders.stop()
        text = settle_accounts(cluster, dory, senders, sent)
        return text + "; kills: intake %d, kafka %d" % (done["dory-intake"], done["dory-kafka"])


def stop_with_kafka_away(cluster, scale):
    """TERM with Kafka away and the ring full: what is left is said, the next start delivers it."""
    del scale
    buffer = "ring_size = 4M\npool_size = 16M\n"
    with running(cluster, buffer=buffer) as dory:
        topic = new_topic("away")
        first = Senders(dory, topic, 1, 1000, first_id=SENDERS)
        check(first.wait() == 1000, "the first messages are taken")
        dory.wait_delivered()
        for broker in range(BROKERS):
            cluster.kill(broker)
        senders = Senders(dory, topic, SENDERS, 0)
        full = wait_until(lambda: is_full(dory), "the ring is full")
        with open(dory.config) as f:
            text = f.read()
        with open(dory.config, "w") as f:
            f.write(text.replace("[dory]\n", "[dory]\nstop_timeout = 2s\n"))
        code = dory.terminate()
        sent = senders.stop()
        check(code == 3, "exit status %d: %s" % (code, dory.last_words()))
        check("left in the buffer" in dory.last_words(20), dory.last_words(20))
        restart_all(cluster)
        dory.start()
        books = dory.wait_delivered()
        verdict = judge(cluster.bootstrap, senders_of(first, senders))
        check(books["received"] == sent + 1000, "sent %d: %s" % (sent + 1000, books))
        return "sent %d, arrived %d; ring %d of %d bytes when it was stopped; %s" % (
            sent, verdict["arrived"], full["ring_used"], full["ring_bytes"], "exit status 3")


def is_full(dory):
    """The buffer's figures once they stand still and senders wait."""
    before = dory.status()["buffer"]["ring_used"]
    time.sleep(0.5)
    now = dory.status()["buffer"]
    return now if now["ring_used"] == before and now["ring_used"] > now["ring_bytes"] // 2 else None


def senders_of(first, second):
    """Both generations' reports as one."""
    second.reports = first.reports + second.reports
    return second


def kill_supervisor(cluster, scale):
    """The supervisor killed -9 under load and started again: nothing is lost or doubled."""
    with running(cluster) as dory:
        senders = Senders(dory, new_topic("supervisor"), SENDERS, 0, rate=5000)
        for _ in range(max(1, int(5 * scale))):
            time.sleep(random.uniform(0.5, 1.5))
            dory.kill_supervisor()
            dory.start()
        time.sleep(1)
        sent = senders.stop()
        return settle_accounts(cluster, dory, senders, sent)


TESTS = [four_senders, kill_workers_and_broker, stop_with_kafka_away, kill_supervisor]


if __name__ == "__main__":
    sys.exit(run(TESTS, __doc__))
