"""A Debian 12 with sysvinit, booted by systemd-nspawn, and what is said to it from outside.

Must run in mount and process namespaces of its own (run does that): whatever ends it, the kernel
ends the machine with it. The machine has the host's network: it reaches a stand-in for Kafka here.
"""

import os
import shlex
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests", "support"))
from harness import Failure, check, wait_until  # noqa: E402

BIN = os.path.join(TOP, "build", "bin")
BOOT_LIMIT_S = 120
# What is on every machine with sysvinit, and what the tests use.
PACKAGES = ["sysvinit-core", "procps", "logrotate"]
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
               "LANG": "C.UTF-8", "TERM": "dumb"}


def run_here(*words, **more):
    """A command on the host; its output."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, **more)
    check(done.returncode == 0, "%s: %d: %s" % (" ".join(words), done.returncode, done.stdout))
    return done.stdout


def runtime_packages():
    """The Debian packages of the libraries that our programs are linked with."""
    programs = [name for name in os.listdir(BIN) if name.startswith(("dory", "to_dory"))]
    libraries = set()
    for name in programs:
        for line in run_here("ldd", os.path.join(BIN, name)).splitlines():
            if " => /" in line:
                path = os.path.realpath(line.split()[2])
                # dpkg may know it below /lib, which is /usr/lib.
                libraries.add("*/" + "/".join(path.split("/")[-2:]))
    owners = run_here("dpkg", "-S", *sorted(libraries))
    return sorted({line.split(":")[0] for line in owners.splitlines()})


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid), encoding="utf-8") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def command_of(pid):
    try:
        with open("/proc/%d/comm" % pid, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


class Machine:
    """One root, booted any number of times."""

    def __init__(self, folder):
        self.root = os.path.join(folder, "root")
        self.name = "dory-boot-" + "".join(filter(str.isalnum, folder[-8:]))
        self.console = os.path.join(folder, "console")
        self.kept = os.path.join(folder, "kept")    # a tmpfs that outlives a boot
        self.nspawn = None
        self.leader = 0

    def make(self):
        run_here("mount", "-t", "tmpfs", "tmpfs", "/run/systemd")
        os.mkdir(self.kept)
        run_here("mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", self.kept)
        run_here(os.path.join(TOP, "tests", "support", "debian-root"), self.root, *PACKAGES,
                 *runtime_packages())
        run_here(*shlex.split(os.environ.get("MAKE", "make")), "-s", "install",
                 "DESTDIR=" + self.root, "PREFIX=/usr", cwd=TOP)
        with open(self.path("/etc/inittab"), "r+", encoding="utf-8") as file:
            lines = [line for line in file if "getty" not in line]    # there are no terminals
            file.seek(0)
            file.writelines(lines)
            file.truncate()
        run_here("chroot", self.root, "update-rc.d", "dory", "defaults")

    def path(self, path):
        return self.root + path

    # ---- on and off ----------------------------------------------------------------------------

    def boot(self):
        """Returns once the last script of the runlevel has ended."""
        with open(self.console, "wb") as out:
            self.nspawn = subprocess.Popen(
                ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit",
                 "--console=read-only", "--machine=" + self.name, "--directory=" + self.root,
                 "--bind=%s:/srv/kept" % self.kept],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.leader = wait_until(self.find_leader, "init", BOOT_LIMIT_S)
        wait_until(self.has_booted, "runlevel 2", BOOT_LIMIT_S)

    def find_leader(self):
        check(self.nspawn.poll() is None, "systemd-nspawn has ended: " + self.console_text())
        return next((pid for pid in children(self.nspawn.pid) if command_of(pid) == "init"), 0)

    def has_booted(self):
        code, out = self.run("sh", "-c", "runlevel; pgrep -x 'rc|startpar' || true")
        return code == 0 and out.split() == ["N", "2"]

    def power_off(self):
        """An orderly one; what the console has said."""
        self.run("shutdown", "-h", "now")
        try:
            self.nspawn.wait(BOOT_LIMIT_S)
        except subprocess.TimeoutExpired:
            raise Failure("does not power off: " + self.console_text()) from None
        self.leader = 0
        return self.console_text()

    def end(self):
        """However it stands."""
        if self.nspawn and self.nspawn.poll() is None:
            if self.leader:
                os.kill(self.leader, signal.SIGKILL)
            else:
                self.nspawn.kill()
            self.nspawn.wait()

    def console_text(self):
        with open(self.console, encoding="utf-8", errors="replace") as file:
            return file.read()

    # ---- within ----------------------------------------------------------------------------------

    def start(self, *words, user=None):
        """A process there; its output is a pipe."""
        check(self.leader, "the machine is not booted")
        become = ["--setuid", user, "--setgid", user] if user else []
        return subprocess.Popen(
            ["nsenter", "--target", str(self.leader), "--mount", "--uts", "--ipc", "--net", "--pid",
             "--root", "--wd", *become, *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=ENVIRONMENT)

    def run(self, *words, user=None):
        """Exit status and output of a command there."""
        process = self.start(*words, user=user)
        out = process.communicate(timeout=BOOT_LIMIT_S)[0]
        return process.returncode, out

    def service(self, action, user=None):
        return self.run("service", "dory", action, user=user)

    def expect(self, action, code, *texts, user=None):
        """`service dory ACTION` ends with this status and says this; its output."""
        status, out = self.service(action, user)
        check(status == code, "%s: status %d, not %d: %s" % (action, status, code, out))
        for text in texts:
            check(text in out, "%s: no '%s' in: %s" % (action, text, out))
        return out

    def write(self, path, text):
        with open(self.path(path), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, path):
        """By way of the machine, whose /run is its own."""
        return self.run("cat", path)[1]
