"""Secrets in files that the configuration names: nowhere to be read while they are used, nor where
they turn out to be wrong. How a real Kafka takes them is in ../kafka/secure.py.
"""

import glob
import os
import secrets
import socket
import subprocess
import sys

from daemon_case import WAIT_S, wait_for
from http_test import TYPES, HttpCase
from refusal_test import SASL
from scripted_test import OPTIONS, Scripted

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.scripted_broker import ScriptedBroker, Step  # noqa: E402
from support.secrets import (  # noqa: E402
    SECRET_CHARACTERS, find_secret, forms_of, read_memory)

USER = "dory"
TLS = ("security_protocol = SSL\n[tls]\ncertificate_file = %(folder)s/client.pem\n"
       "key_file = %(folder)s/client.key\nkey_password_file = %(folder)s/secret\n")
COMMANDS = [("status",), ("status", "--json"), ("workers",), ("health",), ("reload",),
            ("check-buffer", "--live")]


class SecretCase(HttpCase):
    def run_with(self, address, options):
        self.start_with_http(brokers="%s\n%s" % (address, options),
                             more=OPTIONS, log_to="stderr\nlevel = debug")

    def write_secret(self, secret=None):
        """Into its file, where none is given a new one."""
        path = os.path.join(self.folder, "secret")
        secret = secret or secrets.token_hex(SECRET_CHARACTERS // 2)
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(secret + "\n")
        os.chmod(path + ".new", 0o600)
        os.rename(path + ".new", path)
        return secret

    def pids(self):
        status = self.status()
        workers = {worker["name"]: worker["pid"] for worker in status["workers"]}
        return dict(workers, dory=status["pid"])

    def list_sayings(self):
        """All that can be read of it from outside."""
        yield "the log", self.log_text().encode()
        for words in COMMANDS:
            yield " ".join(words), "".join(self.doryctl(*words)[1:]).encode()
        yield "check", "".join(self.doryctl("check", self.config, config=False)[1:]).encode()
        for path in TYPES:
            yield path, self.get(path)[2].encode()
        files = ["/proc/%d/%s" % (pid, name) for pid in self.pids().values()
                 for name in ("cmdline", "environ")]
        for folder in (self.run_dir, self.segment_folder):
            files += filter(os.path.isfile, glob.glob(folder + "/*"))
        for path in files:
            with open(path, "rb") as file:
                yield path, file.read()

    def expect_kept(self, secret):
        forms = forms_of(secret, USER)
        self.assertEqual(find_secret(read_memory(os.getpid()), forms)[0], "itself")    # it is here
        for where, text in self.list_sayings():
            self.assertEqual(find_secret(text, forms), [], where)
        for name, pid in self.pids().items():       # for a moment it is there to be used
            wait_for("the memory of %s has no secret" % name,
                     lambda pid=pid: not find_secret(read_memory(pid), forms))


class Passwords(Scripted, SecretCase):
    def test_a_password(self):
        right = self.write_secret()
        self.broker = ScriptedBroker({"t": 1})
        self.broker.password = right.encode()
        self.addCleanup(self.broker.stop)
        self.broker.__enter__()
        self.run_with(self.broker.address, SASL % (self.folder + "/secret"))
        values = self.send_batch(0)
        self.wait_settled()
        self.assertEqual(self.log_of(0), values)
        self.expect_kept(right)
        wrong = self.write_secret()
        self.broker.script("t", 0, Step(cuts=True))
        values += self.send_batch(0, "more")
        wait_for("it is refused", lambda: self.broker.refusals)
        self.expect_kept(right)
        self.expect_kept(wrong)
        self.write_secret(right)
        self.wait_settled()
        self.assertEqual(self.log_of(0), values)


class KeyPasswords(SecretCase):
    def test_the_password_of_a_key(self):
        """It is read before a connection's first byte is sent; nobody answers that."""
        right = self.write_secret()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-subj", "/CN=dory", "-passout", "stdin",
                        "-keyout", self.folder + "/client.key",
                        "-out", self.folder + "/client.pem"],
                       input=right.encode(), stderr=subprocess.DEVNULL, check=True)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            silent.settimeout(WAIT_S)
            self.run_with("127.0.0.1:%d" % silent.getsockname()[1], TLS % {"folder": self.folder})
            with silent.accept()[0] as connection:
                connection.recv(1)
                self.expect_kept(right)
                wrong = self.write_secret()
            with silent.accept()[0] as connection:
                connection.recv(1)
                self.wait_for_log("the files before this are in use")
                self.expect_kept(right)
                self.expect_kept(wrong)
