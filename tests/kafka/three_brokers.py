"""What suites on three real brokers share: the cluster, a Dory on it, the accounts at the end."""

import argparse
import concurrent.futures
import contextlib
import os
import random
import socket
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka import kafka_cluster  # noqa: E402
from support import harness  # noqa: E402
from support.harness import Dory, Failure, check, judge  # noqa: E402

VERSION = "4.3.0"
BROKERS = 3
SENDERS = 4


def free_port(count):
    """The first of `count` * 10 ports that nobody uses."""
    for port in range(21000 + random.randrange(500) * 10, 32000, 10 * count):
        with contextlib.ExitStack() as stack:
            try:
                for used in (port + 10 * i + k for i in range(count) for k in (0, 1)):
                    s = stack.enter_context(socket.socket())
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind(("127.0.0.1", used))
            except OSError:
                continue
            return port
    raise Failure("no free ports")


def restart_all(cluster):
    """A controller answers only once most of them are back."""
    with concurrent.futures.ThreadPoolExecutor(BROKERS) as pool:
        list(pool.map(cluster.restart, range(BROKERS)))


def new_topic(name):
    return "%s-%06x" % (name, random.randrange(1 << 24))


@contextlib.contextmanager
def running(cluster, env_file=None, **options):
    """A Dory that has started; `env_file`: a variable that names the file `end` in its folder."""
    with Dory(cluster.bootstrap, **options) as dory:
        try:
            dory.start({env_file: dory.folder + "/end"} if env_file else None)
            yield dory
        except Failure:
            print(dory.last_words(40))
            raise


def settle_accounts(cluster, dory, senders, sent):
    """The three comparisons: sent = received, delivered = arrived, buffered counted = 0."""
    books = dory.wait_delivered()
    verdict = judge(cluster.bootstrap, senders)
    check(books["received"] == sent, "sent %d, received %s" % (sent, books))
    check(books["rejected"] == 0 and books["discarded"] == 0, "something was refused: %s" % books)
    check(books["delivered"] == verdict["arrived"], "arrived %d: %s" % (verdict["arrived"], books))
    counted = dory.count_buffer("--live")
    check(counted == 0, "%d messages are counted as buffered" % counted)
    return ("sent %d, received %d, delivered %d, arrived %d, lost %d, doubled %d, disorder %d; "
            "%s") % (
        sent, books["received"], books["delivered"], verdict["arrived"], verdict["lost"],
        verdict["doubled"], verdict["disorder"], senders.refusals())


def read_arguments(tests, description, option="--scale", default=1.0):
    """Those of the tests that the command line names, or all; and the scale, or that option."""
    parser = argparse.ArgumentParser(description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tests", nargs="*", metavar="TEST",
                        choices=[[], *[t.__name__ for t in tests]])
    parser.add_argument(option, dest="value", metavar="N", type=type(default), default=default)
    args = parser.parse_args()
    return [t for t in tests if not args.tests or t.__name__ in args.tests], args.value


def run(tests, description):
    """Runs the tests on one cluster; the exit status."""
    chosen, scale = read_arguments(tests, description)
    with tempfile.TemporaryDirectory(prefix="dory-kafka-") as folder, \
            kafka_cluster.Cluster(VERSION, folder, BROKERS, free_port(BROKERS)) as cluster:
        return harness.run_tests(chosen, cluster, scale)
