"""The kafka worker: ring -> batches -> brokers, steps C1 to C12 of the design.

Two topics with two partitions each, messages of both kinds mixed, a pool with few descriptors, a
limit of records a request that halves windows, records that Dory discards and records that the
broker refuses, topics whose partitions are not known at first (waiting batches), sequences that
wrap, and brokers that lose answers, requests, leaders and producer state (`broker_model.py`).
Records are numbered by their ring position: record r ends at position r + 1.
"""

from batch import (ACKED, ANY, CAPACITY, DISCARDED, FREE, KEY, OPEN, PINNED, SENT, WAITING, end_of,
                   key_partition, kind, left, live, new_batch, partitions_of, size, topic)
from broker_model import Broker, OK, OUT_OF_ORDER, TOO_LARGE, UNKNOWN, WRAP
from explorer import Broken, Record, TURN, World
from kafka_worker_judge import KafkaWorkerJudge

PARTITIONS = 4
BURST = 10          # records a pass of the ring


class Scenario:
    """How much there is to do and what goes wrong."""

    def __init__(self, records=24, descriptors=8, discarded=(), expired=(), refused=(),
                 known_at=(0, 0), **broker):
        self.records = records
        self.descriptors = descriptors
        self.discarded = frozenset(discarded)   # records that Dory gives up when it routes them
        self.expired = frozenset(expired)       # with the batch that begins with one, if unsent
        self.known_at = known_at                # per topic: the turn from which it is known
        self.broker = Broker(refused=frozenset(refused), **broker)


class KafkaWorkerModel(KafkaWorkerJudge):
    """The design, or with `mutant` a design with one rule broken."""

    def __init__(self, scenario, mutant=''):
        self.scenario = scenario
        self.broker = scenario.broker
        self.mutant = mutant

    def start_world(self):
        """A full ring, an empty pool, four empty partitions."""
        return World(
            head=0, tail=self.scenario.records,
            batches=[new_batch() for _ in range(self.scenario.descriptors)],
            words=[(0, self.broker.first_sequence)] * PARTITIONS,   # epoch, next sequence
            delivered=[0, 0], discarded=[0, 0], suspects=[],
            cell=Record(counter=0, value=0, pos=0, done=0),
            turn=0, dead_letters=[], brokers=[self.broker.new_partition(number)
                                              for number in range(PARTITIONS)])

    # ---- the program ------------------------------------------------------------------------

    def run(self, world):
        """From a start until nothing is left."""
        self.broker.connections_cut(world.brokers)
        yield from self.start(world)
        while world.head != world.tail or any(map(live, world.batches)):
            yield TURN
            yield from self.turn(world)
        self.broker.late_requests(world.brokers)

    def turn(self, world):
        """Drain, send to every idle partition, drain again, take the answers."""
        late = self.mutant in ('C5 after SEND', 'C5 after a discard of what was never sent')
        position = yield from self.drain(world, store_head=not late)
        for row in range(2):
            place = self.route if self.is_known(world, row) else self.expire
            yield from self.pass_waiting(world, row, place)
        yield from self.discard_unsent(world)
        flying = []
        for partition in range(PARTITIONS):
            batch = self.choose(world, partition)
            if batch and self.must_look_first(batch):
                yield from self.look_into_log(world, batch)
            elif batch:
                yield from self.send(world, batch, partition)
                flying.append(batch)
        if not late:
            position = yield from self.drain(world)
        for batch in flying:
            yield from self.answer(world, batch)
        if position != world.head:
            world.head = position
            yield 'late head'
        world.turn = min(world.turn + 1, max(self.scenario.known_at) + 1)

    def is_known(self, world, row):
        """Kafka has told the topic's partitions."""
        return world.turn >= self.scenario.known_at[row]

    # ---- start ------------------------------------------------------------------------------

    def start(self, world):
        """Recovery is the only start path. Everything here is guarded, so it can be redone."""
        if self.mutant != 'cell not redone':
            yield from self.redo_cell(world)
        for batch in world.batches:
            if batch.state[0] in (ACKED, DISCARDED):
                yield from self.count_and_free(world, batch)
            elif batch.state[0] == SENT:
                yield from self.resume_sent(batch)
        yield from self.resume_head(world)
        for batch in world.batches:
            if batch.state[0] == OPEN and batch.kind == WAITING:
                yield from self.resume_waiting(world, batch)
            yield from self.free_if_empty(batch)

    def redo_cell(self, world):
        """A discard that was committed and not yet counted."""
        cell = world.cell
        if cell.done != cell.pos or self.mutant == 'cell without done' and cell.pos:
            world.discarded[cell.counter] = cell.value
            yield 'cell counter'
            cell.done = cell.pos
            yield 'cell done'

    def resume_sent(self, batch):
        """The kill cut the connection: nobody knows what became of the window."""
        if self.mutant == 'SENT reopened at start':
            batch.state = (PINNED, batch.state[1], 0)
            yield 'reopened'
        elif self.mutant != 'unknown_outcome not set at start' and not batch.unknown:
            batch.unknown = 1
            yield 'unknown_outcome'

    def resume_head(self, world):
        """head = max(head, every live end, discard.pos)."""
        ends = [world.head]
        if self.mutant != 'head alone':
            ends += [end_of(batch) for batch in world.batches if live(batch)]
        if self.mutant not in ('head alone', 'head without discard.pos'):
            ends.append(world.cell.pos)
        if max(ends) != world.head:
            world.head = max(ends)
            yield 'head'

    def resume_waiting(self, world, batch):
        """`first` passes what is already in another batch of the topic, or discarded."""
        if self.mutant == 'no first rule':
            return
        ends = [end_of(other) for other in world.batches
                if live(other) and other is not batch
                and (other.kind != WAITING or self.mutant == 'ends of waiting batches')
                and (other.topic == batch.topic or self.mutant == 'ends of all topics')]
        committed = batch.records[:batch.commit]
        if world.cell.pos - 1 in committed and self.mutant != 'first without discard.pos':
            ends.append(world.cell.pos)
        first = batch.state[1]
        while first < batch.commit and committed[first] + 1 <= max(ends, default=0):
            first += 1
        if first != batch.state[1]:
            batch.state = (OPEN, first, 0)
            yield 'first'

    @staticmethod
    def free_if_empty(batch):
        """Nothing was committed, or nothing is left."""
        if batch.state[0] in (OPEN, PINNED) and batch.state[1] == batch.commit:
            batch.state = (FREE, 0, 0)
            yield 'FREE'

    # ---- drain ------------------------------------------------------------------------------

    def drain(self, world, store_head=True):
        """C1 to C5 for one pass of the ring."""
        position = world.head
        for record in range(world.head, min(world.tail, world.head + BURST)):
            waits = not self.is_known(world, topic(record)) or any(
                live(batch) and batch.kind == WAITING and batch.topic == topic(record)
                for batch in world.batches)
            if record in self.scenario.discarded and not waits:
                yield from self.discard(world, record)
            elif not (yield from self.put(world, record, WAITING if waits else kind(record))):
                break
            position = record + 1
        if position != world.head and store_head:
            world.head = position
            yield 'C5 head'
        return position

    def route(self, world, record):
        """Where a record goes whose topic is known; False: it stays."""
        if record in self.scenario.discarded:
            yield from self.discard(world, record)
            return True
        return (yield from self.put(world, record, kind(record)))

    def expire(self, world, record):
        """Of a topic that is not known, what has waited for long enough."""
        if record not in self.scenario.expired:
            return False
        yield from self.discard(world, record)
        return True

    def pass_waiting(self, world, row, place):
        """The same over the topic's waiting batches, oldest first; `first` is their head."""
        waiting = [batch for batch in world.batches
                   if live(batch) and batch.kind == WAITING and batch.topic == row]
        for batch in sorted(waiting, key=lambda batch: batch.order):
            first = batch.state[1]
            for record in batch.records[first:batch.commit]:
                if not (yield from place(world, record)):
                    break
                first += 1
            if first != batch.state[1]:
                batch.state = (OPEN, first, 0)
                yield 'C5 first'
            yield from self.free_if_empty(batch)
            if live(batch):
                return

    def put(self, world, record, into):
        """C2 to C4; False if the pool is full."""
        partition = key_partition(record) if into == KEY else -1
        batch = self.growing(world, record, into, partition)
        if not batch:
            batch = yield from self.open(world, record, into, partition)
            if not batch:
                return False
        del batch.records[batch.commit:]
        batch.records.append(record)
        slot = 0 if self.mutant == 'one end' else (batch.commit + 1) & 1
        batch.end[slot] = record + 1
        yield 'C3 record'
        batch.commit += 1
        yield 'C4 commit'
        return True

    def growing(self, world, record, into, partition):
        """The batch that takes the record: the youngest of its queue, if never sent, with room."""
        queue = [batch for batch in world.batches
                 if live(batch) and batch.kind == into and batch.topic == topic(record)
                 and (into != KEY or batch.partition == partition)]
        if self.mutant in ('an older batch grows', 'a pinned batch grows'):
            fitting = [batch for batch in queue if self.takes(batch, record)]
            return min(fitting, key=lambda batch: batch.order, default=None)
        youngest = max(queue, key=lambda batch: batch.order, default=None)
        return youngest if youngest and self.takes(youngest, record) else None

    def takes(self, batch, record):
        """A batch that was sent once takes no more records."""
        states = (OPEN, PINNED) if self.mutant == 'a pinned batch grows' else (OPEN,)
        used = sum(map(size, batch.records[:batch.commit]))
        return batch.state[0] in states and used + size(record) <= CAPACITY[batch.kind]

    def open(self, world, record, into, partition):
        """A free descriptor, if there is one; one is kept for draining the waiting batches."""
        free = [batch for batch in world.batches if not live(batch)]
        reserve = 1 if into == WAITING and self.mutant != 'no reserve' else 0
        if len(free) <= reserve:
            return None
        batch = free[0]
        if self.mutant == 'OPEN before its fields':
            batch.state = (OPEN, 0, 0)
            yield 'OPEN'
        batch.kind, batch.topic, batch.partition = into, topic(record), partition
        yield 'fields'
        batch.order, batch.commit, batch.end = record, 0, [0, 0]
        yield 'fields'
        batch.state = (OPEN, 0, 0)
        yield 'OPEN'
        return batch

    @staticmethod
    def discard(world, record):
        """C4': the discard cell. A dead letter may be written twice, it is counted once."""
        cell = world.cell
        cell.counter = topic(record)
        cell.value = world.discarded[topic(record)] + 1
        yield 'cell value'
        yield from write_dead_letter(world, record)
        cell.pos = record + 1
        yield 'cell pos'
        world.discarded[topic(record)] = cell.value
        yield 'cell counter'
        cell.done = cell.pos
        yield 'cell done'

    def discard_unsent(self, world):
        """C9 to C12 of each batch that has waited for long enough and was never sent."""
        for batch in world.batches:
            if (batch.state[:2] != (OPEN, 0) or batch.kind == WAITING
                    or batch.records[0] not in self.scenario.expired):
                continue
            for record in batch.records[:batch.commit]:
                yield from write_dead_letter(world, record)
            late = self.mutant == 'total_after behind DISCARDED'
            if not late:
                batch.total_after = world.discarded[batch.topic] + batch.commit
                yield 'C9 total_after'
            batch.state = (DISCARDED, 0, batch.commit)
            yield 'C10 DISCARDED'
            if late:
                batch.total_after = world.discarded[batch.topic] + batch.commit
                yield 'C9 total_after'
            yield from self.count_and_free(world, batch)

    # ---- send -------------------------------------------------------------------------------

    def choose(self, world, partition):
        """What an idle partition sends next: a window again, or the oldest batch that may."""
        mine = [batch for batch in world.batches if live(batch) and batch.kind != WAITING
                and batch.partition == partition]
        sent = [batch for batch in mine if batch.state[0] == SENT]
        if sent and self.mutant != 'two SENT of a partition':
            return sent[0]
        keyed = [batch for batch in mine if batch.kind == KEY and left(batch)]
        free = [batch for batch in world.batches
                if batch.kind == ANY and partition in partitions_of(batch.topic)
                and left(batch) and (batch.state[0] == OPEN or self.is_unpinned(batch))]
        pinned = [batch for batch in mine if batch.kind == ANY and batch.state[0] == PINNED
                  and not self.is_unpinned(batch)]
        if self.mutant == 'pinned goes last' and free:
            pinned = []
        if self.mutant == 'youngest first':
            free = sorted(free, key=lambda batch: -batch.order)[:1]
        candidates = keyed + (pinned or free) or sent
        return min(candidates, key=lambda batch: batch.order, default=None)

    def is_unpinned(self, batch):
        """Only in mutants does a batch of AnyPartition that was sent once lose its partition."""
        return (self.mutant == 'pinned taken for unpinned'
                or self.mutant == 'first = 0 is unpinned' and batch.state[1] == 0)

    def send(self, world, batch, partition):
        """C6 to C8; a window that is SENT already goes out again as it is."""
        state, first, _ = batch.state
        if state != SENT:
            yield from self.claim(world, batch, partition)
            late = self.mutant == 'SENT after the write'
            window = (SENT, first, batch.commit - first)
            if late:
                self.write(world, batch, window)
                yield 'C8 write'
            batch.state = window
            yield 'C7 SENT'
            if late:
                return
        self.write(world, batch, batch.state)
        yield 'C8 write'

    def claim(self, world, batch, partition):
        """C6: partition, epoch and sequence; a batch never straddles the wrap."""
        epoch, sequence = world.words[partition]
        if sequence + batch.commit - batch.state[1] > WRAP:
            epoch, sequence = epoch + 1, 0
            world.words[partition] = (epoch, sequence)
            yield 'C6 epoch for the wrap'
        batch.partition = partition
        yield 'C6 partition'
        batch.epoch, batch.base, batch.unknown = epoch, sequence, 0
        yield 'C6 sequence'

    def write(self, world, batch, window):
        """The kernel has the request."""
        _, first, count = window
        request = (batch.epoch, batch.base, batch.records[first:first + count])
        world.brokers[batch.partition].pipe.append(request)

    # ---- settle -----------------------------------------------------------------------------

    def answer(self, world, batch):
        """The broker's word on a window."""
        verdict = self.broker.answer(world.brokers[batch.partition])
        yield 'broker'
        if verdict == OK:
            yield from self.settle(world, batch)
        elif verdict == UNKNOWN:
            batch.unknown = 1
            yield 'unknown_outcome'
        elif verdict == OUT_OF_ORDER:
            yield from self.out_of_order(world, batch)
        else:
            yield from self.refused(world, batch, verdict)

    def out_of_order(self, world, batch):
        """45: on a first attempt not in the log. Else look into it before anything is sent anew."""
        first = batch.state[1]
        if not self.broker.may_say_out_of_order:
            raise Broken('45 from a healthy broker')
        if batch.unknown and self.mutant != '45 on a re-send taken for no':
            if (yield from self.look_into_log(world, batch)):
                return
        world.words[batch.partition] = (batch.epoch + 1, 0)
        yield 'epoch + 1'
        batch.state = (PINNED, first, 0)
        yield 'PINNED'

    def must_look_first(self, batch):
        """SENT so long ago that the broker may have forgotten us."""
        return (batch.state[0] == SENT and batch.unknown and self.broker.long_ago
                and self.mutant != 'no look before a late re-send')

    def look_into_log(self, world, batch):
        """Settle what is found there; otherwise it can be sent as if for the first time."""
        _, first, count = batch.state
        found = self.broker.is_in_log(world.brokers[batch.partition],
                                      batch.records[first:first + count])
        yield 'log read'
        if found:
            yield from self.settle(world, batch)
        else:
            batch.unknown = 0
            yield 'known not to be there'
        return found

    def refused(self, world, batch, verdict):
        """Not in the log, unless an earlier attempt is: then every record is a suspect."""
        _, first, count = batch.state
        if batch.unknown:
            suspects = set(world.suspects) | set(batch.records[first:first + count])
            world.suspects = sorted(suspects)
            yield 'possible duplicates'
        if count > 1:
            batch.state = (SENT, first, count // 2)
            yield 'halved'
        elif verdict == TOO_LARGE:
            raise Broken('too large alone')
        else:
            yield from write_dead_letter(world, batch.records[first])
            batch.total_after = world.discarded[batch.topic] + 1
            yield 'C9 total_after'
            batch.state = (DISCARDED, first, 1)
            yield 'C10 DISCARDED'
            yield from self.count_and_free(world, batch)

    def settle(self, world, batch):
        """C9 and C10, then the rest."""
        _, first, count = batch.state
        batch.total_after = world.delivered[batch.topic] + count
        yield 'C9 total_after'
        if self.mutant != 'no ACKED':
            batch.state = (ACKED, first, count)
            yield 'C10 ACKED'
        yield from self.count_and_free(world, batch)

    def count_and_free(self, world, batch):
        """C11 and C12: sets, so that a start can do them again."""
        state, first, count = batch.state
        totals = world.discarded if state == DISCARDED else world.delivered
        if self.mutant == 'FREE before C11':
            yield from self.end_window(batch, first + count)
        if state != DISCARDED:
            self.set_next_sequence(world, batch, count)
            yield 'C11 next_sequence'
        if self.mutant == 'counters added':
            totals[batch.topic] += count
        else:
            totals[batch.topic] = batch.total_after
        yield 'C11 counter'
        if self.mutant != 'FREE before C11':
            yield from self.end_window(batch, first + count)

    def set_next_sequence(self, world, batch, count):
        """The whole word from the batch: its epoch may be older than the partition's."""
        epoch, sequence = world.words[batch.partition]
        if self.mutant != 'next_sequence added':
            epoch, sequence = batch.epoch, batch.base
        world.words[batch.partition] = (epoch, (sequence + count) % WRAP)

    @staticmethod
    def end_window(batch, first):
        """C12: what is left keeps its partition and goes before younger batches."""
        batch.state = (PINNED, first, 0) if first < batch.commit else (FREE, 0, 0)
        yield 'C12'


def write_dead_letter(world, record):
    """A second one of the same record is no second message."""
    if record not in world.dead_letters:
        world.dead_letters.append(record)
    yield 'dead letter'
