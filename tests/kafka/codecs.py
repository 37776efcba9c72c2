#!/usr/bin/env python3
"""Each codec on real Kafka, read by two consumers that share no code.

    tests/kafka/codecs.py [VERSION...] [--tests TEST,...] [--scale F]

The versions are all of versions.py by default. librdkafka's judge says whether every message is
there once and in order; Kafka's own console consumer has to find the same; and the brokers' logs
tell in which codec the batches lie there.
"""

import glob
import os
import random
import sys
import time
from types import SimpleNamespace

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka.old_versions import is_before, judge_arrivals, read_by_console  # noqa: E402
from kafka.three_brokers import new_topic  # noqa: E402
from kafka.versions import read_values, run_on_versions  # noqa: E402
from support.harness import Dory, Senders, check  # noqa: E402

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]      # in the order of their numbers
HIGHEST = {"gzip": 9, "lz4": 12, "zstd": 19}
LOG_OVERHEAD, MAGIC_AT, CODEC_MASK = 12, 16, 7
ATTRIBUTES_AT = [17, 17, 22]    # by message format; the byte with the codec


def codecs_in_log(cluster, topic):
    """The names of the codecs of its batches, from the brokers' segment files."""
    found = set()
    for path in glob.glob(os.path.join(cluster.state["dir"], "data*", topic + "-*", "*.log")):
        with open(path, "rb") as file:
            data = file.read()
        at = 0
        while at + LOG_OVERHEAD < len(data):
            size = int.from_bytes(data[at + 8:at + LOG_OVERHEAD], "big")
            if size == 0:       # files are made larger than what they hold
                break
            flags = data[at + ATTRIBUTES_AT[data[at + MAGIC_AT]]]
            found.add(CODECS[flags & CODEC_MASK])
            at += LOG_OVERHEAD + size
    return found


def read_all_by_kcat(cluster, topics):
    return sorted(value for topic in topics
                  for values in read_values(cluster, topic).values() for value in values)


def known_codec(cluster, codec):
    """What a topic with that codec has in a broker's log."""
    return "none" if codec == "zstd" and is_before(cluster, 2, 1) else codec


def settle(cluster, dory, senders):
    """Both consumers find what was sent, and the books say so."""
    sent = sum(s.sent() for s in senders)
    books = dory.wait_delivered()
    topics = [s.topic for s in senders]
    verdict = judge_arrivals(cluster, SimpleNamespace(
        topic=",".join(topics), reports=[r for s in senders for r in s.reports]), books)
    check(books["received"] == books["delivered"] == sent, "sent %d: %s" % (sent, books))
    check(dory.count_buffer("--live") == 0, "something is counted as buffered")
    console = read_by_console(cluster, topics, verdict["arrived"])
    check(console == read_all_by_kcat(cluster, topics), "the console consumer finds something else")
    return "sent %d, arrived %d, doubled %d of %d possible, by Kafka's consumer %d" % (
        sent, verdict["arrived"], verdict["doubled"], books["possible_duplicates"], len(console))


def each_codec(cluster, scale):
    """A topic for each codec and for its highest level, while workers are killed."""
    levels = [(codec, "default") for codec in CODECS[1:]] + list(HIGHEST.items())
    topics = [new_topic(codec) for codec, _ in levels]
    more = "".join("[topic:%s]\ncompression = %s\ncompression_level = %s\n"
                   "compression_min_size = 0\n" % (topic, *level)
                   for topic, level in zip(topics, levels))
    kills = 0
    with Dory(cluster.bootstrap, more=more) as dory:
        dory.start()
        senders = [Senders(dory, topic, 1, int(5000 * scale), rate=500, blocking=True,
                           first_id=i) for i, topic in enumerate(topics)]
        while any(s.running() for s in senders):
            time.sleep(random.uniform(0.2, 0.8))
            kills += dory.kill_worker(random.choice(["dory-kafka", "dory-kafka", "dory-intake"]))
        for s in senders:
            s.wait()
        accounts = settle(cluster, dory, senders)
        for topic, (codec, _) in zip(topics, levels):
            found = codecs_in_log(cluster, topic)
            codec = known_codec(cluster, codec)
            check(codec in found and found <= {codec, "none"}, "%s holds %s" % (topic, found))
    return "%s; kills: %d" % (accounts, kills)


def changed_by_reload(cluster, scale):
    """A codec that is configured while Dory runs holds from then on."""
    topic, codec = new_topic("reloaded"), "gzip"
    with Dory(cluster.bootstrap, more="[topic:*]\ncompression = none\n") as dory:
        dory.start()
        parts = [Senders(dory, topic, 1, int(2000 * scale), blocking=True)]
        parts[0].wait()
        dory.wait_delivered()
        check(codecs_in_log(cluster, topic) == {"none"}, "compressed before it was asked for")
        with open(dory.config, encoding="utf-8") as file:
            text = file.read()
        with open(dory.config, "w", encoding="utf-8") as file:
            file.write(text.replace("compression = none", "compression = " + codec))
        dory.ctl("reload")
        parts.append(Senders(dory, topic, 1, int(2000 * scale), blocking=True, first_id=1))
        parts[1].wait()
        books = dory.wait_delivered()
        values = read_by_console(cluster, [topic], books["delivered"])
        check(len(set(values)) == sum(part.sent() for part in parts), "not all arrived: %s" % books)
        check(codecs_in_log(cluster, topic) == {"none", codec}, "the codec is not the new one")
        return "arrived %d" % len(values)


TESTS = [each_codec, changed_by_reload]


if __name__ == "__main__":
    sys.exit(run_on_versions(TESTS, __doc__))
