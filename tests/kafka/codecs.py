#!/usr/bin/env python3
"""Each codec on real Kafka, read by three consumers that share no code.

    tests/kafka/codecs.py [VERSION...] [--tests TEST,...] [--scale F]

The versions are all of versions.py by default. librdkafka's judge says whether every message is
there once and in order; Kafka's own console consumer and franz-go have to find the same; and the
brokers' logs tell in which codec the batches lie there.
"""

import concurrent.futures
import glob
import os
import random
import sys
import time
from types import SimpleNamespace

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka.franz import can_read, expect_by_franz, read_by_franz  # noqa: E402
from kafka.messages import (  # noqa: E402
    Message, encode_version_1, expect_messages, of_every_shape, wait_settled)
from kafka.old_versions import (  # noqa: E402
    create_topic, is_before, judge_arrivals, read_by_console)
from kafka.three_brokers import new_topic  # noqa: E402
from kafka.versions import read_values, run_on_versions, send  # noqa: E402
from support.harness import Dory, Senders, check  # noqa: E402

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]      # in the order of their numbers
HIGHEST = {"gzip": 9, "lz4": 12, "zstd": 19}
# Batches of so many messages each.
WHOLE_BATCHES = ("[topic:%s]\ncompression = %s\ncompression_min_size = 0\nbatch_messages = %d\n"
                 "batch_time = 20s\nbatch_bytes = 1M\n")
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


def values_by_franz(cluster, topics):
    return sorted(message.value.decode() for found in read_by_franz(cluster, topics).values()
                  for _, message in found)


def known_codec(cluster, codec):
    """What a topic with that codec has in a broker's log."""
    return "none" if codec == "zstd" and is_before(cluster, 2, 1) else codec


def settle(cluster, dory, senders, readable):
    """The consumers find what was sent, franz-go in those topics; and the books say so."""
    sent = sum(s.sent() for s in senders)
    books = dory.wait_delivered()
    topics = [s.topic for s in senders]
    verdict = judge_arrivals(cluster, SimpleNamespace(
        topic=",".join(topics), reports=[r for s in senders for r in s.reports]), books)
    check(books["received"] == books["delivered"] == sent, "sent %d: %s" % (sent, books))
    check(dory.count_buffer("--live") == 0, "something is counted as buffered")
    console = read_by_console(cluster, topics, verdict["arrived"])
    check(console == read_all_by_kcat(cluster, topics), "the console consumer finds something else")
    franz = values_by_franz(cluster, readable)
    check(franz == read_all_by_kcat(cluster, readable), "franz-go finds something else")
    return "sent %d, arrived %d, doubled %d of %d possible; by Kafka's consumer %d, franz-go %d" % (
        sent, verdict["arrived"], verdict["doubled"], books["possible_duplicates"], len(console),
        len(franz))


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
        accounts = settle(cluster, dory, senders, [
            topic for topic, (codec, _) in zip(topics, levels) if can_read(cluster, codec)])
        for topic, (codec, _) in zip(topics, levels):
            found = codecs_in_log(cluster, topic)
            codec = known_codec(cluster, codec)
            check(codec in found and found <= {codec, "none"}, "%s holds %s" % (topic, found))
    return "%s; kills: %d" % (accounts, kills)


def what_messages_hold(cluster, scale):
    """Keys, values, timestamps and headers, in batches of both kinds that are all compressed."""
    del scale
    large = b" ".join(b"%d" % i for i in range(20_000))     # more than a block of any codec
    sent = of_every_shape()
    sent.append(Message(b"large", large, sent[-1].timestamp_ms - 1000, []))
    topics = {new_topic("holds-" + codec): codec for codec in CODECS
              if known_codec(cluster, codec) == codec}
    more = "".join(WHOLE_BATCHES % (topic, codec, len(sent)) for topic, codec in topics.items())
    with Dory(cluster.bootstrap, more=more, input_options="max_message_size = 1M\n") as dory, \
            concurrent.futures.ThreadPoolExecutor() as pool:
        dory.start()
        list(pool.map(lambda topic: create_topic(cluster, topic, 1), topics))
        for times, partition_key in enumerate((None, 0), 1):
            for topic in topics:
                send(dory, [encode_version_1(topic, message, partition_key) for message in sent])
            wait_settled(dory, times * len(topics) * len(sent))
        for topic, codec in topics.items():
            found = codecs_in_log(cluster, topic)
            check(found == {codec}, "%s holds %s" % (topic, found))
        expect_messages(cluster, list(topics), 2 * sent)
        readable = {topic: codec for topic, codec in topics.items() if can_read(cluster, codec)}
        expect_by_franz(cluster, readable, 2 * sent)
        return "%d messages in each of %s; franz-go: %s" % (
            2 * len(sent), ", ".join(topics.values()), ", ".join(readable.values()))


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
        check(values == values_by_franz(cluster, [topic]), "franz-go finds something else")
        check(codecs_in_log(cluster, topic) == {"none", codec}, "the codec is not the new one")
        return "arrived %d" % len(values)


TESTS = [what_messages_hold, each_codec, changed_by_reload]


if __name__ == "__main__":
    sys.exit(run_on_versions(TESTS, __doc__))
