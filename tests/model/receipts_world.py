"""What the two workers share of receipts, in the words of shm/layout.h, and what clients send."""

from typing import NamedTuple

from interleavings import World

SLOTS = 2  # R: tickets, and outcomes
AREA = 4  # bytes of an answer area; an answer has two
ANSWER = 2
NO_CODE, DELIVERED, REJECTED, CORRUPT, GIVEN_UP, REFUSED = (
    'none delivered rejected corrupt given_up refused'.split()
)
FREE, OPEN, PINNED, SENT, ACKED, DISCARDED = 'free open pinned sent acked discarded'.split()


class Ticket(NamedTuple):
    """One that was asked for."""

    number: int = 0
    id: int = 0
    connection: int = 0
    generation: int = 0
    code: str = NO_CODE
    position: int = 0
    out_end: int = 0
    answered: int = 0
    done: int = 0


class Place(NamedTuple):
    """Where a ticket's record is."""

    number: int = 0
    order: int = 0
    index: int = 0


class Outcome(NamedTuple):
    """What became of it."""

    code: str = NO_CODE
    offset: int = -1
    number: int = 0


class Connection(NamedTuple):
    """An entry: messages up to `out` are decided; answers [sent, put) are to be sent."""

    generation: int = 0
    out: int = 0
    send_base: int = 0
    sent: int = 0
    put: int = 0
    area: int = 0
    answer_base: int = 0
    msg_len: int = None


class Stage(NamedTuple):
    """What P5 needs."""

    connection: int = 0
    out: int = 0
    last_ticket: int = 0


class Cell(NamedTuple):
    """The discard cell."""

    position: int = 0
    done: int = 0
    ticket: int = 0
    code: str = NO_CODE


class Batch(NamedTuple):
    """A descriptor; `state`, `first` and `count` are one word, `commit` and `end` another."""

    state: str = FREE
    first: int = 0
    count: int = 0
    commit: int = 0
    end: int = 0
    order: int = 0
    topic: int = 0
    waits: bool = False
    records: tuple = ()  # (message, ticket, position)
    offset: int = -1  # settled_offset
    code: str = NO_CODE  # discard_reason


class Scenario:
    """Clients, by generation, and what goes wrong. 1 is in entry 0; 2, then 3, in entry 1."""

    def __init__(
        self,
        clients,
        unasked=(),
        rejected=(),
        given_up=(),
        refused=(),
        refusals=9,
        damaged=(),
        late_topic=(),
        limit=9,
        chunk=9,
        areas=2,
        descriptors=3,
    ):
        self.clients = {n + 1: tuple(messages) for n, messages in enumerate(clients)}
        self.unasked = frozenset(unasked)  # ask for no receipt
        self.rejected = frozenset(rejected)
        self.given_up = frozenset(
            given_up
        )  # discarded by the cell, in the kafka worker's first life
        self.refused = frozenset(refused)  # by the broker,
        self.refusals = refusals  # so many times
        self.damaged = frozenset(damaged)  # a wild write may hit them
        self.late_topic = frozenset(late_topic)  # of a topic that Kafka does not know at first
        self.limit = limit  # records that a broker takes at once
        self.chunk = chunk  # bytes that the kernel takes at once
        self.areas = areas
        self.descriptors = descriptors

    def start_world(self):
        """An empty segment; clients have sent all their messages."""
        return World(
            # the intake's
            tail=0,
            base=0,
            decided=0,
            stage=Stage(),
            ring=(),
            last=0,
            tickets=(Ticket(),) * SLOTS,
            connections=(Connection(),) * 2,
            areas=((None,) * AREA,) * self.areas,
            # the kafka worker's
            head=0,
            cell=Cell(),
            places=(Place(),) * SLOTS,
            outcomes=(Outcome(),) * SLOTS,
            batches=(Batch(),) * self.descriptors,
            # the kernel's, the supervisor's (who is connected to an entry), clients', the broker's
            received=((),) * (len(self.clients) + 1),
            fd0=1,
            fd1=2 if 2 in self.clients else 0,
            gone=0,
            third=False,
            known=False,
            hit=(),
            log=(),
            refusals=0,
            # what is true: discards (message, code) of the kafka worker; rejects; tickets whose
            # slot was given back, and those taken for lost; answers as they were put
            fates=(),
            rejects=(),
            finished=(),
            taken_for_lost=(),
            put=(),
            # what they have in mind
            intake_up=False,
            seen=None,
            judged=None,
            kafka_up=False,
            first_life=True,
            at=None,
            waiting_at=None,
            tickets_of=(),
            next_order=0,
            answer=None,
        )


def change(table, entry, **fields):
    """The table with an entry changed."""
    return table[:entry] + (table[entry]._replace(**fields),) + table[entry + 1 :]


def is_free(ticket, last):
    """The slot may be taken."""
    return ticket.done == ticket.number or ticket.number > last


def waits_for(world, ticket):
    """The connection that asked for it is still there."""
    connection = world.connections[ticket.connection]
    return connection.generation == ticket.generation == getattr(world, f'fd{ticket.connection}')
