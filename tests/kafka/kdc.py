"""A Kerberos server of one realm on loopback, with a key for the broker and one for Dory."""

import os
import socket
import subprocess
import time

REALM = "DORY.TEST"
BROKER, CLIENT = "kafka/localhost", "dory"
START_LIMIT_S = 30


class Kdc:
    """Runs for the length of a `with` block. `environment` is what its users need."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port
        os.makedirs(folder, exist_ok=True)
        self.environment = {"KRB5_CONFIG": self.path("krb5.conf"),
                            "KRB5_KDC_PROFILE": self.path("kdc.conf"),
                            "KRB5RCACHEDIR": folder, "KRB5CCNAME": self.path("credentials")}
        self.process = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def keytab(self, name):
        return self.path(name.split("/")[0] + ".keytab")

    def write_configuration(self):
        with open(self.path("krb5.conf"), "w", encoding="ascii") as file:
            file.write("[libdefaults]\ndefault_realm = %s\ndns_lookup_kdc = false\nrdns = false\n"
                       "dns_canonicalize_hostname = false\nudp_preference_limit = 1\n"
                       "[realms]\n%s = {\n kdc = 127.0.0.1:%d\n}\n" % (REALM, REALM, self.port))
        with open(self.path("kdc.conf"), "w", encoding="ascii") as file:
            file.write("[realms]\n%s = {\n database_name = %s\n key_stash_file = %s\n"
                       " kdc_listen = 127.0.0.1:%d\n kdc_tcp_listen = 127.0.0.1:%d\n}\n" % (
                           REALM, self.path("database"), self.path("stash"), self.port, self.port))

    def run(self, *command):
        subprocess.run(command, env=dict(os.environ, **self.environment), check=True,
                       stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    def __enter__(self):
        self.write_configuration()
        self.run("/usr/sbin/kdb5_util", "create", "-s", "-r", REALM, "-P", "master-of-the-test")
        for name in (BROKER, CLIENT):
            self.run("/usr/sbin/kadmin.local", "addprinc", "-randkey", name)
            self.run("/usr/sbin/kadmin.local", "ktadd", "-k", self.keytab(name), name)
        with open(self.path("kdc.log"), "ab") as log:
            self.process = subprocess.Popen(
                ["/usr/sbin/krb5kdc", "-n"], env=dict(os.environ, **self.environment),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + START_LIMIT_S
        while not self.answers():
            if time.monotonic() > end or self.process.poll() is not None:
                self.__exit__()
                raise OSError("no Kerberos server; see " + self.path("kdc.log"))
            time.sleep(0.1)
        return self

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 0.5).close()
            return True
        except OSError:
            return False

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
