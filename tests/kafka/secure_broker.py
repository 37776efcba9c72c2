"""A broker with a listener for every way to secure one, and the certificates for both sides.

Listener names and their ports, counted from the broker's own:

    PLAINTEXT  0    for judges                     MTLS       5    TLS that asks for a certificate
    TLS        2    a right certificate            SASL       7    SASL alone
    EXPIRED    3    one of yesterday               SASLTLS    8    SASL within TLS
    OTHERNAME  4    one for another host           SESSION    9    the same, a session lasts 5 s

MTLS tells its clients port 6, where a test puts a Relay between; V6 is on port 6 of [::1], without
anything.
"""

import base64
import os
import selectors
import socket
import ssl
import struct
import subprocess
import threading

from kafka.kdc import BROKER, REALM

SASL_HANDSHAKE, SASL_AUTHENTICATE = 17, 36
# As long as no_secret.py wants them.
USER, PASSWORD = "dory", "only-for-dory-7Qm2Xv9Lk4Rt8Zc1Wp6Ys3Hd5N"
WRONG_PASSWORD = "not-the-password-9Xb3Tf7Gj1Kn5Dw8Lq2Zr6V"
KEY_PASSWORD = "key-of-dory-3Fh8Sm4Yc6Pb1Vx9Jt2Rk7Wd5Lg0"
PORTS = {"PLAINTEXT": 0, "TLS": 2, "EXPIRED": 3, "OTHERNAME": 4, "MTLS": 5, "SASL": 7, "SASLTLS": 8,
         "SESSION": 9}
MTLS_ADVERTISED = 6
KINDS = {"PLAINTEXT": "PLAINTEXT", "V6": "PLAINTEXT", "SASL": "SASL_PLAINTEXT",
         "SASLTLS": "SASL_SSL", "SESSION": "SASL_SSL"}
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
SECURITY = "org.apache.kafka.common.security"


# ---- certificates ----------------------------------------------------------------------------

class Authority:
    """Signs certificates of P-256 keys; all files lie in one folder."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.file = self.path(name + ".pem")
        self.request(name, "-x509", "-days", "10", "-out", self.file)

    def path(self, name):
        return os.path.join(self.folder, name)

    def request(self, name, *arguments):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.path(name + ".key"), "-subj", "/CN=" + name, *arguments)

    def sign(self, name, host_names="DNS:localhost,IP:127.0.0.1", days=10):
        """NAME.pem and NAME.key; both in NAME.both.pem as Kafka wants them."""
        request = self.path(name + ".csr")
        self.request(name, "-out", request, "-addext", "subjectAltName=" + host_names)
        openssl("x509", "-req", "-in", request, "-copy_extensions", "copy", "-days", str(days),
                "-CA", self.file, "-CAkey", self.path(self.name + ".key"), "-CAcreateserial",
                "-out", self.path(name + ".pem"))
        join([self.path(name + ".key"), self.path(name + ".pem")], self.path(name + ".both.pem"))
        return self.path(name)


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise OSError("openssl %s: %s" % (arguments[0], done.stdout))


def encrypt_key(key, encrypted, password):
    openssl("pkcs8", "-topk8", "-in", key, "-out", encrypted, "-passout", "pass:" + password)


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def write(path, text):
    """In one step, as who rotates a file does."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(path + ".new", path)


def join(paths, to):
    write(to, "".join(read(path) for path in paths))


class Certificates:
    """All of a test run, in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.authority = Authority(folder, "authority")
        self.second = Authority(folder, "second-authority")
        self.stranger = Authority(folder, "stranger")
        for name, more in (("broker", {}), ("expired", {"days": -1}),
                           ("other-name", {"host_names": "DNS:other.example"})):
            self.authority.sign(name, **more)
        self.authority.sign("client")
        self.authority.sign("expired-client", days=-1)
        self.second.sign("second-client")
        join([self.authority.file, self.second.file], self.path("both-authorities.pem"))

    def path(self, name):
        return os.path.join(self.folder, name)


# ---- what the broker is told -----------------------------------------------------------------

def listener_settings(certificates, kdc):
    """For kafka_cluster's `settings`. SASLTLS has GSSAPI besides, and a name: localhost."""
    at = ",".join("%s://127.0.0.1:{port+%d}" % pair for pair in PORTS.items())
    at += ",V6://[::1]:{port+6}"
    settings = {
        "listeners": at + ",CONTROLLER://127.0.0.1:{port+1}",
        "advertised.listeners": at.replace("MTLS://127.0.0.1:{port+5}",
                                           "MTLS://127.0.0.1:{port+%d}" % MTLS_ADVERTISED)
        .replace("SASLTLS://127.0.0.1", "SASLTLS://localhost"),
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT," + ",".join(
            "%s:%s" % (name, KINDS.get(name, "SSL")) for name in (*PORTS, "V6")),
        "inter.broker.listener.name": "PLAINTEXT",
        "ssl.keystore.type": "PEM", "ssl.keystore.location": certificates.path("broker.both.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": certificates.path("both-authorities.pem"),
        "listener.name.mtls.ssl.client.auth": "required",
        "listener.name.session.connections.max.reauth.ms": "5000"}
    for name, file in (("expired", "expired"), ("othername", "other-name")):
        settings["listener.name.%s.ssl.keystore.type" % name] = "PEM"
        settings["listener.name.%s.ssl.keystore.location" % name] = certificates.path(
            file + ".both.pem")
    for name in ("sasl", "sasltls", "session"):
        prefix = "listener.name.%s." % name
        settings[prefix + "sasl.enabled.mechanisms"] = ",".join(MECHANISMS)
        settings[prefix + "plain.sasl.jaas.config"] = (
            '%s.plain.PlainLoginModule required user_%s="%s";' % (SECURITY, USER, PASSWORD))
        for scram in ("scram-sha-256", "scram-sha-512"):
            settings[prefix + scram + ".sasl.jaas.config"] = (
                SECURITY + ".scram.ScramLoginModule required;")
        settings[prefix + "oauthbearer.sasl.jaas.config"] = (
            SECURITY + ".oauthbearer.OAuthBearerLoginModule required "
            'unsecuredLoginStringClaim_sub="broker";')
    settings["listener.name.sasltls.sasl.enabled.mechanisms"] += ",GSSAPI"
    settings["listener.name.sasltls.sasl.kerberos.service.name"] = "kafka"
    settings["listener.name.sasltls.gssapi.sasl.jaas.config"] = (
        "com.sun.security.auth.module.Krb5LoginModule required isInitiator=false useKeyTab=true "
        'storeKey=true keyTab="%s" principal="%s@%s";' % (kdc.keytab(BROKER), BROKER, REALM))
    return settings


def ask_scram_terms(port):
    """Salt and iterations of USER's password, which the broker tells whoever asks."""
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        def ask(api, version, body):
            request = struct.pack(">hhih", api, version, 1, -1) + body
            connection.sendall(struct.pack(">i", len(request)) + request)
            size = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))[0]
            return connection.recv(size, socket.MSG_WAITALL)

        ask(SASL_HANDSHAKE, 1, struct.pack(">h", 13) + b"SCRAM-SHA-256")
        first = b"n,,n=%s,r=nonce" % USER.encode()
        answer = ask(SASL_AUTHENTICATE, 0, struct.pack(">i", len(first)) + first)
        terms = dict(term.split(b"=", 1) for term in answer[answer.index(b"r="):].split(b","))
        return base64.b64decode(terms[b"s"]), int(terms[b"i"])


# ---- between Dory and the broker -------------------------------------------------------------

class Relay:
    """Hands bytes on between a port of ours and the broker's; cut() ends all connections.

    What it `loses`, requests or answers, it does not hand on; while `away` it lets nobody in."""

    def __init__(self, port, target):
        self.target = target
        self.lock = threading.Lock()
        self.pairs = []
        self.accepted = 0
        self.loses = None
        self.lost = 0       # bytes
        self.away = False
        self.listener = socket.create_server(("127.0.0.1", port))
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()
        self.thread.join()

    def accept(self):
        while True:
            try:
                client, _address = self.listener.accept()
                broker = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            if self.away:
                client.close()
                broker.close()
                continue
            with self.lock:
                self.pairs.append((client, broker))
                self.accepted += 1
            threading.Thread(target=self.hand_on, args=(client, broker), daemon=True).start()

    def cut(self):
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def hand_on(self, client, broker):
        with client, broker, selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, (broker, "requests"))
            selector.register(broker, selectors.EVENT_READ, (client, "answers"))
            try:
                while True:
                    for key, _events in selector.select():
                        data = receive(key.fileobj)
                        if not data:
                            return
                        to, what = key.data
                        if self.loses == what:
                            self.lost += len(data)
                        else:
                            to.sendall(data)
            except (OSError, ValueError):   # the latter of TLS that is cut meanwhile
                pass


def receive(end):
    """What is there; of TLS also what has been read of the socket, which it does not tell of."""
    data = end.recv(1 << 16)
    while isinstance(end, ssl.SSLSocket) and end.pending():
        data += end.recv(1 << 16)
    return data


class TlsRelay(Relay):
    """One that ends TLS, wants a certificate and notes whose it was; the broker gets its own."""

    def __init__(self, port, target, certificates):
        self.names = []
        self.server = ssl.create_default_context(
            ssl.Purpose.CLIENT_AUTH, cafile=certificates.path("both-authorities.pem"))
        self.server.verify_mode = ssl.CERT_REQUIRED
        self.server.load_cert_chain(certificates.path("broker.both.pem"))
        self.client = ssl.create_default_context(cafile=certificates.authority.file)
        self.client.load_cert_chain(certificates.path("client.pem"),
                                    certificates.path("client.key"))
        super().__init__(port, target)

    def hand_on(self, client, broker):
        plain = (client, broker)
        try:
            with self.lock:     # whoever cuts finds the ends that are in use
                client = self.server.wrap_socket(client, True, do_handshake_on_connect=False)
                broker = self.client.wrap_socket(broker, server_hostname="127.0.0.1",
                                                 do_handshake_on_connect=False)
                self.pairs[self.pairs.index(plain)] = (client, broker)
            client.do_handshake()
            broker.do_handshake()
        except (OSError, ValueError, AttributeError):   # cut meanwhile, or not of our authorities
            client.close()
            broker.close()
            return
        self.names.append(dict(pair[0] for pair in client.getpeercert()["subject"])["commonName"])
        super().hand_on(client, broker)
