"""What the tests of the daemon share: a folder and an instance of their own, a stand-in for Kafka,
dory as a process, and the end of every process that was started.

A test ends with the books balancing: check-buffer counts what is buffered, and the messages that
the test has sent are those that dory has received.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.join(TOP, os.environ.get("DORY_BIN", "build/bin"))
SUPPORT = os.path.join(TOP, "build", "bin")     # the stand-in is of the release build
SEGMENT_DIR = "/dev/shm"
WAIT_S = 60
PR_SET_CHILD_SUBREAPER = 36
IS_ROOT = os.geteuid() == 0

CONFIG = """[dory]
run_dir = {folder}/run
instance = {instance}
stop_timeout = {stop_timeout}
{dory}
[buffer]
segment_dir = {segment_dir}
{buffer}
[kafka]
brokers = {brokers}
[topic:*]
batch_time = 10ms
[log]
to = {log_to}
[http]
listen = {http}
"""
SMALL = "ring_size = 4M\npool_size = 16M"
NOBODY_LISTENS = "127.0.0.1:1"


def adopt_orphans():
    """From here on the workers of a supervisor that was killed are our children."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wait_for(what, look, seconds=WAIT_S):
    """The first answer of look() that is not empty."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = look()
        if answer:
            return answer
        time.sleep(0.02)
    raise AssertionError("%s: waited %d s in vain" % (what, seconds))


def encode(topic, value):
    """An AnyPartition message of version 0, as clients have always sent it."""
    body = struct.pack(">hhhh", 256, 0, 0, len(topic)) + topic.encode()
    body += struct.pack(">qii", int(time.time() * 1000), 0, len(value)) + value
    return struct.pack(">i", len(body) + 4) + body


def free_port():
    """A port of 127.0.0.1 that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def process_state(pid):
    """The state letter of a process, empty where there is none."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


def is_alive(pid):
    return process_state(pid) not in ("", "Z")


def read_file(path):
    """Its text; of one that is not there, or a process that has just ended, nothing."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


class StandIn:
    """A stand-in for Kafka that ends with us."""

    def __init__(self, folder, brokers=1):
        self.port_file = os.path.join(folder, "brokers")
        self.process = subprocess.Popen(
            [os.path.join(SUPPORT, "kafka_stand_in"), "--brokers", str(brokers), "--port-file",
             self.port_file, "--topic", "t:4"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self.brokers = wait_for("the stand-in for Kafka", lambda: read_file(self.port_file).strip())

    def stop(self):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait(WAIT_S)


class DaemonCase(unittest.TestCase):
    """One dory at a time, in a folder of the test."""

    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="dory-daemon.")
        os.chmod(self.folder, 0o755)
        self.instance = "test-%d-%s" % (os.getpid(), os.path.basename(self.folder)[-6:])
        self.log = os.path.join(self.folder, "dory.log")
        self.config = os.path.join(self.folder, "dory.conf")
        self.input = os.path.join(self.folder, "run", "input_datagram_sock")
        self.run_dir = os.path.join(self.folder, "run")
        self.segment_folder = os.path.join(SEGMENT_DIR, "dory." + self.instance)
        self.processes = []
        self.stand_in = None
        self.bin = BIN
        self.sent = 0

    def tearDown(self):
        try:
            if getattr(self, "balances", True):
                self.check_buffer()
        finally:
            self.end_all()
            shutil.rmtree(self.segment_folder, ignore_errors=True)
            shutil.rmtree(self.folder, ignore_errors=True)

    def end_all(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait(WAIT_S)
        if self.stand_in:
            self.stand_in.stop()
        self.end_orphans()

    def end_orphans(self):
        """Workers end by themselves once their supervisor has; who does not in 10 s is killed."""
        end = time.monotonic() + 10
        while True:
            left = self.orphans()
            if not left:
                return
            for pid in left:
                if time.monotonic() > end:
                    os.kill(pid, signal.SIGKILL)
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass
            time.sleep(0.02)

    def orphans(self):
        ours = {process.pid for process in self.processes}
        if self.stand_in:
            ours.add(self.stand_in.process.pid)
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            stat = read_file("/proc/%s/stat" % pid)
            parent = int(stat.rsplit(")", 1)[1].split()[1]) if stat else 0
            if parent == os.getpid() and int(pid) not in ours:
                found.append(int(pid))
        return found

    # ---- dory ----------------------------------------------------------------------------------

    def write_config(self, brokers=None, buffer=SMALL, dory="", stop_timeout="20s", log_to="stderr",
                     segment_dir=SEGMENT_DIR, http="off", more=""):
        if brokers is None:
            brokers = self.kafka()
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(folder=self.folder, instance=self.instance, dory=dory,
                                     buffer=buffer, brokers=brokers, stop_timeout=stop_timeout,
                                     log_to=log_to, segment_dir=segment_dir, http=http)
                       + more)

    def kafka(self):
        if not self.stand_in:
            self.stand_in = StandIn(self.folder)
        return self.stand_in.brokers

    def copy_programs(self, *names):
        """From here on they are run from the test's own folder, which everybody may enter."""
        self.bin = os.path.join(self.folder, "bin")
        os.mkdir(self.bin)
        for name in names:
            shutil.copy(os.path.join(BIN, name), self.bin)

    def launch(self, *words, prefix=()):
        """dory in the foreground; its log is self.log."""
        with open(self.log, "ab") as out:
            process = subprocess.Popen([*prefix, os.path.join(self.bin, "dory"), "--config",
                                        self.config, *words],
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.processes.append(process)
        return process

    def start(self, prefix=(), state="up"):
        process = self.launch(prefix=prefix)

        def look():
            self.assertIsNone(process.poll(), self.log_text())
            return self.state() == state
        wait_for("dory " + state, look)
        return process

    def run_to_end(self, *words):
        """The exit status and log of a dory that is to end by itself."""
        before = len(self.log_text())
        process = self.launch(*words)
        process.wait(WAIT_S)
        return process.returncode, self.log_text()[before:]

    def term(self, process, number=signal.SIGTERM):
        process.send_signal(number)
        return process.wait(WAIT_S)

    def log_text(self):
        return read_file(self.log)

    def wait_for_log(self, text):
        wait_for("'%s' in the log" % text, lambda: text in self.log_text())

    # ---- doryctl -------------------------------------------------------------------------------

    def doryctl(self, *words, config=True):
        program = os.path.join(self.bin, "doryctl")
        whose = ["--config", self.config] if config else []
        result = subprocess.run([program, *whose, *words],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                check=False, timeout=WAIT_S)
        return result.returncode, result.stdout, result.stderr

    def status(self):
        code, out, _err = self.doryctl("status", "--json")
        return json.loads(out) if code == 0 else {}

    def state(self):
        return self.status().get("state")

    def worker(self, name):
        return next(worker for worker in self.status()["workers"] if worker["name"] == name)

    def wait_up(self, name, after_generation=0):
        return wait_for(name + " up", lambda: [
            worker for worker in self.status().get("workers", []) if worker["name"] == name and
            worker["state"] == "up" and worker["generation"] > after_generation])[0]

    def check_buffer(self):
        """Live where dory runs, else on the segment that it has left, if it has."""
        running = any(process.poll() is None for process in self.processes) and self.status()
        if not running and not os.path.exists(os.path.join(self.segment_folder, "segment")):
            return
        words = ["check-buffer", "--json"] + (["--live"] if running else [])
        code, out, err = self.doryctl(*words)
        self.assertEqual(code, 0, out + err + self.log_text())
        lanes = json.loads(out)["lanes"]
        self.assertEqual(sum(lane["received"] for lane in lanes), self.sent, out)

    # ---- messages ------------------------------------------------------------------------------

    def send(self, count, topic="t"):
        """Sends, and waits for room as a client does."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.connect(self.input)
            client.settimeout(WAIT_S)
            for _ in range(count):
                client.send(encode(topic, b"message %d" % self.sent))
                self.sent += 1

    def wait_received(self):
        wait_for("%d received" % self.sent,
                 lambda: self.status()["books"]["received"] == self.sent)

    def wait_delivered(self, count=None):
        count = self.sent if count is None else count
        wait_for("%d delivered" % count, lambda: self.status()["books"]["delivered"] == count)
        self.assertEqual(self.status()["books"]["buffered"], self.sent - count)
