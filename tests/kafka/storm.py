#!/usr/bin/env python3
"""The storm: 20,000 messages/s from four numbered senders, and 4,000/s over 200 stream connections,
half of them TCP, through two lanes into three real brokers, while workers are killed in any mixture
and brokers die and return. The judge reads while it runs. No connection may see an error.

    tests/kafka/storm.py [--seconds N] [--kills-per-second F] [--every-step N]

At least 200 kills in 60 s. Often the kafka worker is stopped for a moment first, so that the ring
is not empty when somebody dies. The last step of each that died, as its breadcrumb says it, is
counted. Exit status 0 where nothing was lost, doubled or out of order, and the books balance.

With --every-step each step must be the last one of N deaths at least: kills at any instant hit the
short ones rarely, so the lives get an end at the step that was hit least, too. It needs programs
whose crash points are alive: DORY_BIN=build/crash/bin.
"""

import argparse
import collections
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka import kafka_cluster  # noqa: E402
from kafka.three_brokers import (  # noqa: E402
    BROKERS, SENDERS, VERSION, free_port, new_topic, running)
from support import harness  # noqa: E402
from support.harness import SUPPORT, Senders, Streams, Together, check  # noqa: E402

RATE = 5000                      # messages a second of each sender of datagrams
CONNECTIONS = 100                # of each kind of stream
STREAM_RATE = 20                 # messages a second of each of them
BUFFER = "ring_size = 16M\npool_size = 64M\nlanes = 2\n"
STREAM_SIZES = [48, 200, 1024, 200] * 40 + [70_000, 200_000]
WORKERS = ("dory-intake", "dory-kafka")
LEAST_KILLS_A_SECOND = 200 / 60
# A crash point of each step that a storm comes by.
POINTS = {"P1": "P1.room", "P2": "P2.received", "P3": "P3.record", "P4": "P4.tail", "P5": "P5.slot",
          "P6": "P6.base", "P7": "P7.doorbell", "C2": "C2.open", "C3": "C3.encoded",
          "C4": "C4.committed", "C5": "C5.head", "C6": "C6.fixed", "C7": "C7.sent",
          "C8": "C8.before_write", "C9": "C9.total", "C10": "C10.acked", "C11": "C11.sequence",
          "C12": "C12.free"}
DIED = re.compile(r"(intake|kafka)-\d \(pid \d+\) died: .*; its last step: (\w+) of")


class Judge:
    """Reads the topic from its first message on; judges once the senders' reports are there."""

    def __init__(self, brokers, senders):
        self.process = subprocess.Popen(
            [os.path.join(SUPPORT, "judge"), "--brokers", brokers, "--topics", senders.topic,
             "--expect", *senders.reports, "--wait", "30", "--follow"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def verdict(self):
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=300)
        check(self.process.returncode == 0, "not exact: %s" % out)
        return json.loads(out)


def brokers_die(cluster, seconds):
    """Twice in the time a broker is killed and, a while later, restarted."""
    for broker in (1, 2):
        time.sleep(seconds * 0.15)
        cluster.kill(broker)
        time.sleep(seconds * 0.1)
        cluster.restart(broker)


def hold_the_ring(dory):
    """The kafka worker stands still for a moment: records stay in the ring."""
    pid = dory.workers().get("dory-kafka")
    if pid is None:
        return
    try:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(random.uniform(0.005, 0.05))
        if dory.workers().get("dory-kafka") == pid and random.random() < 0.5:
            os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        pass


def let_go(dory):
    for name, pid in harness.list_children(dory.process.pid):
        if name == "dory-kafka":
            os.kill(pid, signal.SIGCONT)


def aim(dory):
    """Whoever is born until take_back dies at the step that was hit least."""
    steps = count_steps(dory)
    step = min(POINTS, key=lambda name: (steps[name], random.random()))
    with open(dory.folder + "/end.new", "w", encoding="utf-8") as file:
        file.write("%s:%d\n" % (POINTS[step], random.randint(1, 20)))
    os.rename(dory.folder + "/end.new", dory.folder + "/end")


def take_back(dory):
    """Once successors are born: theirs may live."""
    time.sleep(0.15)
    os.unlink(dory.folder + "/end")


def kill_for(dory, seconds, rate, aimed):
    kills = collections.Counter()
    until = time.monotonic() + seconds
    while time.monotonic() < until or sum(kills.values()) < seconds * LEAST_KILLS_A_SECOND:
        time.sleep(random.expovariate(rate))
        if aimed:
            aim(dory)
        if random.random() < 0.4:
            hold_the_ring(dory)
        chosen = random.choice((WORKERS[:1], WORKERS[1:], WORKERS))
        for name in chosen:
            kills[name] += dory.kill_worker(name)
        if "dory-kafka" not in chosen:
            let_go(dory)
        if aimed:
            take_back(dory)
    return kills


def count_steps(dory):
    with open(dory.log, encoding="utf-8", errors="replace") as file:
        return collections.Counter(step for _worker, step in DIED.findall(file.read()))


def storm(cluster, seconds, rate, every_step):
    env_file = "DORY_CRASH_AT_FILE" if every_step else None
    with running(cluster, env_file=env_file, streams=True, buffer=BUFFER) as dory:
        topic = new_topic("storm")
        streams = [Streams(dory, topic, where, CONNECTIONS, first, STREAM_RATE, STREAM_SIZES)
                   for where, first in ((dory.stream_socket, 1000), (dory.port, 2000))]
        senders = Together(Senders(dory, topic, SENDERS, 0, rate=RATE), *streams)
        with Judge(cluster.bootstrap, senders) as judge:
            brokers = threading.Thread(target=brokers_die, args=(cluster, seconds))
            brokers.start()
            kills = kill_for(dory, seconds, rate, every_step > 0)
            brokers.join()
            let_go(dory)
            sent = senders.stop()
            books = dory.wait_delivered()
            verdict = judge.verdict()
        check(books["received"] == sent, "sent %d, received %s" % (sent, books))
        check(books["rejected"] == books["discarded"] == 0, "something was refused: %s" % books)
        check(books["delivered"] == verdict["arrived"],
              "arrived %d: %s" % (verdict["arrived"], books))
        check(dory.count_buffer("--live") == 0, "what is counted is not 0")
        steps = count_steps(dory)
        rare = {step: steps[step] for step in POINTS if steps[step] < every_step}
        check(not rare, "steps that were hit less than %d times: %s" % (every_step, rare))
        check(sum(kills.values()) >= seconds * LEAST_KILLS_A_SECOND, "too few kills: %s" % kills)
        check(senders.total("again") > 0, "no send was ever refused")
        return ("sent %d, received %d, delivered %d, arrived %d, lost %d, doubled %d, disorder %d; "
                "possible duplicates %d; %s; "
                "kills: intake %d, kafka %d; last steps: %s" % (
                    sent, books["received"], books["delivered"], verdict["arrived"],
                    verdict["lost"], verdict["doubled"], verdict["disorder"],
                    books["possible_duplicates"], senders.refusals(),
                    kills["dory-intake"], kills["dory-kafka"],
                    ", ".join("%s %d" % item for item in sorted(steps.items()))))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--kills-per-second", type=float, default=6)
    parser.add_argument("--every-step", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dory-storm-") as folder, \
            kafka_cluster.Cluster(VERSION, folder, BROKERS, free_port(BROKERS)) as cluster:
        return harness.run_tests([storm], cluster, args.seconds, args.kills_per_second,
                                 args.every_step)


if __name__ == "__main__":
    sys.exit(main())
