#!/usr/bin/env python3
"""Real Apache Kafka on this machine, any version from 0.8.2.2 to 4.3.0.

The jars come from Maven's registry through the ordinary `mvn` client, are kept in a cache folder
(KAFKA_CACHE, or ~/.cache/kafka-test-cluster), and run on Java 17. Versions 3.x and newer run as
KRaft nodes (broker and controller in one), older ones beside one ZooKeeper.

    kafka_cluster.py fetch   VERSION
    kafka_cluster.py start   VERSION DIR [--brokers N] [--port P] [--set KEY=VALUE ...]
    kafka_cluster.py kill    DIR BROKER        SIGKILL one broker (0, 1, ...)
    kafka_cluster.py pause   DIR BROKER        SIGSTOP;  `resume` is SIGCONT
    kafka_cluster.py resume  DIR BROKER
    kafka_cluster.py restart DIR BROKER [VERSION]    start it again on the same data, as another
                                               version: a broker's step of a rolling upgrade
    kafka_cluster.py stop    DIR

Broker i listens on 127.0.0.1, port P + 10*i (a KRaft controller on the port after it, ZooKeeper on
P + 1); `start` refuses ports in use, returns once every broker is registered, and prints the
bootstrap list. In --set values {i}, {port} and {port+N} stand for the broker's number, its port and
ports after it, so that listeners of clusters with TLS or SASL can be given. DIR holds data, logs
and process ids. `tool` runs one of Kafka's own programs (org.apache.kafka.tools.* or
kafka.tools.*):

    kafka_cluster.py tool VERSION CLASS [ARGUMENT ...]

For tests it is a module too, where a cluster lasts as long as a block:

    with kafka_cluster.Cluster("4.3.0", folder, brokers=3) as cluster:
        cluster.bootstrap; cluster.kill(0); cluster.restart(0)
        cluster.terminate(1); cluster.restart(1, "4.3.1")

`scram` there makes users for SCRAM, {name: password}, where Kafka is 3.9 or newer.
"""

import argparse
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import xml.sax.saxutils as sax

CACHE = os.environ.get("KAFKA_CACHE", os.path.expanduser("~/.cache/kafka-test-cluster"))
PORT = 19092
START_LIMIT_S = 90
STOP_LIMIT_S = 15

# Scala build of each release line, and what old releases miss on Java 17.
SCALA = {"0.8": "2.11", "0.9": "2.11", "0.10": "2.12", "0.11": "2.12",
         "1.": "2.12", "2.": "2.13", "3.": "2.13", "4.": "2.13"}
JAXB = ["javax.xml.bind:jaxb-api:2.3.1"]
LOG4J1 = ["org.slf4j:slf4j-log4j12:1.7.25", "log4j:log4j:1.2.17"]
EXTRA = {"0.10": JAXB, "0.11": JAXB, "1.": LOG4J1}


class ClusterError(Exception):
    """The cluster could not be brought where it was asked to be; says why."""


# ---- versions --------------------------------------------------------------------------------

def line_of(version, table, default=None):
    for prefix, value in table.items():
        if version.startswith(prefix):
            return value
    return default


def is_kraft(version):
    return int(version.split(".")[0]) >= 3


def is_0_8(version):
    return version.startswith("0.8")


# ---- jars ------------------------------------------------------------------------------------

def wanted_jars(version):
    scala = line_of(version, SCALA)
    if scala is None:
        raise ClusterError("Kafka %s is not known here" % version)
    jars = ["org.apache.kafka:kafka_%s:%s" % (scala, version)] + line_of(version, EXTRA, [])
    if is_kraft(version):   # the console consumer and the like left the core jar
        jars.append("org.apache.kafka:kafka-tools:" + version)
    return jars


def write_pom(path, jars):
    dependencies = "".join(
        "<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version>"
        "</dependency>" % tuple(map(sax.escape, jar.split(":"))) for jar in jars)
    with open(path, "w", encoding="utf-8") as file:
        file.write('<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0'
                   "</modelVersion><groupId>t</groupId><artifactId>t</artifactId>"
                   "<version>1</version><dependencies>%s</dependencies></project>" % dependencies)


def fetch(version):
    """Brings the jars of `version` into the cache; the Java class path of them."""
    folder = os.path.join(CACHE, version)
    complete = os.path.join(folder, ".complete")
    if not os.path.exists(complete):
        jars = wanted_jars(version)
        os.makedirs(folder, exist_ok=True)
        pom = os.path.join(folder, "pom.xml")
        write_pom(pom, jars)
        subprocess.run(["mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies",
                        "-DoutputDirectory=" + folder, "-DincludeScope=runtime"],
                       check=True, stdout=sys.stderr)
        with open(complete, "w", encoding="utf-8"):
            pass
    return os.path.join(folder, "*")


# ---- processes -------------------------------------------------------------------------------

def write_properties(path, properties):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines("%s=%s\n" % pair for pair in properties.items())


def spawn(class_path, main_class, arguments, log, heap):
    log4j = os.path.join(os.path.dirname(log), "log4j.properties")
    if not os.path.exists(log4j):
        write_properties(log4j, {
            "log4j.rootLogger": "WARN, stdout",
            "log4j.appender.stdout": "org.apache.log4j.ConsoleAppender",
            "log4j.appender.stdout.layout": "org.apache.log4j.PatternLayout",
            "log4j.appender.stdout.layout.ConversionPattern": "[%d] %p %m (%c)%n"})
    with open(log, "ab") as out:
        return subprocess.Popen(
            ["java", "-Xmx" + heap, "-Dlog4j.configuration=file:" + log4j,
             "-cp", class_path, main_class] + arguments,
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True).pid


def reap(pid):
    """Where the process is our child: else its id stays taken for as long as we run."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def alive(pid):
    reap(pid)
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
        return True
    except OSError:
        return False


def wait_until(done, pid, log, what, limit_s=START_LIMIT_S):
    end = time.monotonic() + limit_s
    while time.monotonic() < end and alive(pid):
        if done():
            return
        time.sleep(0.1)
    raise ClusterError("%s; see %s" % (what, log))


def ask_metadata(port, version):
    """The answer to a Metadata request, from its correlation id on."""
    body = struct.pack(">i", 0)
    if version == 9:    # flexible: header v2, topics [] and three flags
        body = b"\0" + b"\1\0\0\0\0"
    request = struct.pack(">hhih", 3, version, 1, -1) + body
    with socket.create_connection(("127.0.0.1", port), 2) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        size = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))[0]
        return connection.recv(size, socket.MSG_WAITALL)


def registered_brokers(port):
    """How many brokers Metadata version 0, or 1 or 9 where that is gone, lists; 0 while unknown."""
    for version in (0, 1, 9):
        try:
            answer = ask_metadata(port, version)
            if version == 9:    # correlation, tags, throttle, compact array of brokers
                return max(0, answer[9] - 1)
            return struct.unpack(">i", answer[4:8])[0]
        except (OSError, struct.error, IndexError):
            continue
    return 0


# ---- what a broker is told -------------------------------------------------------------------

def broker_name(i):
    return "broker%d" % i


def broker_port(state, i):
    return state["port"] + 10 * i


def broker_version(state, i):
    """The cluster's, until the broker is restarted as another."""
    return state["upgraded"].get(broker_name(i), state["version"])


def path_in(state, name):
    return os.path.join(state["dir"], name)


def kraft_properties(state, i):
    n, port = state["brokers"], broker_port(state, i)
    voters = ",".join("%d@127.0.0.1:%d" % (k, broker_port(state, k) + 1) for k in range(n))
    return {
        "process.roles": "broker,controller", "node.id": str(i),
        "controller.quorum.voters": voters,
        "listeners": "PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d" % (port, port + 1),
        "advertised.listeners": "PLAINTEXT://127.0.0.1:%d" % port,
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,"
                                          "SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
        "transaction.state.log.replication.factor": str(min(3, n)),
        "transaction.state.log.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0"}


def zookeeper_properties(state, i):
    port = broker_port(state, i)
    properties = {"broker.id": str(i), "controlled.shutdown.enable": "false",
                  "zookeeper.connect": "127.0.0.1:%d" % (state["port"] + 1)}
    if is_0_8(state["version"]):
        properties.update({"port": str(port), "host.name": "127.0.0.1",
                           "advertised.host.name": "127.0.0.1", "advertised.port": str(port)})
    else:
        properties.update({"listeners": "PLAINTEXT://127.0.0.1:%d" % port,
                           "advertised.listeners": "PLAINTEXT://127.0.0.1:%d" % port})
    return properties


def broker_properties(state, i):
    replicas = str(min(3, state["brokers"]))
    properties = {"log.dirs": path_in(state, "data%d" % i),
                  "num.partitions": "4",
                  "default.replication.factor": replicas,
                  "log.retention.bytes": "1073741824", "log.segment.bytes": "268435456",
                  "offsets.topic.replication.factor": replicas}
    of_kind = kraft_properties if is_kraft(state["version"]) else zookeeper_properties
    properties.update(of_kind(state, i))
    properties.update({key: fill_in(state, i, value) for key, value in state["set"].items()})
    return properties


def fill_in(state, i, value):
    port = broker_port(state, i)
    value = value.replace("{i}", str(i)).replace("{port}", str(port))
    return re.sub(r"\{port\+(\d+)\}", lambda m: str(port + int(m.group(1))), value)


# ---- start and stop --------------------------------------------------------------------------

def storage_tool(state, *arguments):
    return subprocess.run(
        ["java", "-cp", fetch(state["version"]), "kafka.tools.StorageTool", *arguments],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def scram_arguments(state):
    return [word for name, password in state["scram"].items()
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            for word in ("--add-scram", "%s=[name=%s,password=%s]" % (mechanism, name, password))]


def start_broker(state, i):
    conf = path_in(state, broker_name(i) + ".properties")
    write_properties(conf, broker_properties(state, i))
    if is_kraft(state["version"]):
        storage_tool(state, "format", "-t", state["cluster_id"], "-c", conf, "--ignore-formatted",
                     *scram_arguments(state))
    state["pids"][broker_name(i)] = spawn(fetch(broker_version(state, i)), "kafka.Kafka", [conf],
                                          path_in(state, broker_name(i) + ".log"), "768m")


def start_zookeeper(state):
    conf, log = path_in(state, "zookeeper.properties"), path_in(state, "zookeeper.log")
    port = state["port"] + 1
    write_properties(conf, {
        "dataDir": path_in(state, "zookeeper"), "clientPort": str(port),
        "clientPortAddress": "127.0.0.1", "admin.enableServer": "false", "maxClientCnxns": "0"})
    pid = spawn(fetch(state["version"]), "org.apache.zookeeper.server.quorum.QuorumPeerMain",
                [conf], log, "256m")
    state["pids"]["zookeeper"] = pid
    wait_until(lambda: answers(port), pid, log, "ZooKeeper does not answer")


def wait_answer(state, i):
    port = broker_port(state, i)
    wait_until(lambda: answers(port), state["pids"][broker_name(i)],
               path_in(state, broker_name(i) + ".log"), "no answer on port %d" % port)


def wait_registered(state, i):
    wait_until(lambda: registered_brokers(broker_port(state, i)) >= state["brokers"],
               state["pids"][broker_name(i)], path_in(state, broker_name(i) + ".log"),
               "broker %d does not see all brokers" % i)


def wait_brokers(state):
    for i in range(state["brokers"]):
        wait_answer(state, i)
        if not is_0_8(state["version"]):    # 0.8 lists no broker until the first topic exists
            wait_registered(state, i)
    if is_0_8(state["version"]):
        time.sleep(2)


def save(state):
    with open(path_in(state, "state.json"), "w", encoding="utf-8") as file:
        json.dump(state, file, indent=1)


def load(folder):
    with open(os.path.join(folder, "state.json"), encoding="utf-8") as file:
        return json.load(file)


def refuse_used_ports(state):
    used = [port for i in range(state["brokers"])
            for port in (broker_port(state, i), broker_port(state, i) + 1) if answers(port)]
    if used:
        raise ClusterError("ports in use: %s" % used)


def start(version, folder, brokers=1, port=PORT, settings=None, scram=None):
    """Starts a cluster in `folder`; its state. A cluster that does not come up is stopped."""
    state = {"version": version, "dir": os.path.abspath(folder), "brokers": brokers,
             "port": port, "pids": {}, "set": dict(settings or {}), "scram": dict(scram or {}),
             "upgraded": {}}
    os.makedirs(folder, exist_ok=True)
    fetch(version)
    refuse_used_ports(state)
    try:
        if is_kraft(version):
            state["cluster_id"] = storage_tool(state, "random-uuid").split()[-1]
        else:
            start_zookeeper(state)
        for i in range(brokers):
            start_broker(state, i)
        save(state)
        wait_brokers(state)
    except BaseException:
        stop(state)
        raise
    return state


def send(state, name, number):
    pid = state["pids"].get(name)
    try:
        if pid:
            os.kill(pid, number)
    except ProcessLookupError:
        pass


def wait_dead(state, names, limit_s):
    end = time.monotonic() + limit_s
    while any(alive(state["pids"][name]) for name in names) and time.monotonic() < end:
        time.sleep(0.05)


def stop(state):
    """Brokers first: an old one waits for ZooKeeper while it shuts down."""
    brokers = [name for name in state["pids"] if name != "zookeeper"]
    for name in brokers:
        send(state, name, signal.SIGCONT)
        send(state, name, signal.SIGTERM)
    wait_dead(state, brokers, STOP_LIMIT_S)
    for name in state["pids"]:
        send(state, name, signal.SIGKILL)
    wait_dead(state, state["pids"], STOP_LIMIT_S)


def bootstrap(state):
    return ",".join("127.0.0.1:%d" % broker_port(state, i) for i in range(state["brokers"]))


def restart(state, i, version=None):
    if alive(state["pids"][broker_name(i)]):
        raise ClusterError("%s still runs" % broker_name(i))
    if version is not None:
        if is_kraft(version) and not is_kraft(state["version"]) and int(version.split(".")[0]) > 3:
            raise ClusterError("Kafka %s knows no ZooKeeper" % version)
        state["upgraded"][broker_name(i)] = version
    start_broker(state, i)
    save(state)
    wait_answer(state, i)


class Cluster:
    """A cluster for the length of a `with` block; its folder, and so its logs, stay."""

    def __init__(self, version, folder, brokers=1, port=PORT, settings=None, scram=None):
        self.arguments = (version, folder, brokers, port, settings, scram)
        self.state = None

    def __enter__(self):
        self.state = start(*self.arguments)
        return self

    def __exit__(self, *_):
        stop(self.state)

    @property
    def bootstrap(self):
        return bootstrap(self.state)

    def kill(self, i):
        """Returns when the broker is gone."""
        send(self.state, broker_name(i), signal.SIGKILL)
        wait_dead(self.state, [broker_name(i)], STOP_LIMIT_S)

    def terminate(self, i):
        """An orderly stop: leaders move first. Returns when the broker is gone."""
        send(self.state, broker_name(i), signal.SIGTERM)
        wait_dead(self.state, [broker_name(i)], STOP_LIMIT_S)
        self.kill(i)

    def pause(self, i):
        send(self.state, broker_name(i), signal.SIGSTOP)

    def resume(self, i):
        send(self.state, broker_name(i), signal.SIGCONT)

    def restart(self, i, version=None):
        restart(self.state, i, version)


# ---- command line ----------------------------------------------------------------------------

def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("fetch").add_argument("version")
    verb = verbs.add_parser("start")
    verb.add_argument("version")
    verb.add_argument("dir")
    verb.add_argument("--brokers", type=int, default=1)
    verb.add_argument("--port", type=int, default=PORT)
    verb.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    verbs.add_parser("stop").add_argument("dir")
    verb = verbs.add_parser("tool")
    verb.add_argument("version")
    verb.add_argument("args", nargs=argparse.REMAINDER)
    for name in ("kill", "pause", "resume", "restart"):
        verb = verbs.add_parser(name)
        verb.add_argument("dir")
        verb.add_argument("broker", type=int)
        if name == "restart":
            verb.add_argument("version", nargs="?")
    return parser.parse_args()


def carry_out(args):
    if args.verb == "fetch":
        fetch(args.version)
    elif args.verb == "start":
        settings = dict(pair.split("=", 1) for pair in args.set)
        print(bootstrap(start(args.version, args.dir, args.brokers, args.port, settings)))
    elif args.verb == "tool":
        os.execvp("java", ["java", "-cp", fetch(args.version)] + args.args)
    elif args.verb == "stop":
        stop(load(args.dir))
    elif args.verb == "restart":
        restart(load(args.dir), args.broker, args.version)
    else:
        send(load(args.dir), broker_name(args.broker),
             {"kill": signal.SIGKILL, "pause": signal.SIGSTOP,
              "resume": signal.SIGCONT}[args.verb])


def main():
    try:
        carry_out(read_arguments())
    except (ClusterError, OSError, subprocess.CalledProcessError) as error:
        sys.exit("kafka_cluster.py: %s" % error)


if __name__ == "__main__":
    main()
