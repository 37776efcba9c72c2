#!/usr/bin/env python3
"""Brokers that authorize: which rights Dory needs, and what is said where one is missing.

    tests/kafka/acls.py [VERSION...] [--tests TEST,...] [--scale F]

The versions are those of VERSIONS by default. doc/kafka_acls.md says the same to users.
"""

import contextlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka import kafka_cluster  # noqa: E402
from kafka.old_versions import create_topic, is_before, run_tool, zookeeper  # noqa: E402
from kafka.three_brokers import free_port, new_topic, settle_accounts  # noqa: E402
from kafka.versions import run_on_versions  # noqa: E402
from support.harness import Dory, Senders, check, wait_until  # noqa: E402

VERSIONS = ["1.1.1", "2.8.2", "3.9.1", "4.3.0"]
USER, PASSWORD = "dory", "secret-of-the-test"
SASL_PORT = 2       # after the broker's, where everybody else may do everything


def authorizer(version):
    if kafka_cluster.is_kraft(version):
        return "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
    return ("kafka.security.authorizer.AclAuthorizer" if version.startswith("2.8")
            else "kafka.security.auth.SimpleAclAuthorizer")


def settings(version):
    kraft = kafka_cluster.is_kraft(version)
    at = "PLAINTEXT://127.0.0.1:{port},SASL://127.0.0.1:{port+%d}" % SASL_PORT
    return {
        "authorizer.class.name": authorizer(version), "super.users": "User:ANONYMOUS",
        "listeners": at + (",CONTROLLER://127.0.0.1:{port+1}" if kraft else ""),
        "advertised.listeners": at, "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT" +
                                          (",CONTROLLER:PLAINTEXT" if kraft else ""),
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl.plain.sasl.jaas.config":
            "org.apache.kafka.common.security.plain.PlainLoginModule required "
            'user_%s="%s";' % (USER, PASSWORD)}


@contextlib.contextmanager
def broker(version, folder):
    with kafka_cluster.Cluster(version, folder, 1, free_port(1), settings(version)) as cluster:
        yield cluster


def grant(cluster, *rights):
    """For USER: ("--topic", name, operation) or ("--cluster", operation)."""
    tool = ("org.apache.kafka.tools" if not is_before(cluster, 4) else "kafka.admin")
    where = ["--bootstrap-server", cluster.bootstrap] if not is_before(cluster, 2, 8) else [
        "--authorizer-properties", "zookeeper.connect=" + zookeeper(cluster)]
    run_tool(cluster, tool + ".AclCommand", *where, "--add", "--allow-principal", "User:" + USER,
             *rights[:-1], "--operation", rights[-1])


@contextlib.contextmanager
def running(cluster, more=""):
    path = os.path.join(cluster.state["dir"], "password")
    with open(path, "w", encoding="ascii") as file:
        file.write(PASSWORD + "\n")
    more = ("security_protocol = SASL_PLAINTEXT\n%s[sasl]\nmechanism = PLAIN\nusername = %s\n"
            "password_file = %s\n" % (more, USER, path))
    with Dory("127.0.0.1:%d" % (cluster.state["port"] + SASL_PORT), more=more) as dory:
        dory.start()
        yield dory


def wait_warning(dory, *texts):
    return wait_until(lambda: dory.warnings(*texts), "a warning with %s" % (texts,))[0]


def write_is_enough(cluster, scale):
    """Without a right it waits and is said; with Write on the topic all arrives, once from 2.8 on;
    before, that takes IdempotentWrite on the cluster."""
    topic = new_topic("rights")
    create_topic(cluster, topic, 2)
    with running(cluster) as dory:
        senders = Senders(dory, topic, 1, int(1000 * scale))
        sent = senders.wait()
        said = wait_warning(dory, topic, "not authorized")
        books = dory.books()
        check(books["buffered"] == sent and books["discarded"] == 0, "not all wait: %s" % books)
        if is_before(cluster, 2, 8):
            grant(cluster, "--cluster", "IdempotentWrite")
        grant(cluster, "--topic", topic, "Write")
        text = settle_accounts(cluster, dory, senders, sent)
        check(not dory.warnings("not authorized"), "the warning stays")
        wait_until(lambda: not dory.warnings("at least once"), "it is exactly once", 90)
        check(dory.books()["possible_duplicates"] == 0, "possible duplicates: %s" % dory.books())
        return "%s; %s" % (said, text)


def without_a_producer_id(cluster, scale):
    """Where brokers refuse one it is at least once, or waits, as idempotence says."""
    if not is_before(cluster, 2, 8):
        return "who may write has one"
    topic = new_topic("no-id")
    create_topic(cluster, topic, 2)
    grant(cluster, "--topic", topic, "Write")
    with running(cluster, "idempotence = required\n") as dory:
        senders = Senders(dory, topic, 1, int(1000 * scale))
        sent = senders.wait()
        said = wait_warning(dory, "no producer id", "messages wait")
        books = dory.books()
        check(books["buffered"] == sent and books["discarded"] == 0, "not all wait: %s" % books)
        dory.kill_supervisor()
    with running(cluster) as dory:
        senders = Senders(dory, topic, 1, int(1000 * scale), first_id=1)
        text = settle_accounts(cluster, dory, senders, senders.wait())
        return "%s; %s; %s" % (said, wait_warning(dory, "no producer id", "at least once"), text)


TESTS = [without_a_producer_id, write_is_enough]


if __name__ == "__main__":
    sys.exit(run_on_versions(TESTS, __doc__, VERSIONS, broker))
