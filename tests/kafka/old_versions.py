"""What tests have to know of old brokers: how topics are made and read, and what may be doubled.

librdkafka has to be told which broker before 0.10 it speaks to, since those can't say so; and
before 0.11 messages arrive at least once, where every possible duplicate is counted.
"""

import os
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka import kafka_cluster  # noqa: E402
from support.harness import check, judge  # noqa: E402

CREATE_TOPICS = 19


def is_before(cluster, *version):
    """Whether the cluster's version is older than that."""
    return [int(n) for n in cluster.state["version"].split(".")] < list(version)


def reader_settings(cluster):
    """NAME=VALUE of librdkafka's."""
    if not is_before(cluster, 0, 10):
        return []
    return ["api.version.request=false", "broker.version.fallback=" + cluster.state["version"]]


def judge_arrivals(cluster, senders, books):
    """The judge's verdict: once, or before 0.11 as often as was counted as possible."""
    once = not is_before(cluster, 0, 11)
    possible = books["possible_duplicates"]
    check(possible == 0 or not once, "possible duplicates: %s" % books)
    verdict = judge(cluster.bootstrap, senders, settings=reader_settings(cluster),
                    may_double=possible)
    check(books["delivered"] == verdict["arrived"] - verdict["doubled"],
          "arrived %s: %s" % (verdict, books))
    return verdict


def zookeeper(cluster):
    return "127.0.0.1:%d" % (cluster.state["port"] + 1)


def run_tool(cluster, *arguments, limit_s=120, version=None):
    """Output of one of Kafka's own programs, of the cluster's version where none is given."""
    done = subprocess.run([sys.executable, kafka_cluster.__file__, "tool",
                           version or cluster.state["version"], *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, text=True,
                          errors="replace", timeout=limit_s)
    check(done.returncode == 0, "%s: %s" % (arguments[0], done.stderr[-2000:]))
    return done.stdout


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def create_topic(cluster, name, partitions, **config):
    """'_' in a name stands for '.'."""
    settings = {key.replace("_", "."): value for key, value in config.items()}
    if is_before(cluster, 0, 11):
        more = [x for pair in settings.items() for x in ("--config", "%s=%s" % pair)]
        run_tool(cluster, "kafka.admin.TopicCommand", "--zookeeper", zookeeper(cluster), "--create",
                 "--topic", name, "--partitions", str(partitions), "--replication-factor", "1",
                 *more)
    else:
        request_topic(cluster, name, partitions, settings)


def request_topic(cluster, name, partitions, settings):
    """CreateTopics version 2, which Kafka speaks from 0.11 on."""
    body = struct.pack(">hhi", CREATE_TOPICS, 2, 1) + text("test")
    body += struct.pack(">i", 1) + text(name) + struct.pack(">ihi", partitions, 1, 0)
    body += struct.pack(">i", len(settings))
    body += b"".join(text(key) + text(value) for key, value in settings.items())
    body += struct.pack(">ib", 30000, 0)
    host, port = cluster.bootstrap.split(",")[0].split(":")
    with socket.create_connection((host, int(port)), 30) as connection:
        connection.sendall(struct.pack(">i", len(body)) + body)
        size = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))[0]
        answer = connection.recv(size, socket.MSG_WAITALL)
    code = struct.unpack(">h", answer[14 + len(name):16 + len(name)])[0]
    check(code == 0, "CreateTopics: %d" % code)


def read_by_kcat(cluster, topic, *options):
    """What librdkafka finds in a topic."""
    settings = [x for setting in reader_settings(cluster) for x in ("-X", setting)]
    done = subprocess.run(["kcat", "-C", "-b", cluster.bootstrap, "-t", topic, "-o", "beginning",
                           "-e", "-q", *settings, *options],
                          stdout=subprocess.PIPE, check=True, text=True, timeout=60,
                          errors="surrogateescape")
    return done.stdout


def read_by_console(cluster, topics, count, version=None, **properties):
    """The lines that Kafka's own console consumer prints, sorted: values, and what its properties
    ask for ('_' in a name stands for '.')."""
    option = "--property" if version or is_before(cluster, 4, 2) else "--formatter-property"
    more = [x for name, value in properties.items()
            for x in (option, "%s=%s" % (name.replace("_", "."), value))]
    modern = not is_before(cluster, 3)
    where = ["--zookeeper", zookeeper(cluster)] if is_before(cluster, 0, 11) else [
        "--bootstrap-server", cluster.bootstrap]
    limit = [] if is_before(cluster, 0, 9) else ["--timeout-ms", "30000"]
    return sorted(run_tool(
        cluster, ("org.apache.kafka.tools.consumer." if modern else "kafka.tools.") +
        "ConsoleConsumer", *where, "--from-beginning", "--include" if modern else "--whitelist",
        "|".join(topics), "--max-messages", str(count), *limit, *more,
        version=version).splitlines())
