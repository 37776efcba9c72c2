"""That a Dory keeps a secret: it is nowhere to be read."""

from support.harness import check, wait_until


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


def read_memory(pid):
    """What a core dump has: everything writable and private."""
    found = []
    with open("/proc/%d/maps" % pid, encoding="utf-8") as maps, \
            open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
        for line in maps:
            where, mode = line.split()[:2]
            begin, end = (int(address, 16) for address in where.split("-"))
            if mode.startswith("rw") and mode[3] == "p":
                try:
                    memory.seek(begin)
                    found.append(memory.read(end - begin))
                except OSError:
                    pass
    return b"\n".join(found)
