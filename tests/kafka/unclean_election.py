#!/usr/bin/env python3
"""Three brokers that elect a leader which has not all that was acknowledged.

    tests/kafka/unclean_election.py [VERSION...] [--tests TEST,...]

The versions are 2.8.2, 3.9.1 and 4.3.0 by default. A partition has two copies. The follower stops,
the leader goes on alone and acknowledges, and then it dies for good while a batch is on its way;
the follower comes back and leads. What only the dead one had is lost by Kafka. Dory must not send
that again, must deliver the batch that was on its way once, and go on in order under a sequence
that the new leader takes.
"""

import contextlib
import glob
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka import kafka_cluster  # noqa: E402
from kafka.forgotten_producer import read_values, send  # noqa: E402
from kafka.old_versions import is_before, run_tool  # noqa: E402
from kafka.three_brokers import BROKERS, free_port, new_topic, running  # noqa: E402
from kafka.versions import run_on_versions  # noqa: E402
from support.harness import check, wait_until  # noqa: E402

VERSIONS = ["2.8.2", "3.9.1", "4.3.0"]
LEADER, FOLLOWER = 1, 2
SETTINGS = {
    "unclean.leader.election.enable": "true", "min.insync.replicas": "1",
    "zookeeper.session.timeout.ms": "6000", "broker.session.timeout.ms": "6000",
    # Two of three controllers, one of which has just been started, have to agree where others
    # want the processor, too; a broker that waits longer for them gives up.
    "controller.quorum.election.timeout.ms": "5000", "controller.quorum.fetch.timeout.ms": "5000",
    "initial.broker.registration.timeout.ms": "180000"}
FORGETS_S = 10
OPTIONS = "request_timeout = 1s\n%s[topic:*]\nbatch_messages = 5\nbatch_time = 200ms\n"


def values_of(name):
    return ["%s%d" % (name, i) for i in range(5)]


def describe(cluster, topic):
    """Leader and in-sync replicas of partition 0."""
    told = subprocess.run(["kcat", "-b", cluster.bootstrap, "-L", "-t", topic], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    found = re.search(r"partition 0, leader (-?\d+), replicas: [\d,]*, isrs: ([\d,]*)", told)
    return (int(found[1]), found[2]) if found else (-1, "")


@contextlib.contextmanager
def partition(cluster, more=""):
    """A topic of two copies, and a Dory that has delivered a first batch to both of them."""
    for i in range(BROKERS):
        kafka_cluster.wait_registered(cluster.state, i)
    topic = new_topic("unclean")
    program = "kafka.admin" if is_before(cluster, 3) else "org.apache.kafka.tools"
    run_tool(cluster, program + ".TopicCommand", "--bootstrap-server", cluster.bootstrap,
             "--create", "--topic", topic, "--replica-assignment", "%d:%d" % (LEADER, FOLLOWER))
    wait_until(lambda: describe(cluster, topic) == (LEADER, "%d,%d" % (LEADER, FOLLOWER)),
               "both copies are in sync")
    with running(cluster, more=OPTIONS % more) as dory:
        deliver(dory, topic, values_of("both"))
        yield dory, topic


def deliver(dory, topic, values):
    before = dory.books()["delivered"]
    send(dory, topic, values)
    wait_until(lambda: dory.books()["delivered"] == before + len(values),
               "%s are delivered" % values)


def acknowledge_alone(cluster, dory, topic, batches=2):
    """The leader acknowledges what nobody else has, five in each batch."""
    cluster.terminate(FOLLOWER)
    wait_until(lambda: describe(cluster, topic) == (LEADER, str(LEADER)), "the leader is alone")
    for i in range(batches):
        deliver(dory, topic, values_of("lost %d." % i))


def is_stopped(pid):
    """Each of its threads, not only the first."""
    states = []
    for path in glob.glob("/proc/%d/task/*/stat" % pid):
        with open(path, encoding="utf-8") as stat:
            states.append(stat.read().rpartition(")")[2].split()[0])
    return set(states) == {"T"}


def send_into_nothing(cluster, dory, topic):
    """A batch that the leader never answers."""
    cluster.pause(LEADER)
    wait_until(lambda: is_stopped(cluster.state["pids"]["broker%d" % LEADER]), "it has stopped")
    send(dory, topic, values_of("pending"))
    wait_until(lambda: "%s/0: attempt 1: no answer in time" % topic in read_log(dory),
               "its outcome is unknown")


def elect(cluster, topic, expiration_ms=604800000):
    cluster.kill(LEADER)
    # So long it keeps the state of a producer, as it finds when it loads a snapshot.
    option = "transactional.id" if is_before(cluster, 3) else "producer.id"
    cluster.state["set"][option + ".expiration.ms"] = str(expiration_ms)
    cluster.restart(FOLLOWER)
    wait_until(lambda: describe(cluster, topic)[0] == FOLLOWER, "the follower leads")


def read_log(dory):
    with open(dory.log, encoding="utf-8") as log:
        return log.read()


def check_all(cluster, dory, topic, expected, possible_duplicates, lost=10):
    """At the end, and when the old leader follows: it drops what the new one has not."""
    delivered = dory.wait_delivered()["delivered"]
    check(read_values(cluster, topic) == expected, "%s" % read_values(cluster, topic))
    cluster.restart(LEADER)
    wait_until(lambda: describe(cluster, topic)[1] in ("1,2", "2,1"), "both are in sync again")
    deliver(dory, topic, values_of("end"))
    values = read_values(cluster, topic)
    check(values == expected + values_of("end"), "%s" % values)
    books = dory.books()
    check(books["delivered"] == delivered + 5, "%s" % books)
    check(books["delivered"] == len(values) + lost, "all but what Kafka lost: %s" % books)
    check(books["discarded"] == 0, "%s" % books)
    check(books["possible_duplicates"] == possible_duplicates, "%s" % books)
    counted = dory.count_buffer("--live")
    check(counted == 0, "%d messages are counted as buffered" % counted)
    return "%s; possible duplicates %d" % (
        " ".join("%s %d" % (k, books[k]) for k in ("received", "delivered")), possible_duplicates)


def what_was_on_its_way_arrives_once(cluster, _scale):
    """The new leader knows us, by an older sequence: it has not the batch, which goes anew."""
    with partition(cluster, "producer_id_expiration = 24h\n") as (dory, topic):
        deliver(dory, topic, values_of("both too"))
        acknowledge_alone(cluster, dory, topic)
        send_into_nothing(cluster, dory, topic)
        elect(cluster, topic)
        expected = values_of("both") + values_of("both too") + values_of("pending")
        account = check_all(cluster, dory, topic, expected, 0)
        check("OUT_OF_ORDER_SEQUENCE_NUMBER" in read_log(dory), "the sequence was taken")
        return account


def what_comes_after_goes_on(cluster, _scale):
    """Nothing was on its way; the first attempt is refused for its sequence."""
    with partition(cluster, "producer_id_expiration = 24h\n") as (dory, topic):
        acknowledge_alone(cluster, dory, topic)
        elect(cluster, topic)
        deliver(dory, topic, values_of("after"))
        account = check_all(cluster, dory, topic, values_of("both") + values_of("after"), 0)
        check("OUT_OF_ORDER_SEQUENCE_NUMBER" in read_log(dory), "the sequence was taken")
        return account


def forgotten(cluster, batches):
    """The new leader has forgotten us, so that its log is asked before the batch goes again."""
    with partition(cluster, "producer_id_expiration = %ds\n" % FORGETS_S) as (dory, topic):
        acknowledge_alone(cluster, dory, topic, batches)
        send_into_nothing(cluster, dory, topic)
        time.sleep(FORGETS_S)
        elect(cluster, topic, 1000 * FORGETS_S)
        account = check_all(cluster, dory, topic, values_of("both") + values_of("pending"), 5,
                            5 * batches)
        check("the log is cut off where it may have been" in read_log(dory), "another verdict")
        return account


def a_log_that_is_shorter_says_nothing(cluster, _scale):
    """It ends before the last batch that was acknowledged."""
    return forgotten(cluster, 2)


def a_log_that_ends_where_it_was_says_nothing(cluster, _scale):
    """It ends right where the last batch was that was acknowledged."""
    return forgotten(cluster, 1)


TESTS = [what_was_on_its_way_arrives_once, what_comes_after_goes_on,
         a_log_that_is_shorter_says_nothing,
         a_log_that_ends_where_it_was_says_nothing]


@contextlib.contextmanager
def start(version, folder):
    with kafka_cluster.Cluster(version, folder, BROKERS, free_port(BROKERS), SETTINGS) as cluster:
        yield cluster


if __name__ == "__main__":
    sys.exit(run_on_versions(TESTS, __doc__, VERSIONS, start))
