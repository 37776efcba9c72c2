"""That a Dory keeps a secret: it is nowhere to be read."""

from support.harness import check, wait_until
from support.secrets import read_memory


def expect_no_secret(dory, secret):
    """Neither in the log, the status and the configuration's dump, nor in any process's memory."""
    with open(dory.log, encoding="utf-8") as log:
        check(secret not in log.read(), "the log has a secret")
    check(secret not in dory.ctl("status", "--json").stdout, "the status has a secret")
    for name, pid in dict(dory.workers(), dory=dory.process.pid).items():
        for file in ("cmdline", "environ"):
            with open("/proc/%d/%s" % (pid, file), "rb") as found:
                check(secret.encode() not in found.read(), "%s of %s has a secret" % (file, name))
        wait_until(lambda pid=pid: secret.encode() not in read_memory(pid),     # while it is used
                   "the memory of %s has no secret" % name, 5)
