"""What the benchmarks share: a network namespace of their own, CPU time of processes, the least
broker, a line of the table."""

import contextlib
import ctypes
import os
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                                "tests"))

from support.harness import BIN  # noqa: E402

CLONE_NEWNET = 0x40000000
TICK = os.sysconf("SC_CLK_TCK")


def enter_namespace():
    """A network namespace of this process's own, with its loopback up."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        sys.exit("bench/run: no network namespace of its own (%s): run it as root"
                 % os.strerror(ctypes.get_errno()))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def cpu_s(pids):
    total = 0
    for pid in pids:
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def show(name, values, rates, more=""):
    print("| %s | %.2f | %.2f | %.2f | %d |%s" % (
        name, min(values), statistics.median(values), max(values), statistics.median(rates),
        " %s |" % more), flush=True)


def anonymous_kb(pid):
    """Its own memory: the segment is a file."""
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("Anonymous:"))


@contextlib.contextmanager
def acknowledging_broker(*options):
    """A broker of ours that acknowledges and keeps nothing; its address."""
    with subprocess.Popen([os.path.join(BIN, "acknowledging_broker"), *map(str, options)],
                          stdout=subprocess.PIPE, text=True) as broker:
        try:
            yield "127.0.0.1:%d" % int(broker.stdout.readline())
        finally:
            broker.kill()
