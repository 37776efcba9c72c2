"""What suites that run the real programs share: a Dory of their own, numbered senders, the judge.

Every process that is started here is ended here, by its id; folders are temporary. A check that
does not hold raises Failure. Books are held against what was sent and what arrived, never against
themselves alone: `received` against the senders' reports, `delivered` against the judge's count,
`buffered` against what `doryctl check-buffer` counts.
"""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.join(TOP, os.environ.get("DORY_BIN", "build/bin"))
SUPPORT = os.path.join(TOP, "build", "bin")     # senders and judge are of the release build
WAIT_S = 120
# The judge's, but doubles.
FAULTS = ["lost", "disorder", "misplaced", "unexpected", "unreadable"]


class Failure(Exception):
    """A check that does not hold."""


def check(holds, text):
    if not holds:
        raise Failure(text)


def wait_until(holds, what, limit_s=WAIT_S, step_s=0.1):
    """Waits for holds() to be true; its last value is returned."""
    end = time.monotonic() + limit_s
    while True:
        value = holds()
        if value:
            return value
        check(time.monotonic() < end, "not within %d s: %s" % (limit_s, what))
        time.sleep(step_s)


def list_children(pid):
    """Program names and process ids."""
    found = []
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        for child in f.read().split():
            try:
                with open("/proc/%s/comm" % child) as name:
                    found.append((name.read().strip(), int(child)))
            except OSError:
                pass
    return found


def children_of(pid):
    """Process ids by program name; one of each."""
    return dict(list_children(pid))


def free_tcp_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Dory:
    """One instance with its folder, socket and segment."""

    def __init__(self, brokers, buffer="ring_size = 16M\npool_size = 64M\n", more="", wrapper=(),
                 input_options="", streams=False):
        self.folder = tempfile.mkdtemp(prefix="dory-test-")
        self.instance = "test-%d-%s" % (os.getpid(), os.path.basename(self.folder)[-6:])
        self.socket = os.path.join(self.folder, "input")
        self.config = os.path.join(self.folder, "dory.conf")
        self.log = os.path.join(self.folder, "log")
        self.process = None
        self.wrapper = list(wrapper)
        self.stream_socket = os.path.join(self.folder, "stream")
        self.port = free_tcp_port() if streams else None
        if streams:
            more += ("[input:stream]\ntype = unix_stream\npath = %s\n"
                     "[input:tcp]\ntype = tcp\nport = %d\n" % (self.stream_socket, self.port))
        with open(self.config, "w") as f:
            f.write("[dory]\ninstance = %s\nrun_dir = %s/run\n[buffer]\n%s"
                    "[input:datagram]\ntype = unix_datagram\npath = %s\n%s"
                    "[http]\nlisten = off\n"
                    "[kafka]\nbrokers = %s\ntopic_autocreate = yes\n%s"
                    % (self.instance, self.folder, buffer, self.socket, input_options, brokers,
                       more))

        self.senders = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for senders in self.senders:
            senders.kill()
        self.remove()

    def start(self, env=None):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.wrapper + [os.path.join(BIN, "dory"), "--config", self.config],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=dict(os.environ, **(env or {})))
        wait_until(lambda: self.status(may_fail=True) or self.ended(), "Dory answers", 30)
        check(not self.ended(), "Dory ended at its start: " + self.last_words())

    def ended(self):
        return self.process.poll() is not None

    def ctl(self, *arguments, may_fail=False, config=True):
        whose = ["--config", self.config] if config else []
        done = subprocess.run([os.path.join(BIN, "doryctl"), *whose, *arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        check(may_fail or done.returncode == 0,
              "doryctl %s: %d: %s%s" % (" ".join(arguments), done.returncode, done.stdout,
                                        done.stderr))
        return done

    def status(self, may_fail=False):
        done = self.ctl("status", "--json", may_fail=may_fail)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def warnings(self, *texts):
        """Those of the status that have all of the texts."""
        return [w["text"] for w in self.status()["warnings"]
                if all(text in w["text"] for text in texts)]

    def books(self):
        books = self.status()["books"]
        check(books["received"] == books["rejected"] + books["appended"], "received: %s" % books)
        check(books["appended"] == books["delivered"] + books["discarded"] + books["buffered"],
              "appended: %s" % books)
        return books

    def workers(self):
        return children_of(self.process.pid)

    def kill_worker(self, name):
        """SIGKILL, of one of them; False where none is up at the moment."""
        pids = [pid for child, pid in list_children(self.process.pid) if child == name]
        if not pids:
            return False
        try:
            os.kill(random.choice(pids), signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def kill_supervisor(self):
        self.process.kill()
        self.process.wait()

    def terminate(self):
        """SIGTERM and its exit status."""
        self.process.terminate()
        return self.process.wait(timeout=90)

    def wait_delivered(self, limit_s=WAIT_S):
        return wait_until(lambda: (lambda b: b if b["buffered"] == 0 else None)(self.books()),
                          "everything is delivered", limit_s)

    def count_buffer(self, *arguments):
        """What `check-buffer` counts, summed over lanes; raises where it does not balance."""
        found = json.loads(self.ctl("check-buffer", "--json", *arguments).stdout)
        check(found["balances"], "check-buffer: %s" % found)
        return sum(lane["buffered_counted"] for lane in found["lanes"])

    def last_words(self, lines=5):
        with open(self.log) as f:
            return "".join(f.readlines()[-lines:])

    def remove(self):
        if self.process is not None and not self.ended():
            self.process.terminate()
            try:
                self.process.wait(timeout=45)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree("/dev/shm/dory." + self.instance, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)


class Senders:
    """Some numbered senders that run beside the test."""

    def __init__(self, dory, topic, how_many, count, rate=0, blocking=False, first_id=0):
        dory.senders.append(self)
        self.topic = topic
        self.reports = []
        self.processes = []
        for i in range(first_id, first_id + how_many):
            report = os.path.join(dory.folder, "%s-%d.json" % (topic, i))
            self.reports.append(report)
            self.processes.append(subprocess.Popen(
                [os.path.join(SUPPORT, "numbered_sender"), "--socket", dory.socket,
                 "--topic", topic, "--sender", str(i), "--count", str(count), "--rate", str(rate),
                 "--kinds", "any,key", "--keys", "12", "--report", report]
                + (["--blocking"] if blocking else [])))

    def running(self):
        return any(p.poll() is None for p in self.processes)

    def stop(self):
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        return self.wait()

    def wait(self, limit_s=WAIT_S):
        """Waits for all; how many messages they sent."""
        for process in self.processes:
            try:
                process.wait(timeout=limit_s)
            except subprocess.TimeoutExpired:
                raise Failure("a sender does not end") from None
            check(process.returncode == 0, "a sender ended with %d" % process.returncode)
        return self.sent()

    def sent(self):
        return self.total("sent_any", "sent_key")

    def total(self, *names):
        """The sum of these counts over the senders' reports."""
        total = 0
        for report in self.reports:
            with open(report) as f:
                counts = json.load(f)
                total += sum(counts[name] for name in names)
        return total

    def refusals(self):
        """A refused message is sent again as it is, so one that had arrived is found doubled."""
        return "sends refused: %d by EAGAIN, %d by ECONNREFUSED or ENOENT" % (
            self.total("again"), self.total("refused"))

    def kill(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()


class Streams(Senders):
    """Numbered senders on stream connections of one process, which fails where one of them does.

    `where`: a socket's path, or a port."""

    def __init__(self, dory, topic, where, how_many, first_id, rate=0, sizes=(200,)):
        dory.senders.append(self)
        self.topic = topic
        begin = os.path.join(dory.folder, topic + "-")
        self.reports = ["%s%d.json" % (begin, i) for i in range(first_id, first_id + how_many)]
        to = ["--port", str(where)] if isinstance(where, int) else ["--path", where]
        self.processes = [subprocess.Popen(
            [os.path.join(SUPPORT, "numbered_streams"), *to, "--topic", topic,
             "--sender", str(first_id), "--connections", str(how_many), "--rate", str(rate),
             "--sizes", ",".join(map(str, sizes)), "--keys", "12", "--reports", begin])]


class Together(Senders):
    """Senders of one topic, of several kinds."""

    def __init__(self, *parts):
        self.topic = parts[0].topic
        self.reports = [report for part in parts for report in part.reports]
        self.processes = [process for part in parts for process in part.processes]


def judge(brokers, senders, wait_s=20, settings=(), may_double=0):
    """What an independent consumer finds, by the senders' reports; raises where it is not exact,
    but for so many that may be there once more. `settings`: NAME=VALUE of librdkafka's."""
    done = subprocess.run([os.path.join(SUPPORT, "judge"), "--brokers", brokers,
                           "--topics", senders.topic, "--expect", *senders.reports,
                           "--wait", str(wait_s)] + [x for s in settings for x in ("--set", s)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
    check(done.stdout, "the judge says nothing: " + done.stderr)
    verdict = json.loads(done.stdout)
    faults = [verdict[name] for name in FAULTS]
    check(not any(faults) and verdict["doubled"] <= may_double, "not exact: %s" % verdict)
    check(done.returncode == (1 if verdict["doubled"] else 0), "the judge: %s" % done.stderr)
    return verdict


def run_tests(tests, *arguments):
    """Runs each test(*arguments), says what it returns; the closing line and the exit status."""
    passed = failed = 0
    for test in tests:
        name = test.__name__
        start = time.monotonic()
        try:
            text = test(*arguments) or ""
            passed += 1
            print("passed  %s (%.0f s) %s" % (name, time.monotonic() - start, text), flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            print("FAILED  %s: %s" % (name, error), flush=True)
            if not isinstance(error, Failure):
                traceback.print_exc(file=sys.stdout)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0
