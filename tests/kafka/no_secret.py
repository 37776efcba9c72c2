"""That a Dory keeps a secret: it is nowhere to be read, nor any part of it."""

from support.harness import check, wait_until
from support.secrets import find_secret, forms_of, read_memory


def expect_no_secret(dory, secret, user="", more_forms=()):
    """Neither in the log, the status and the configuration's dump, nor in any process's memory."""
    forms = dict(forms_of(secret, user), **dict(more_forms))

    def look(where, what):
        found = find_secret(where, forms)
        check(not found, "%s has of the secret %s" % (what, found))

    with open(dory.log, "rb") as log:
        look(log.read(), "the log")
    look(dory.ctl("status", "--json").stdout.encode(), "the status")
    for name, pid in dict(dory.workers(), dory=dory.process.pid).items():
        for file in ("cmdline", "environ"):
            with open("/proc/%d/%s" % (pid, file), "rb") as found:
                look(found.read(), "%s of %s" % (file, name))
        wait_until(lambda pid=pid: not find_secret(read_memory(pid), forms),     # while it is used
                   "the memory of %s has no secret" % name, 5)
