"""The intake's publish protocol: sockets -> slots -> ring, steps P1 to P7 of the design.

One lane: two datagram sockets share four receive slots, one stream connection has its area, all
end in one ring. The supervisor may die, too ('lives'): the intake then empties the sockets in the
final drain, and what the ring cannot take goes to the overflow file, which the next start reads
before any socket. A kill in the final drain takes with it what is still in the kernel ('gone');
every other message must end in the ring or be rejected, once, in order, and counted.
"""

from explorer import Broken, Record, TURN, World

SLOTS, AREA, READ, JOURNAL = 4, 6, 3, 2     # messages, bytes, bytes a read, counters a burst
EMPTY = None
STREAM = 2                                  # inputs 0 and 1 are datagram sockets
DATAGRAMS, CONNECTION, OVERFLOW = 'datagrams', 'connection', 'overflow'

# What admission says to the n-th message of each input: o yes, r no, m yes or no (it may change
# its mind when P3 runs again).
VERDICTS = ('ommorrrroomoormo', 'oormoorrrrrmooro', 'omroorrmoomoomro')


def topic(message):
    """The topic's row of a message."""
    return message % 100 % 2


def inputs(*ranges):
    """Messages waiting in each input: its number * 100 + 0, 1, 2 ..."""
    return [[number * 100 + n for n in span] for number, span in enumerate(ranges)]


class Scenario:
    """What clients send in each life of the supervisor, and when it dies."""

    def __init__(self, lives, dies_at, ring=4, consumed=2):
        self.lives = lives          # per life: messages per input
        self.dies_at = dies_at      # per life but the last: it dies when so many are left unread
        self.ring = ring            # records that fit
        self.consumed = consumed    # records a turn the kafka worker takes


class IntakeModel:
    """The design, or with `mutant` a design with one rule broken."""

    def __init__(self, scenario, mutant='', positions_grow=False):
        self.scenario = scenario
        self.mutant = mutant
        self.positions_grow = positions_grow    # the file's positions are never set back to 0

    def start_world(self):
        """An empty segment, and the first life's messages in the kernel."""
        world = World(
            tail=0, base=0, head=0, ring=[], no_append=0,
            stage=Record(source='', first=0, end=0, out=0, overflow_in=0, journal=[]),
            slots=[EMPTY] * SLOTS, slots_input=0,
            conn=Record(read_base=0, in_=0, out=0, msg_len=EMPTY, area=[0] * AREA, life=0),
            overflow_in=0, overflow_out=0, file=None, counters=[0] * 4,
            life=0, dying=False, sockets=[], stream=[], mind=0, rejected=[], gone=[])
        self.clients_send(world)
        return world

    def clients_send(self, world):
        """A new life: its messages are in the kernel. A stream's message is two bytes."""
        first, second, stream = self.scenario.lives[world.life]
        world.sockets = [list(first), list(second)]
        world.stream = [byte for message in stream for byte in (message, message)]

    # ---- the program ------------------------------------------------------------------------

    def run(self, world):
        """From a start to the end of the last life."""
        yield from self.start(world)
        while not self.finished(world):
            yield TURN
            yield from self.turn(world)
            if world.dying and not self.unread(world) and not self.pending(world):
                yield from self.start(world)

    def start(self, world):
        """Recovery is the only start path."""
        if world.dying:
            self.bury(world)
        if self.mutant == 'start takes 2 for 1':
            world.no_append = min(world.no_append, 1)
        if world.tail != world.base or world.no_append:
            yield from self.finish_burst(world)
        yield from self.finish_read(world.conn)
        if world.file is None and not self.positions_grow and self.mutant != 'absence ignored':
            yield from self.zero_positions(world)

    def turn(self, world):
        """One burst of the first source that has something, oldest messages first."""
        if world.overflow_out != world.overflow_in and not world.dying and (
                self.mutant != 'slots before the file' or not self.pending(world)):
            yield from self.publish(world, OVERFLOW)
        elif world.file is not None and world.overflow_out == world.overflow_in:
            yield from self.retire_file(world)
        elif any(slot is not EMPTY for slot in world.slots):
            yield from self.publish(world, DATAGRAMS)
        elif self.complete(world.conn):
            yield from self.publish(world, CONNECTION)
        elif world.conn.life != world.life:
            yield from self.cut_stream(world)
        else:
            yield from self.receive(world)
        self.time_passes(world)

    def receive(self, world):
        """P1 and P2, from the input that has most."""
        room = SLOTS if world.dying else self.room(world)
        left = [len(queue) for queue in world.sockets] + [len(world.stream)]
        source = left.index(max(left))
        if not room or not left[source]:
            return
        if source == STREAM:
            yield from self.read_stream(world)
        else:
            yield from self.read_datagrams(world, source, min(room, SLOTS))

    def read_datagrams(self, world, source, count):
        """recvmmsg: each datagram's bytes and length are in its slot before a kill can act."""
        if self.mutant != 'slots.input after P2':
            world.slots_input = source
            yield 'slots.input'
        private = []
        for slot in range(min(count, len(world.sockets[source]))):
            message = world.sockets[source].pop(0)
            if self.mutant == 'private buffers':
                private.append(message)
            else:
                world.slots[slot] = message
            yield 'P2 datagram'
        if private:
            world.slots[:len(private)] = private
            yield 'copied'
        world.slots_input = source
        yield 'slots.input'

    def read_stream(self, world):
        """recvmmsg into area[in mod size]; then the three sets."""
        conn = world.conn
        at = conn.in_ % AREA
        count = min(READ, AREA - at, AREA - (conn.in_ - conn.out), len(world.stream))
        conn.area[at:at + count] = world.stream[:count]
        del world.stream[:count]
        conn.msg_len = count
        yield 'P2 stream'
        yield from self.finish_read(conn)

    def finish_read(self, conn):
        """The three sets, after a read and at a start."""
        if conn.msg_len is not EMPTY:
            length = conn.msg_len
            if self.mutant == 'read_base first':
                conn.read_base += length
                yield 'read_base'
                length = 0
            if self.mutant == 'msg_len emptied first':
                conn.msg_len = EMPTY
                yield 'msg_len'
            conn.in_ = (conn.in_ if self.mutant == 'in += msg_len' else conn.read_base) + length
            yield 'in'
            conn.msg_len = EMPTY
            yield 'msg_len'
        if conn.read_base != conn.in_:
            conn.read_base = conn.in_
            yield 'read_base'

    # ---- publish ----------------------------------------------------------------------------

    def publish(self, world, source):
        """P3 to P6 for one burst of one source, to the ring or, in the final drain, the file."""
        waiting = self.waiting(world, source)
        spills = world.overflow_out != world.overflow_in
        if self.mutant == 'ring beside the file':
            spills = False
        if world.dying and (spills or not self.room(world)):
            yield from self.decide_as_overflow(world, source, waiting)
        elif self.room(world):
            yield from self.decide(world, source, waiting)
        else:
            return
        yield from self.finish_burst(world)

    def decide(self, world, source, waiting):
        """P3 and P4: the burst is cut where the journal or the ring is full."""
        world.mind ^= 1
        admitted, rejected, journal = [], [], {}
        for origin, message in waiting:
            verdict = VERDICTS[message // 100][message % 100]
            yes = verdict == 'o' or verdict == 'm' and world.mind == 1
            row = 2 * topic(message) + (not yes)
            if row not in journal and len(journal) == JOURNAL:
                break
            if yes and len(admitted) == self.room(world):
                break
            journal[row] = journal.get(row, world.counters[row]) + 1
            (admitted if yes else rejected).append((origin, message))
        count = len(admitted) + len(rejected)
        early, late = self.mutant == 'P5 before P4', self.mutant == 'P4 before P3'
        if early:
            self.fill_stage(world, source, count, journal)
            yield from self.release(world)
        world.ring = world.ring[:world.tail] + admitted
        yield 'P3 records'
        if not early and not late:
            self.fill_stage(world, source, count, journal)
            yield 'P3 stage'
        if self.mutant == 'no no_append' and not admitted:
            world.rejected += [message for _, message in rejected]
            yield from self.set_counters(world)
            yield from self.release(world)
            return
        world.rejected += [message for _, message in rejected]  # decided: by the very next store
        if admitted:
            world.tail += len(admitted)
        else:
            world.no_append = 1
        yield 'P4'
        if late:
            self.fill_stage(world, source, count, journal)
            yield 'P3 stage'

    def decide_as_overflow(self, world, source, waiting):
        """The same for a burst that the ring cannot take in the final drain: nothing counts yet."""
        stage = world.stage
        at = world.overflow_in
        if world.file is None:
            world.file = []
            yield 'O_CREAT'
        if self.mutant == 'appended at the end of file':
            at = len(world.file)
        if self.mutant == 'no_append before pwrite':
            self.fill_stage(world, source, len(waiting), {}, at + len(waiting))
            world.no_append = 2
            yield 'P4 overflow'
        world.file += [EMPTY] * (at - len(world.file))
        for offset, record in enumerate(waiting):
            world.file[at + offset:at + offset + 1] = [record]
            yield 'pwrite'
        self.fill_stage(world, source, len(waiting), {}, at + len(waiting))
        yield 'P3 stage'
        if self.mutant == 'file without no_append':
            world.overflow_in = stage.overflow_in
            yield 'overflow_in'
            yield from self.release(world)
            return
        if self.mutant == 'counted at the file':
            for origin, message in waiting:
                world.counters[2 * topic(message)] += 1
        world.no_append = 2
        yield 'P4 overflow'

    def fill_stage(self, world, source, count, journal, overflow_in=0):
        """What P5 will need; means nothing before P4."""
        stage = world.stage
        stage.source, stage.overflow_in = source, overflow_in
        stage.journal = sorted(journal.items())
        if source == DATAGRAMS:
            stage.first = min(n for n, slot in enumerate(world.slots) if slot is not EMPTY)
            stage.end = stage.first + count
        elif source == CONNECTION:
            stage.out = world.conn.out + 2 * count
        else:
            stage.out = world.overflow_out + count

    def finish_burst(self, world):
        """P5 and P6, after P4 or at a start: sets only, so that they can be done again."""
        early = self.mutant == 'P6 before P5'
        if early:
            yield from self.reset_stage(world)
        yield from self.set_counters(world)
        if world.no_append == 2:
            world.overflow_in = world.stage.overflow_in
            yield 'P5 overflow_in'
        yield from self.release(world)
        if not early:
            yield from self.reset_stage(world)

    def set_counters(self, world):
        """P5, first half."""
        for row, value in world.stage.journal:
            world.counters[row] = value
            yield 'P5 counter'
            if self.mutant == 'counters added':     # what `+=` does when it runs again
                world.stage.journal = [(r, v + (r == row)) for r, v in world.stage.journal]

    def release(self, world):
        """P5, second half: give the source back."""
        stage = world.stage
        if stage.source == DATAGRAMS:
            whole = self.mutant == 'whole array released'
            for slot in range(SLOTS) if whole else range(stage.first, stage.end):
                world.slots[slot] = EMPTY
                yield 'P5 slot'
        elif stage.source == CONNECTION:
            if self.mutant == 'no stage for streams':
                stage.source = ''
                yield 'tail only'
                stage.source = CONNECTION
            world.conn.out = stage.out
            yield 'P5 conn.out'
        elif stage.source == OVERFLOW:
            world.overflow_out = stage.out
            yield 'P5 overflow_out'

    @staticmethod
    def reset_stage(world):
        """P6."""
        world.base = world.tail
        yield 'P6 base'
        world.no_append = 0
        yield 'P6 no_append'

    # ---- the overflow file ------------------------------------------------------------------

    def retire_file(self, world):
        """All of it is in the ring: unlink first. A start that finds no file zeroes both words."""
        if self.mutant == 'out zeroed before unlink':
            world.overflow_out = 0
            yield 'overflow_out = 0'
        if self.mutant == 'in zeroed before unlink':
            world.overflow_in = 0
            yield 'overflow_in = 0'
        world.file = None
        yield 'unlink'
        if not self.positions_grow:
            yield from self.zero_positions(world)

    @staticmethod
    def zero_positions(world):
        """Only where there is no file."""
        if world.overflow_in:
            world.overflow_in = 0
            yield 'overflow_in = 0'
        if world.overflow_out:
            world.overflow_out = 0
            yield 'overflow_out = 0'

    # ---- the world around it ----------------------------------------------------------------

    def time_passes(self, world):
        """The kafka worker takes records; the supervisor dies when its hour has come."""
        if world.dying:
            return
        world.head = min(world.tail, world.head + self.scenario.consumed)
        last = world.life == len(self.scenario.lives) - 1
        if not last and self.unread(world) <= self.scenario.dies_at[world.life]:
            world.dying = True

    def bury(self, world):
        """A supervisor is dead and its intake, too: unread messages are gone; a new life."""
        world.gone += sum(world.sockets, []) + world.stream
        world.life += 1
        world.dying = False
        self.clients_send(world)

    def cut_stream(self, world):
        """A connection of an earlier life: what is left is an unfinished message."""
        conn = world.conn
        world.gone += [conn.area[at % AREA] for at in range(conn.out, conn.in_)]
        conn.out = conn.in_
        yield 'stream cut'
        conn.life = world.life
        yield 'conn opened'

    def room(self, world):
        """Records that the ring has room for."""
        return self.scenario.ring - (world.tail - world.head)

    @staticmethod
    def unread(world):
        """What is still in the kernel."""
        return len(world.sockets[0]) + len(world.sockets[1]) + (len(world.stream) + 1) // 2

    @staticmethod
    def complete(conn):
        """Whole messages in the area."""
        return (conn.in_ - conn.out) // 2

    def pending(self, world):
        """Something in slots or area that can be decided."""
        return any(slot is not EMPTY for slot in world.slots) or self.complete(world.conn) > 0

    def waiting(self, world, source):
        """The source's messages in order, each with the input it is believed to come from."""
        if source == DATAGRAMS:
            return [(world.slots_input, slot) for slot in world.slots if slot is not EMPTY]
        if source == CONNECTION:
            conn = world.conn
            return [(STREAM, self.parse(conn, conn.out + 2 * n))
                    for n in range(self.complete(conn))]
        records = (world.file or [])[world.overflow_out:world.overflow_in]
        if not records:
            raise Broken('overflow file unreadable')
        return [tuple(record) for record in records]

    @staticmethod
    def parse(conn, at):
        """A message's two bytes; anything else is a garbled stream."""
        first, second = conn.area[at % AREA], conn.area[(at + 1) % AREA]
        if first != second:
            raise Broken('garbled')
        return first

    def finished(self, world):
        """The last life, and nothing anywhere."""
        return (world.life == len(self.scenario.lives) - 1 and not self.unread(world)
                and not self.pending(world) and world.file is None
                and world.overflow_in == world.overflow_out)

    # ---- the judges -------------------------------------------------------------------------

    def inspect(self, world, step):
        """The books as a reader sees them at any step must be what was decided."""
        del step
        counters = list(world.counters)
        if world.tail != world.base or world.no_append:
            for row, value in world.stage.journal:
                counters[row] = value
        true = [0] * 4
        for _, message in world.ring[:world.tail]:
            true[2 * topic(message)] += 1
        for message in world.rejected:
            true[2 * topic(message) + 1] += 1
        return [] if counters == true else ['books']

    def judge(self, world):
        """Every message once, in order, from the input that it came from."""
        problems = self.inspect(world, TURN)
        kept = [message for _, message in world.ring[:world.tail]]
        fates = kept + world.rejected
        sent = {message for life in self.scenario.lives for queue in life for message in queue}
        if sent - set(fates) - set(world.gone):
            problems.append('lost')
        if len(fates) != len(set(fates)) or set(fates) & set(world.gone):
            problems.append('doubled')
        for number in range(3):
            mine = [message for message in kept if message // 100 == number]
            if mine != sorted(mine) and 'doubled' not in problems:
                problems.append('order')
        if any(origin != message // 100 for origin, message in world.ring[:world.tail]):
            problems.append('wrong input')
        return problems
