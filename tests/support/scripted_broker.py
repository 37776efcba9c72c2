"""A broker that plays what a test scripts, for what no real one does on demand: error codes by
partition, cut connections, answers that never come or are no answers, forgotten producer ids.

Without a script it is an idempotent leader as Kafka's are, and stricter: what a real broker would
refuse or put up with (a wrong crc, count, offset, timestamp; a partition twice in a request) goes
to `complaints`, which every test expects to be empty. It speaks for itself: nothing here is shared
with the daemon. A connection is served as Kafka serves it: one request at a time, in order;
`events` has what came and what was answered, in the order in which it did.

    with ScriptedBroker({"t": 4}) as broker:
        broker.script("t", 0, Step(code=7), Step(cuts=True))
        ...
        broker.log[("t", 0)]        values, in order
"""

import collections
import dataclasses
import hashlib
import queue
import socket
import struct
import threading
import time

from support.kafka_bytes import COMPACT, PLAIN, Reader, array, decode_batch, text
from support.scripted_log import OFFERED, LogAnswers

PRODUCE, METADATA, API_VERSIONS, INIT_PRODUCER_ID = 0, 3, 18, 22
SASL_HANDSHAKE, SASL_AUTHENTICATE = 17, 36
FIRST_COMPACT = {PRODUCE: 9, METADATA: 9, INIT_PRODUCER_ID: 2, SASL_AUTHENTICATE: 2}
PRODUCE_BY_ID = 13
BEFORE_SASL = (API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE)
SASL_AUTHENTICATION_FAILED = 58
REMEMBERED_BATCHES = 5
SEQUENCES = 1 << 31


@dataclasses.dataclass
class Step:
    """What happens to one batch of a partition instead of what would."""
    code: int = 0
    appends: bool = False       # before it answers
    forgets: bool = False       # who has written there, behind that
    cuts: bool = False          # the connection, instead of answering
    names: tuple = ()           # records that are refused, by their place in the batch
    gate: object = None         # a threading.Event: the answer waits for it
    garbage: bool = False       # an answer that can't be parsed


@dataclasses.dataclass
class Event:
    kind: str                   # request, answer, cut
    connection: int
    request: int                # the nth Produce
    partitions: frozenset       # of (topic, partition)


class ProducerState:
    """What a leader knows of one producer id in one partition."""

    def __init__(self, epoch):
        self.epoch = epoch
        self.batches = collections.deque(maxlen=REMEMBERED_BATCHES)     # (sequence, count, offset)

    def next_sequence(self):
        sequence, count, _offset = self.batches[-1]
        return (sequence + count) % SEQUENCES


class Connection:
    def __init__(self, broker, number, plain):
        self.broker, self.number, self.socket = broker, number, plain
        self.authenticated = False
        self.requests = queue.Queue()
        self.open = True
        for work in (self.read, self.serve):
            broker.spawn(work)

    def read(self):
        self.socket.settimeout(self.broker.max_idle_s)
        stream = self.socket.makefile("rb")
        try:
            while True:
                size = stream.read(4)
                frame = stream.read(struct.unpack(">i", size)[0]) if len(size) == 4 else b""
                if not frame:
                    break
                self.requests.put((frame, self.broker.note_request(self, frame)))
        except OSError:
            pass
        self.open = False
        self.requests.put(None)

    def serve(self):
        while True:
            request = self.requests.get()
            if request is None:
                break
            answer = self.broker.answer(self, *request)
            if answer is None:
                break
            api = struct.unpack(">h", request[0][:2])[0]
            try:
                frame = struct.pack(">i", len(answer)) + answer
                for piece in self.broker.mangle(self, api, frame):
                    self.socket.sendall(piece)
            except OSError:
                break
        self.close()

    def close(self):
        self.open = False
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


class ScriptedBroker(LogAnswers):
    def __init__(self, topics):
        self.topics = dict(topics)          # name -> number of partitions; others are unknown
        self.topic_errors = {}              # name -> code, in Metadata
        self.cluster = [self]               # partition p is led by the one at p modulo their number
        self.leaderless = set()             # but these (topic, partition)
        self.log = collections.defaultdict(list)        # (topic, partition) -> values
        self.batches = collections.defaultdict(list)    # likewise, (base offset, bytes, count)
        self.seen = collections.defaultdict(list)       # likewise, every Batch that came
        self.offers_looks = False           # into its logs: Fetch, ListOffsets, DescribeProducers
        self.rules = {}                     # likewise, a function of a Batch: a Step, or None
        self.events = []
        self.complaints = []
        self.newest_produce = 8             # from 9 on it speaks the other compact versions, too
        self.newest_metadata = 1            # likewise; from 10 on topics have ids
        self.offered_init_producer_id = 1
        self.init_producer_id_code = 0      # what it answers then
        self.without_sequences = set()      # topics whose message format is too old for them
        self.password = None                # where there is one: SASL PLAIN, whoever the user is
        self.refusals = 0                   # of passwords
        self.throttle_ms = 0                # told with every Produce answer
        self.max_idle_s = None              # of connections to come: they are closed then
        # By api, what becomes of its next answers, frame by frame: a function that gives the pieces
        # to send instead, or None.
        self.mangles = collections.defaultdict(collections.deque)
        self.mangled = []                   # (api, connection) of those that were
        self.spoken = collections.defaultdict(set)      # by api, the versions that were asked in
        self.scripts = collections.defaultdict(collections.deque)
        self.producers = {}                 # (topic, partition, producer id) -> ProducerState
        self.next_producer_id = 7000
        self.produces = 0
        self.connections = []
        self.lock = threading.RLock()
        self.threads = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.address = "127.0.0.1:%d" % self.port

    def __enter__(self):
        self.spawn(self.accept)
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends every thread; gates that nobody opened are no obstacle."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            connection.close()
        for thread in self.threads:
            thread.join()

    def spawn(self, work):
        self.threads.append(threading.Thread(target=work, daemon=True))
        self.threads[-1].start()

    def accept(self):
        try:
            while True:
                plain = self.listener.accept()[0]
                self.connections.append(Connection(self, len(self.connections), plain))
        except OSError:
            pass

    # ---- what a test sets and asks -----------------------------------------------------------

    def script(self, topic, partition, *steps):
        """For the next batches of that partition; behind them it is as Kafka is."""
        with self.lock:
            self.scripts[topic, partition].extend(steps)

    def mangle(self, connection, api, frame):
        with self.lock:
            mangle = self.mangles[api].popleft() if self.mangles[api] else None
            if mangle:
                self.mangled.append((api, connection))
        return mangle(frame) if mangle else [frame]

    def forget_producers(self):
        with self.lock:
            self.producers.clear()

    def values(self, topic):
        """Everything in the logs of the topic."""
        with self.lock:
            return [value for key in sorted(self.log) if key[0] == topic for value in self.log[key]]

    # ---- requests ----------------------------------------------------------------------------

    def note_request(self, connection, frame):
        """When it comes, however long it waits to be served. The number of a Produce."""
        api, version, _correlation, reader = self.open_request(frame)
        if api != PRODUCE:
            return None
        partitions = [key for key, _ in self.read_produce(reader, version)]
        with self.lock:
            self.produces += 1
            if len(set(partitions)) != len(partitions) or not partitions:
                self.complaints.append("partitions of a request: %s" % partitions)
            self.events.append(Event("request", connection.number, self.produces,
                                     frozenset(partitions)))
            return self.produces

    @staticmethod
    def form_of(api, version):
        return COMPACT if version >= FIRST_COMPACT.get(api, version + 1) else PLAIN

    def open_request(self, frame):
        """(api, version, correlation id, Reader behind the header)"""
        reader = Reader(frame)
        api, version, correlation = reader.number("h"), reader.number("h"), reader.take(4)
        reader.text()
        reader.compact = self.form_of(api, version).compact
        reader.tags()
        return api, version, correlation, reader

    @staticmethod
    def id_of(topic):
        return hashlib.md5(topic.encode()).digest()

    def read_topic(self, reader, version):
        """Its name."""
        if version < PRODUCE_BY_ID:
            return reader.text()
        number = reader.take(16)
        return next((topic for topic in self.topics if self.id_of(topic) == number), "?")

    def note(self, kind, connection, number, partitions):
        self.events.append(Event(kind, connection.number, number, frozenset(partitions)))

    def read_produce(self, reader, version):
        """[((topic, partition), bytes of its batch)]"""
        reader.text()
        acks, timeout_ms = reader.number("h"), reader.number("i")
        if acks != -1 or timeout_ms <= 0 or not 3 <= version <= self.newest_produce:
            self.complaints.append("acks %d, timeout %d" % (acks, timeout_ms))
        found = []
        for _ in range(reader.count()):
            topic = self.read_topic(reader, version)
            for _ in range(reader.count()):
                partition = reader.number("i")
                found.append(((topic, partition), reader.take(reader.count())))
                reader.tags()
            reader.tags()
        reader.tags()
        if reader.left():
            self.complaints.append("%d bytes behind a Produce" % reader.left())
        return found

    def answer(self, connection, frame, number):
        """The answer's bytes; None: the connection is cut."""
        api, version, correlation, reader = self.open_request(frame)
        form = self.form_of(api, version)
        correlation += form.tags
        self.spoken[api].add(version)
        if self.password and not connection.authenticated and api not in BEFORE_SASL:
            self.complaints.append("api %d before it is said who asks" % api)
            return None
        if api == SASL_HANDSHAKE:
            return correlation + struct.pack(">h", 0) + array([text("PLAIN")])
        if api == SASL_AUTHENTICATE:
            return correlation + self.answer_sasl(connection, reader, form)
        if api == API_VERSIONS:
            return correlation + self.answer_api_versions(version)
        if api == METADATA:
            with self.lock:
                return correlation + self.answer_metadata(reader, version, form)
        if api == INIT_PRODUCER_ID:
            with self.lock:
                self.next_producer_id += 1
                return correlation + struct.pack(">ihqh", 0, self.init_producer_id_code,
                                                 self.next_producer_id, 0) + form.tags
        if self.offers_looks and api in self.LOOKS:
            with self.lock:
                return correlation + self.LOOKS[api](self, reader)
        if api != PRODUCE:      # one that it does not offer: Kafka 4 closes, too
            return None
        body = self.answer_produce(connection, self.read_produce(reader, version), number, version)
        return None if body is None else correlation + body

    def answer_api_versions(self, version):
        compact = self.newest_produce >= FIRST_COMPACT[PRODUCE]
        offered = [(PRODUCE, 3, self.newest_produce), (METADATA, 1, self.newest_metadata),
                   (API_VERSIONS, 0, 3),
                   (INIT_PRODUCER_ID, 0, 4 if compact else self.offered_init_producer_id)]
        if self.offers_looks:
            offered += OFFERED
        if self.password:
            offered += [(SASL_HANDSHAKE, 0, 1), (SASL_AUTHENTICATE, 0, 2 if compact else 1)]
        if version < 3:
            return struct.pack(">h", 0) + array([struct.pack(">hhh", *o) for o in offered])
        rows = b"".join(struct.pack(">hhhb", *o, 0) for o in offered)
        return struct.pack(">hb", 0, len(offered) + 1) + rows + struct.pack(">ib", 0, 0)

    def answer_sasl(self, connection, reader, form):
        token = reader.take(reader.count())
        connection.authenticated = token.split(b"\0")[2] == self.password
        self.refusals += not connection.authenticated
        code = 0 if connection.authenticated else SASL_AUTHENTICATION_FAILED
        return (struct.pack(">h", code) + form.text(None) + form.count(0) + struct.pack(">q", 0) +
                form.tags)

    def answer_metadata(self, reader, version, form):
        """Of version 1, or 9 and newer."""
        brokers = [struct.pack(">i", i + 1) + form.text("127.0.0.1") +
                   struct.pack(">i", broker.port) + form.text(None) + form.tags
                   for i, broker in enumerate(self.cluster)]
        topics = []
        for _ in range(reader.count()):
            reader.take(16 if version >= 10 else 0)
            name = reader.text()
            reader.tags()
            code = self.topic_errors.get(name, 0 if name in self.topics else 3)
            count = 0 if code else self.topics[name]
            partitions = form.array([self.show_partition(name, p, form) for p in range(count)])
            topics.append(struct.pack(">h", code) + form.text(name) +
                          (self.id_of(name) if version >= 10 and not code else
                           bytes(16 if version >= 10 else 0)) + b"\0" + partitions +
                          (bytes(4) if form.compact else b"") + form.tags)
        shown = form.array(brokers) + (form.text("scripted") if form.compact else b"")
        shown = (bytes(4) if form.compact else b"") + shown + struct.pack(">i", 1)
        return (shown + form.array(topics) + bytes(4 if 8 <= version <= 10 else 0) + form.tags)

    def show_partition(self, topic, partition, form):
        replicas = form.array([struct.pack(">i", 1)])
        head = struct.pack(">hii", 0, partition, self.leader_of(topic, partition))
        if not form.compact:
            return head + replicas * 2
        return head + struct.pack(">i", 0) + replicas * 2 + form.array([]) + form.tags

    def leader_of(self, topic, partition):
        if (topic, partition) in self.leaderless:
            return -1
        return partition % len(self.cluster) + 1

    # ---- Produce -----------------------------------------------------------------------------

    def answer_produce(self, connection, batches, number, version):
        keys = [key for key, _ in batches]
        with self.lock:
            steps = [(key, *self.judge(key, data)) for key, data in batches]
        for _key, step, _offset in steps:
            while step.gate and connection.open and not step.gate.wait(0.02):
                pass
        with self.lock:
            if not connection.open or any(step.cuts for _, step, _ in steps):
                self.note("cut", connection, number, keys)
                return None
            self.note("answer", connection, number, keys)
            if any(step.garbage for _, step, _ in steps):
                return b"\x7f\xff\xff\xff"
            form = self.form_of(PRODUCE, version)
            topics = [(form.text(key[0]) if version < PRODUCE_BY_ID else self.id_of(key[0])) +
                      form.array([self.result(key[1], step, offset, form)]) + form.tags
                      for key, step, offset in steps]
            return form.array(topics) + struct.pack(">i", self.throttle_ms) + form.tags

    @staticmethod
    def result(partition, step, offset, form):
        errors = [struct.pack(">i", index) + form.text("refused by the script") + form.tags
                  for index in step.names]
        head = struct.pack(">ihqqq", partition, step.code, offset, -1, 0)
        return head + form.array(errors) + form.text(None) + form.tags

    def judge(self, key, data):
        """(Step, base offset) of a batch."""
        try:
            batch = decode_batch(data)
        except (ValueError, struct.error) as error:
            self.complaints.append("%s: %s" % (key, error))
            return Step(code=2), -1
        self.seen[key].append(batch)
        step = self.scripts[key].popleft() if self.scripts[key] else None
        if step is None and key in self.rules:
            step = self.rules[key](batch)
        if step is None:
            code, offset = self.append(key, batch, data)
            return Step(code=code), offset
        offset = -1
        if step.appends or (step.code == 0 and not step.cuts):
            offset = self.append(key, batch, data)[1]
        if step.forgets:
            for known in [known for known in self.producers if known[:2] == key]:
                del self.producers[known]
        return step, offset

    def append(self, key, batch, data):
        """Kafka's checks of the sequence, and the append; (code, base offset)."""
        if batch.producer >= 0 and key[0] in self.without_sequences:
            return 43, -1
        if batch.producer < 0:      # it has no sequence, and is appended whatever comes
            return 0, self.add_to_log(key, batch, data)
        state = self.producers.get((*key, batch.producer))
        if state is None or batch.epoch > state.epoch:
            if batch.sequence != 0:
                return 45, -1
            state = self.producers[(*key, batch.producer)] = ProducerState(batch.epoch)
        elif batch.epoch < state.epoch:
            return 47, -1
        else:
            for sequence, count, offset in state.batches:
                if (sequence, count) == (batch.sequence, len(batch.values)):
                    return 0, offset
            if batch.sequence != state.next_sequence():
                return 45, -1
        offset = self.add_to_log(key, batch, data)
        state.batches.append((batch.sequence, len(batch.values), offset))
        return 0, offset

    def add_to_log(self, key, batch, data):
        offset = len(self.log[key])
        self.log[key].extend(batch.values)
        self.batches[key].append((offset, data, len(batch.values)))
        return offset


def wait_for(what, look, seconds=60):
    end = time.monotonic() + seconds
    while not look():
        if time.monotonic() > end:
            raise AssertionError("%s: waited %d s in vain" % (what, seconds))
        time.sleep(0.01)
