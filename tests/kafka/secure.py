#!/usr/bin/env python3
"""TLS and SASL against real Kafka: what is right delivers, what is wrong waits and is said.

    tests/kafka/secure.py [VERSION...] [--tests TEST,...] [--scale F]

The versions are 3.9.1 and 4.3.0 by default. Every test that delivers ends with what an independent
consumer finds and with books that balance.
"""

import base64
import contextlib
import json
import os
import shutil
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kafka import kafka_cluster  # noqa: E402
from kafka.kdc import CLIENT, Kdc  # noqa: E402
from kafka.no_secret import expect_no_secret  # noqa: E402
from kafka.secure_broker import (  # noqa: E402
    KEY_PASSWORD, MTLS_ADVERTISED, PASSWORD, PORTS, USER, WRONG_PASSWORD, Certificates, Relay,
    TlsRelay, ask_scram_terms, encrypt_key, listener_settings, read, write)
from kafka.three_brokers import free_port, new_topic, settle_accounts  # noqa: E402
from kafka.versions import run_on_versions  # noqa: E402
from support.harness import Dory, Failure, Senders, check, judge, wait_until  # noqa: E402
from support.secrets import scram_forms_of  # noqa: E402

VERSIONS = ["3.9.1", "4.3.0"]
SESSION_S = 5
HOSTS = {"SASLTLS": "localhost"}     # by the name that Kerberos knows
SILENT = "127.0.0.153"    # where a server of names listens that never answers
NOWHERE = "192.0.2.1"     # likewise, for who may not listen on its port


class Broker:
    """One broker with all its listeners, and the files of both sides."""

    def __init__(self, version, folder):
        self.certificates = Certificates(folder)
        self.folder = folder
        self.port = free_port(1)
        self.kdc = Kdc(self.file("kdc"), free_port(1))
        self.cluster = kafka_cluster.Cluster(
            version, os.path.join(folder, "kafka"), 1, self.port,
            listener_settings(self.certificates, self.kdc), {USER: PASSWORD})

    def address(self, listener):
        return HOSTS.get(listener, "127.0.0.1") + ":%d" % (self.port + PORTS[listener])

    def file(self, name):
        return self.certificates.path(name)

    def secret(self, name, text):
        """A file of its own for each test that may change it."""
        path = tempfile.mkdtemp(dir=self.folder) + "/" + name
        write(path, text + "\n")
        return path


def tls_options(broker, **options):
    options.setdefault("ca_file", broker.file("authority.pem"))
    return "[tls]\n" + "".join("%s = %s\n" % pair for pair in options.items())


def sasl_options(mechanism, **options):
    return "[sasl]\nmechanism = %s\n" % mechanism + "".join(
        "%s = %s\n" % pair for pair in options.items())


def password_options(broker, mechanism, password=PASSWORD):
    return sasl_options(mechanism, username=USER,
                        password_file=broker.secret("password", password))


@contextlib.contextmanager
def running(broker, listener, protocol, options, level="info", env=None):
    more = "security_protocol = %s\n%s[log]\nlevel = %s\n" % (protocol, options, level)
    with Dory(broker.address(listener), more=more) as dory:
        dory.start(env)
        try:
            yield dory
        except Failure:
            print(dory.last_words(30))
            raise


def deliver(broker, dory, scale, count=2000):
    senders = Senders(dory, new_topic("secure"), 2, int(count * scale), blocking=True)
    return settle_accounts(broker.cluster, dory, senders, senders.wait())


def log_of(dory):
    with open(dory.log, encoding="utf-8") as log:
        return log.read()


def wait_warning(dory, *texts):
    """The first warning in the status that has all of the texts; the log names the broker, too."""
    try:
        found = wait_until(lambda: dory.warnings(*texts), "a warning with %s" % (texts,), 60)[0]
    except Failure as failure:
        raise Failure("%s; there are: %s" % (failure, dory.warnings())) from None
    check(any(all(text in line for text in texts) for line in log_of(dory).splitlines()),
          "the log does not say: %s" % (texts,))
    return found


def expect_waiting(broker, listener, protocol, options, *texts):
    """Nothing arrives, nothing is lost, and it is said why."""
    with running(broker, listener, protocol, options) as dory:
        senders = Senders(dory, new_topic("waits"), 1, 100)
        sent = senders.wait()
        said = wait_warning(dory, *texts)
        books = dory.books()
        check(books["buffered"] == sent and books["discarded"] == 0, "not all wait: %s" % books)
        dory.kill_supervisor()      # a stop would wait for what can't be delivered
        return said


# ---- TLS -------------------------------------------------------------------------------------

def tls(broker, scale):
    """The main job over TLS."""
    with running(broker, "TLS", "SSL", tls_options(broker)) as dory:
        return deliver(broker, dory, scale, 10_000)


def tls_wrong(broker, scale):
    """Whom we do not trust gets nothing: another authority, an old certificate, another name."""
    del scale
    stranger = tls_options(broker, ca_file=broker.file("stranger.pem"))
    said = [
        expect_waiting(broker, "TLS", "SSL", stranger, broker.address("TLS"),
                       "certificate verify failed"),
        expect_waiting(broker, "TLS", "SSL", "", "certificate verify failed"),
        expect_waiting(broker, "EXPIRED", "SSL", tls_options(broker), broker.address("EXPIRED"),
                       "certificate has expired"),
        expect_waiting(broker, "OTHERNAME", "SSL", tls_options(broker), "mismatch", "127.0.0.1"),
        expect_waiting(broker, "PLAINTEXT", "SSL", tls_options(broker), "one with TLS?"),
        expect_waiting(broker, "TLS", "PLAINTEXT", "", "answers with TLS"),
        expect_waiting(broker, "TLS", "SSL", tls_options(broker, ca_file=broker.file("none.pem")),
                       "[tls] ca_file", "none.pem", "No such file")]
    return "; ".join(said)


def tls_chain_alone(broker, scale):
    """verify = chain takes a certificate for another name."""
    with running(broker, "OTHERNAME", "SSL", tls_options(broker, verify="chain")) as dory:
        return deliver(broker, dory, scale)


def mutual_tls(broker, scale):
    """Our certificate, its key encrypted; without one it is said what the broker wants."""
    encrypted = broker.file("client.encrypted.key")
    encrypt_key(broker.file("client.key"), encrypted, KEY_PASSWORD)
    files = {"certificate_file": broker.file("client.pem"), "key_file": encrypted}
    wrong = broker.secret("key-password", "wrong")
    right = broker.secret("key-password", KEY_PASSWORD)
    with relay(broker):
        said = [
            expect_waiting(broker, "MTLS", "SSL", tls_options(broker),
                           "alert", "[tls] certificate_file"),
            expect_waiting(broker, "MTLS", "SSL", tls_options(broker, **files),
                           "[tls] key_file", "encrypted", "key_password_file"),
            expect_waiting(broker, "MTLS", "SSL",
                           tls_options(broker, **files, key_password_file=wrong), "[tls] key_file"),
            expect_waiting(broker, "MTLS", "SSL", tls_options(
                broker, certificate_file=broker.file("expired-client.pem"),
                key_file=broker.file("expired-client.key")), "alert")]
        options = tls_options(broker, **files, key_password_file=right)
        with running(broker, "MTLS", "SSL", options) as dory:
            said.append(deliver(broker, dory, scale))
            expect_no_secret(dory, KEY_PASSWORD)
    return "; ".join(said)


def relay(broker):
    return Relay(broker.port + MTLS_ADVERTISED, broker.port + PORTS["MTLS"])


def rotation(broker, scale):
    """Another authority's certificate under load, connections cut meanwhile: nothing is lost."""
    certificate, key = broker.secret("client.pem", ""), broker.secret("client.key", "")
    shutil.copy(broker.file("client.pem"), certificate)
    shutil.copy(broker.file("client.key"), key)
    options = tls_options(broker, certificate_file=certificate, key_file=key)
    between = TlsRelay(broker.port + MTLS_ADVERTISED, broker.port + PORTS["MTLS"],
                       broker.certificates)
    with between, running(broker, "MTLS", "SSL", options) as dory:
        senders = Senders(dory, new_topic("rotation"), 2, 0, rate=1000)
        delivered = wait_progress(dory, 0)
        shutil.copy(broker.file("second-client.pem"), certificate + ".new")
        os.rename(certificate + ".new", certificate)    # it has another key: not whole yet
        between.cut()
        wait_warning(dory, "the files before this are in use")
        delivered = wait_progress(dory, delivered)
        shutil.copy(broker.file("second-client.key"), key + ".new")
        os.rename(key + ".new", key)
        between.cut()
        wait_until(lambda: "have changed and are in use" in log_of(dory), "the files are read")
        wait_progress(dory, delivered)
        between.cut()
        time.sleep(1)
        accounts = settle_accounts(broker.cluster, dory, senders, senders.stop())
        check(not dory.warnings("files before this"), "the warning stays")
        check([between.names[0], between.names[-1]] == ["client", "second-client"],
              "whose certificates came: %s" % between.names)
        for file in ("client.key", "second-client.key"):
            # The key is in memory as long as it is in use; nothing of its file's text is.
            expect_no_secret(dory, read(broker.file(file)).splitlines()[2])
        return "%s; %d connections" % (accounts, between.accepted)


def wait_progress(dory, since):
    return wait_until(lambda: (lambda n: n if n > since else 0)(dory.books()["delivered"]),
                      "more than %d are delivered" % since)


# ---- SASL ------------------------------------------------------------------------------------

def plain(broker, scale):
    with running(broker, "SASLTLS", "SASL_SSL",
                 tls_options(broker) + password_options(broker, "PLAIN"), level="debug") as dory:
        text = deliver(broker, dory, scale)
        expect_no_secret(dory, PASSWORD, USER)
        return text


def scram_256(broker, scale):
    with running(broker, "SASL", "SASL_PLAINTEXT", password_options(broker, "SCRAM-SHA-256"),
                 level="debug") as dory:
        text = deliver(broker, dory, scale)
        expect_no_secret(dory, PASSWORD, USER, scram_forms_of(
            PASSWORD, *ask_scram_terms(broker.port + PORTS["SASL"])))
        return text


def scram_512(broker, scale):
    with running(broker, "SASLTLS", "SASL_SSL",
                 tls_options(broker) + password_options(broker, "SCRAM-SHA-512")) as dory:
        return deliver(broker, dory, scale)


def gssapi(broker, scale):
    """Kerberos, with a key from a keytab."""
    options = tls_options(broker) + sasl_options("GSSAPI", keytab_file=broker.kdc.keytab(CLIENT))
    with running(broker, "SASLTLS", "SASL_SSL", options, env=broker.kdc.environment) as dory:
        return deliver(broker, dory, scale)


def gssapi_silent_server(broker, scale):
    """A Kerberos server that never answers stops nobody; once one answers, everything arrives."""
    port = free_port(1)
    with open(broker.kdc.path("krb5.conf"), encoding="ascii") as file:
        conf = file.read().replace(":%d\n" % broker.kdc.port, ":%d\n" % port)
    environment = dict(broker.kdc.environment, KRB5_CONFIG=broker.secret("krb5.conf", conf))
    options = tls_options(broker) + sasl_options("GSSAPI", keytab_file=broker.kdc.keytab(CLIENT))
    with contextlib.ExitStack() as silent, \
            running(broker, "SASLTLS", "SASL_SSL", options, env=environment) as dory:
        server = silent.enter_context(socket.create_server(("127.0.0.1", port)))
        senders = Senders(dory, new_topic("silent"), 1, int(500 * scale))
        sent = senders.wait()
        silent.enter_context(server.accept()[0])
        worker = dory.workers()["dory-kafka"]
        for _ in range(3):      # which both workers answer between two turns of their loops
            check(dory.count_buffer("--live") == sent, "not all wait: %s" % dory.books())
        silent.close()
        with Relay(port, broker.kdc.port):
            text = settle_accounts(broker.cluster, dory, senders, sent)
        check(dory.workers()["dory-kafka"] == worker, "the worker was restarted")
        return text


def token(seconds):
    """A JSON web token that nobody signed, as brokers take it where nothing else is set up."""
    now = int(time.time())
    parts = ({"alg": "none"}, {"sub": USER, "iat": now, "exp": now + seconds})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
                    for part in parts) + "."


def oauth_bearer(broker, scale):
    """A token from a file; one that has run out is refused, the next one in the file is taken."""
    path = broker.secret("token", token(-100))
    options = sasl_options("OAUTHBEARER", token_file=path)
    with running(broker, "SASL", "SASL_PLAINTEXT", options, level="debug") as dory:
        said = wait_warning(dory, broker.address("SASL"), "SASL OAUTHBEARER")
        fresh = token(3600)
        write(path, fresh + "\n")
        text = deliver(broker, dory, scale)
        expect_no_secret(dory, fresh)
        return "%s; %s" % (said, text)


def oauth_bearer_command(broker, scale):
    """A token that a command prints; until it does, that is said."""
    path = broker.secret("token", token(3600)) + ".later"
    options = sasl_options("OAUTHBEARER", token_command="cat %s" % path)
    with running(broker, "SASL", "SASL_PLAINTEXT", options) as dory:
        said = wait_warning(dory, broker.address("SASL"), "[sasl] token_command",
                            "has ended with status 1")
        fresh = token(3600)
        write(path, fresh + "\n")
        text = deliver(broker, dory, scale)
        expect_no_secret(dory, fresh)
        return "%s; %s" % (said, text)


def wrong_password(broker, scale):
    """It is said, nothing is lost; the right one in the file is enough, without a restart."""
    said = []
    for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        path = broker.secret("password", WRONG_PASSWORD)
        options = sasl_options(mechanism, username=USER, password_file=path)
        with running(broker, "SASL", "SASL_PLAINTEXT", options) as dory:
            senders = Senders(dory, new_topic("wrong"), 1, int(500 * scale))
            sent = senders.wait()
            said.append(wait_warning(dory, broker.address("SASL"), "SASL " + mechanism,
                                     "SASL_AUTHENTICATION_FAILED"))
            check(dory.books()["buffered"] == sent, "not all wait: %s" % dory.books())
            expect_no_secret(dory, WRONG_PASSWORD, USER)
            write(path, PASSWORD + "\n")
            settle_accounts(broker.cluster, dory, senders, sent)
            check(not dory.warnings("SASL"), "the warning stays")
    return "; ".join(said)


def refused_too_long(broker, scale):
    """With a deadline what waits for longer is discarded; once it is mended messages flow, without
    a restart. Whom we do not trust, who does not trust us, and a wrong password."""
    trusted, ours = broker.secret("ca.pem", ""), broker.secret("client.pem", "")
    password = broker.secret("password", WRONG_PASSWORD)
    for path, wrong in ((trusted, "stranger.pem"), (ours, "stranger.pem"),
                        (ours + ".key", "stranger.key")):
        shutil.copy(broker.file(wrong), path)

    def come_as_ourselves():
        shutil.copy(broker.file("client.key"), ours + ".key")
        shutil.copy(broker.file("client.pem"), ours)

    with relay(broker):
        return "; ".join([
            expect_deadline(broker, "TLS", "SSL", tls_options(broker, ca_file=trusted),
                            lambda: shutil.copy(broker.file("authority.pem"), trusted), scale),
            expect_deadline(broker, "MTLS", "SSL",
                            tls_options(broker, certificate_file=ours, key_file=ours + ".key"),
                            come_as_ourselves, scale),
            expect_deadline(broker, "SASL", "SASL_PLAINTEXT",
                            sasl_options("PLAIN", username=USER, password_file=password),
                            lambda: write(password, PASSWORD + "\n"), scale)])


def expect_deadline(broker, listener, protocol, options, mend, scale):
    options += "[topic:*]\nauthorization_deadline = 3s\n"
    with running(broker, listener, protocol, options) as dory:
        early = Senders(dory, new_topic("refused"), 1, int(500 * scale)).wait()
        wait_until(lambda: [b for b in dory.status()["brokers"] if b["state"] == "refused" and
                            dory.warnings(b["address"])], "the state refused, and why")
        books = wait_until(lambda: (lambda b: b if b["buffered"] == 0 else 0)(dory.books()),
                           "nothing waits any more")
        why = {reason: n for reason, n in dory.status()["discarded_by"].items() if n}
        check(why == {"not_authorized": early}, "%s of %d: %s" % (why, early, books))
        mend()
        wait_until(lambda: [b for b in dory.status()["brokers"] if b["state"] == "up"], "it is up")
        senders = Senders(dory, new_topic("mended"), 1, int(500 * scale))
        sent = senders.wait()
        books = dory.wait_delivered()
        verdict = judge(broker.cluster.bootstrap, senders)
        check(verdict["arrived"] == sent == books["delivered"], "sent %d: %s" % (sent, books))
        check(books["discarded"] == early, "discarded: %s" % books)
        check(dory.count_buffer("--live") == 0, "something is counted as buffered")
        return "%s: discarded %d, arrived %d" % (listener, early, verdict["arrived"])


def wrong_mechanism(broker, scale):
    """What the broker offers instead is said; so is a file that is not there."""
    del scale
    lost = sasl_options("PLAIN", username=USER, password_file=broker.file("no-password"))
    return "; ".join([
        expect_waiting(broker, "SASL", "SASL_PLAINTEXT", sasl_options("GSSAPI"), "SASL GSSAPI"),
        expect_waiting(broker, "SASL", "SASL_PLAINTEXT", lost, "[sasl] password_file",
                       "no-password", "No such file")])


def session_end(broker, scale):
    """Sessions of 5 s under load: authenticated anew in time, no connection ends, none is lost."""
    options = tls_options(broker) + password_options(broker, "SCRAM-SHA-512")
    with running(broker, "SESSION", "SASL_SSL", options, level="debug") as dory:
        senders = Senders(dory, new_topic("session"), 2, 0, rate=1000)
        again = wait_until(lambda: (lambda n: n if n >= 5 else 0)(
            log_of(dory).count("authenticated for %d ms" % (SESSION_S * 1000))), "five sessions")
        accounts = settle_accounts(broker.cluster, dory, senders, senders.stop())
        check("failure" not in log_of(dory), "a connection ended")
        expect_no_secret(dory, PASSWORD, USER)
        return "%s; sessions %d" % (accounts, again)


# ---- names -----------------------------------------------------------------------------------

def ipv6(broker, scale):
    with Dory("[::1]:%d" % (broker.port + MTLS_ADVERTISED)) as dory:
        dory.start()
        return deliver(broker, dory, scale)


@contextlib.contextmanager
def silent_names(broker):
    """The server of names that never answers, and what a Dory is started by that has no other, on a
    host whose own name nobody knows either."""
    hosts = broker.secret("hosts", "".join(
        "%s two.example\n" % address for address in ("::1", "127.0.0.9", "127.0.0.1")))
    root = os.geteuid() == 0
    servers = broker.secret("resolv.conf", "nameserver " + (SILENT if root else NOWHERE))
    own_view = ("mount --bind %s /etc/hosts && mount --bind %s /etc/resolv.conf && "
                'hostname nobody-knows-me && exec "$@"' % (hosts, servers))
    wrapper = ["unshare", "--mount", "--uts"] + ([] if root else ["--map-root-user"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((SILENT, 53 if root else 0))
        yield silent, wrapper + ["sh", "-c", own_view, "sh"]


def own_name(broker, scale):
    """SASL's library looks up what this host is called: a server of names that is silent on it
    stops nobody."""
    options = password_options(broker, "SCRAM-SHA-256")
    more = "security_protocol = SASL_PLAINTEXT\n" + options
    with silent_names(broker) as (silent, wrapper), \
            Dory(broker.address("SASL"), wrapper=wrapper, more=more) as dory:
        dory.start()
        senders = Senders(dory, new_topic("own"), 1, int(500 * scale))
        sent = senders.wait()
        check(os.geteuid() != 0 or silent.recv(512), "nobody asked the server of names")
        check(dory.count_buffer("--live") == sent, "not all wait: %s" % dory.books())
        text = settle_accounts(broker.cluster, dory, senders, sent)
        expect_no_secret(dory, PASSWORD, USER)
        return text


def names(broker, scale):
    """A server of names that never answers stops nobody; of a name's addresses one is enough."""
    root = os.geteuid() == 0
    brokers = "hangs.example:9092, two.example:%d" % broker.port
    with silent_names(broker) as (silent, wrapper), Dory(brokers, wrapper=wrapper) as dory:
        dory.start()
        worker = dory.workers()["dory-kafka"]
        senders = Senders(dory, new_topic("names"), 1, int(1000 * scale), blocking=True)
        wait_until(lambda: "hangs.example:9092: resolve: " in log_of(dory), "the lookup's end")
        text = settle_accounts(broker.cluster, dory, senders, senders.wait())
        check(dory.workers()["dory-kafka"] == worker, "the worker was restarted")
        check(not root or silent.recv(512), "nobody asked the server of names")
        return text


TESTS = [tls, tls_wrong, tls_chain_alone, mutual_tls, rotation, plain, scram_256, scram_512, gssapi,
         gssapi_silent_server, oauth_bearer, oauth_bearer_command, wrong_password, refused_too_long,
         wrong_mechanism, session_end, ipv6, own_name, names]


@contextlib.contextmanager
def java_options(options):
    """For every Java that is started within."""
    os.environ["JAVA_TOOL_OPTIONS"] = options
    try:
        yield
    finally:
        del os.environ["JAVA_TOOL_OPTIONS"]


@contextlib.contextmanager
def secure_broker(version, folder):
    broker = Broker(version, folder)
    kerberos = "-Djava.security.krb5.conf=" + broker.kdc.path("krb5.conf")
    with broker.kdc, java_options(kerberos), broker.cluster:
        yield broker


if __name__ == "__main__":
    sys.exit(run_on_versions(TESTS, __doc__, VERSIONS, secure_broker))
