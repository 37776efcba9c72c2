#!/usr/bin/env python3
"""What operators do to a Dory that works, on three real brokers of Kafka 4.3.0, under load.

    tests/kafka/operations.py [TEST...] [--scale F]

Every test ends with an independent consumer's count and with books that balance. --scale multiplies
how often and how long (1: what an issue is shown by).
"""

import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka.three_brokers import (  # noqa: E402
    BROKERS, SENDERS, new_topic, restart_all, run, running, settle_accounts)
from support.harness import Senders, check, wait_until  # noqa: E402

RATE = 5000              # messages a second of each sender
BROKEN = ("[topic:x]\nbatch_time = soon\n", "[no-such-section]\n", "[buffer]\nring_size = 8M\n",
          "[topic:x]\nbatch_tim = 1s\n", "not a line at all\n")


def restarts(cluster, scale):
    """20 stops by TERM and 5 by KILL under load: successful sends = arrived."""
    with running(cluster) as dory:
        senders = Senders(dory, new_topic("restarts"), SENDERS, 0, rate=RATE)
        ways = ["TERM"] * max(1, round(20 * scale)) + ["KILL"] * max(1, round(5 * scale))
        random.shuffle(ways)
        for way in ways:
            time.sleep(random.uniform(0.2, 0.8))
            if way == "KILL":
                dory.kill_supervisor()
            else:
                code = dory.terminate()
                check(code == 0, "exit status %d: %s" % (code, dory.last_words()))
            dory.start()
        time.sleep(0.5)
        sent = senders.stop()
        check(senders.total("refused") > 0, "no send was refused while nobody was there")
        return "%d by TERM, %d by KILL; %s" % (ways.count("TERM"), ways.count("KILL"),
                                               settle_accounts(cluster, dory, senders, sent))


def reload_once(dory, whole, change, ok):
    with open(dory.config, "w", encoding="utf-8") as file:
        file.write(whole + change)
    done = dory.ctl("--run-dir", dory.folder + "/run", "reload", may_fail=True, config=False)
    check((done.returncode == 0) == ok, "reload of %r: %d: %s%s"
          % (change, done.returncode, done.stdout, done.stderr))
    check(ok or dory.config + ":" in done.stderr or "needs a restart" in done.stderr, done.stderr)


def reloads(cluster, scale):
    """Ten reloads under load, five of them of broken files."""
    del scale
    with running(cluster) as dory:
        topic = new_topic("reloads")
        with open(dory.config, encoding="utf-8") as file:
            whole = file.read()
        senders = Senders(dory, topic, SENDERS, 0, rate=RATE)
        for i, broken in enumerate(BROKEN):
            time.sleep(0.3)
            reload_once(dory, whole, broken, ok=False)
            time.sleep(0.3)
            reload_once(dory, whole, "[topic:%s]\nbatch_time = %dms\n" % (topic, 10 + i), ok=True)
        sent = senders.stop()
        with open(dory.config, "w", encoding="utf-8") as file:
            file.write(whole)
        deaths = sum(worker["deaths"] for worker in dory.status()["workers"])
        check(deaths == 0, "%d workers died" % deaths)
        return settle_accounts(cluster, dory, senders, sent)


def drain_and_resume(cluster, scale):
    """Senders wait while it drains, and go on; nothing is lost, doubled or out of order."""
    with running(cluster) as dory:
        senders = Senders(dory, new_topic("drains"), SENDERS, 0, rate=RATE)
        drained = []
        for _ in range(max(1, round(5 * scale))):
            time.sleep(random.uniform(0.3, 0.8))
            dory.ctl("drain")
            held = dory.books()
            check(held["buffered"] == 0, "%s" % held)
            check(dory.count_buffer("--live") == 0, "what is counted is not 0")
            time.sleep(0.5)
            check(dory.books()["received"] == held["received"], "inputs were read: %s" % held)
            drained.append(held["received"])
            dory.ctl("resume")
            wait_until(lambda: dory.books()["received"] > drained[-1], "senders go on")
        sent = senders.stop()
        return "drained at %s; %s" % (drained, settle_accounts(cluster, dory, senders, sent))


def kafka_away(cluster, scale):
    """All brokers gone for a minute at 20,000 messages/s: nobody fails, all arrives in order."""
    with running(cluster, buffer="ring_size = 64M\npool_size = 128M\n") as dory:
        senders = Senders(dory, new_topic("outage"), SENDERS, 0, rate=RATE)
        time.sleep(2)
        for broker in range(BROKERS):
            cluster.kill(broker)
        until = time.monotonic() + 60 * scale
        highest = {}
        while time.monotonic() < until:
            time.sleep(1)
            for worker in dory.status()["workers"]:
                name = worker["name"]
                highest[name] = max(highest.get(name, 0), worker["rss_bytes"])
        buffered = dory.books()["buffered"]
        check(senders.running(), "a sender gave up")
        restart_all(cluster)
        time.sleep(2)
        sent = senders.stop()
        text = settle_accounts(cluster, dory, senders, sent)
        segment = (64 + 128) << 20
        check(all(rss < segment + (64 << 20) for rss in highest.values()), "memory: %s" % highest)
        shown = ", ".join("%s %d MiB" % (name, rss >> 20) for name, rss in sorted(highest.items()))
        return "%d buffered at the end of the outage; resident at most: %s; %s" % (
            buffered, shown, text)


TESTS = [restarts, reloads, drain_and_resume, kafka_away]

if __name__ == "__main__":
    sys.exit(run(TESTS, __doc__))
