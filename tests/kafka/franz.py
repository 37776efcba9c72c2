"""What franz-go finds in topics, a consumer of Go that shares no code with librdkafka or Kafka.

It is built on first use, from franz_judge/, by `go` of Debian 12 or newer.
"""

import base64
import collections
import glob
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka.messages import Message, check_same, kept  # noqa: E402
from kafka.old_versions import is_before  # noqa: E402
from support.harness import SUPPORT, check  # noqa: E402

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "franz_judge")
PROGRAM = os.path.join(SUPPORT, "franz_judge")


def can_read(cluster, codec):
    """All but lz4 in message format 0: there a frame's header has the checksum that Kafka wrote
    until 0.9 (KAFKA-3160), which the lz4 of franz-go refuses; it takes the batch for a part of one
    and asks for the rest, for ever."""
    return codec != "lz4" or not is_before(cluster, 0, 10)


def build():
    """Where it is missing or older than its source."""
    sources = [path for name in ("*.go", "go.*") for path in glob.glob(os.path.join(SOURCE, name))]
    if os.path.exists(PROGRAM) and \
            os.path.getmtime(PROGRAM) >= max(os.path.getmtime(path) for path in sources):
        return
    os.makedirs(SUPPORT, exist_ok=True)
    try:
        done = subprocess.run(["go", "build", "-buildvcs=false", "-o", PROGRAM, "."], cwd=SOURCE,
                              env=dict(os.environ, GOTOOLCHAIN="local"), check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    except FileNotFoundError:
        check(False, "no `go` to build %s: packaging/install-packages kafka" % SOURCE)
    check(done.returncode == 0, "go build in %s:\n%s" % (SOURCE, done.stdout))


def unpacked(text):
    return None if text is None else base64.b64decode(text)


def read_by_franz(cluster, topics):
    """By topic, in the order of partitions and offsets: pairs of a codec and a Message."""
    build()
    done = subprocess.run([PROGRAM, cluster.bootstrap, cluster.state["version"], *topics],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, text=True,
                          timeout=120)
    check(done.returncode == 0, "franz-go: " + done.stderr)
    found = collections.defaultdict(list)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    for r in sorted(records, key=lambda r: (r["topic"], r["partition"], r["offset"])):
        headers = [tuple(map(unpacked, header)) for header in r["headers"]]
        found[r["topic"]].append((r["codec"], Message(
            unpacked(r["key"]), unpacked(r["value"]), r["timestamp_ms"], headers)))
    return found


def expect_by_franz(cluster, topics, sent):
    """It finds the messages in each topic of one partition, in their order, in the topic's codec;
    `topics`: codecs by topic."""
    found = read_by_franz(cluster, topics)
    for topic, codec in topics.items():
        check_same("franz-go", found[topic], [(codec, message) for message in kept(cluster, sent)])
