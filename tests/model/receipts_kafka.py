"""The kafka worker's part of receipts: places with C3, outcomes with C11 and C4', and its start.

What kafka_worker_model.py explores is here only as far as receipts see it: one partition, one
window at a time, a broker that knows a repetition and then tells no offset.
"""

from receipts_world import (
    ACKED,
    Batch,
    CORRUPT,
    Cell,
    DELIVERED,
    DISCARDED,
    FREE,
    GIVEN_UP,
    OPEN,
    PINNED,
    REFUSED,
    SENT,
    SLOTS,
    change,
)

CAPACITY = 2  # records of a batch


class KafkaWorker:
    """The design, or with `mutant` a design with one rule broken."""

    def __init__(self, scenario, mutant=''):
        self.scenario = scenario
        self.mutant = mutant

    def turns(self, world):
        """What it does next, and whether that is sure."""
        if not world.kafka_up:
            return [self.start], False
        if world.waiting_at is not None:
            return [self.drain_waiting], True
        if world.answer and world.at is None:
            return [self.settle], True
        if self.can_drain(world):
            return [self.drain_one], True
        if world.at is not None:
            return [self.end_pass], False
        if (
            self.find_waiting(world) is not None
            and world.known
            and self.can_place(world, 1, False)
        ):
            return [self.drain_waiting], False
        return [self.send] if self.choose(world) is not None else [], False

    # ---- start --------------------------------------------------------------------------------

    def start(self, world):
        """Recovery is the only start path."""
        cell = world.cell
        if cell.done != cell.position:
            yield from self.finish_discard(world)
        firsts = self.find_firsts(world)
        yield from self.mend_places(world, firsts)
        for number, batch in enumerate(world.batches):
            if batch.state in (ACKED, DISCARDED):
                yield from self.finish_settled(world, number, self.list_tickets(world))
            elif batch.state in (OPEN, PINNED) and batch.first == batch.commit:
                yield from self.set_batch(world, number, 'FREE', state=FREE)
        ends = [batch.end for batch in world.batches if batch.state != FREE]
        head = max([world.head, cell.position] + ends)
        if head != world.head:
            world.head = head
            yield 'head'
        for number, first in firsts.items():
            yield from self.pass_waiting(world, number, first, self.list_tickets(world))
        world.tickets_of = self.list_tickets(world)
        world.next_order = 1 + max(
            [batch.order for batch in world.batches if batch.state != FREE], default=0
        )
        world.kafka_up = True
        yield 'up'

    def find_firsts(self, world):
        """Of each waiting batch, the first record that is neither routed nor discarded."""
        found = {}
        for number, batch in enumerate(world.batches):
            if batch.state != OPEN or not batch.waits:
                continue
            ends = [
                other.end
                for other in world.batches
                if other.state != FREE and not other.waits and other.topic == batch.topic
            ]
            positions = [position for _, _, position in batch.records[: batch.commit]]
            if world.cell.position in positions:
                ends.append(world.cell.position)
            passed = sum(position <= max(ends, default=0) for position in positions)
            found[number] = max(batch.first, passed)
        return found

    def mend_places(self, world, firsts):
        """A place whose outcome is not there is that of a record in a live batch.

        Else C4 has not been: the record is in a waiting batch, or in the ring and not seen yet.
        """
        for slot in range(SLOTS):
            place = world.places[slot]
            if place.number == world.outcomes[slot].number:
                continue
            if any(
                batch.state != FREE and batch.order == place.order and place.index < batch.commit
                for batch in world.batches
            ):
                continue
            if self.mutant == 'order not cleared at the start':
                continue
            order, index = self.find_in_waiting(world, firsts, place.number)
            world.places = change(world.places, slot, order=0)
            yield 'place order = 0'
            if order:
                world.places = change(world.places, slot, index=index)
                yield 'place index'
                world.places = change(world.places, slot, order=order)
                yield 'place order'
            elif self.mutant != 'a torn place keeps its number':
                world.places = change(world.places, slot, number=0)
                yield 'place number = 0'

    def find_in_waiting(self, world, firsts, ticket):
        """(order, index) of the record, if it waits and is what it was."""
        for number, first in firsts.items():
            batch = world.batches[number]
            for index in range(first, batch.commit):
                message, asked, _ = batch.records[index]
                if (
                    asked == ticket
                    and message not in world.hit
                    and self.mutant != 'a torn place keeps its number'
                ):
                    return batch.order, index
        return 0, 0

    def list_tickets(self, world):
        """((order, index), ticket) of every place whose outcome is to come."""
        return tuple(
            ((place.order, place.index), place.number)
            for place, outcome in zip(world.places, world.outcomes)
            if place.order and place.number != outcome.number
        )

    # ---- drain --------------------------------------------------------------------------------

    def can_drain(self, world):
        """The next record of the ring has somewhere to go."""
        at = world.head if world.at is None else world.at
        if at >= world.tail:
            return False
        message = world.ring[at][0]
        if message in world.hit or self.gives_up(world, message):
            return True
        topic = message in self.scenario.late_topic
        return self.can_place(
            world, topic, topic and (not world.known or self.find_waiting(world) is not None)
        )

    def gives_up(self, world, message):
        """The kafka worker may change its mind: in another life it delivers it."""
        return (
            message in self.scenario.given_up
            and world.first_life
            and (message not in self.scenario.late_topic or world.known)
        )

    def can_place(self, world, topic, waits):
        """A batch takes it, or a descriptor is free; one is kept for draining waiting batches."""
        free = sum(batch.state == FREE for batch in world.batches)
        return self.growing(world, topic, waits) is not None or free > (
            0 if topic and not waits else 1
        )

    @staticmethod
    def growing(world, topic, waits):
        """The batch that takes one more."""
        for number, batch in enumerate(world.batches):
            if (batch.state, batch.topic, batch.waits) == (OPEN, topic, waits) and (
                batch.commit < CAPACITY and (waits or batch.first == 0)
            ):
                return number
        return None

    @staticmethod
    def find_waiting(world):
        """The oldest waiting batch."""
        waiting = [
            (batch.order, number)
            for number, batch in enumerate(world.batches)
            if batch.state == OPEN and batch.waits
        ]
        return min(waiting)[1] if waiting else None

    def drain_one(self, world):
        """C1 to C4, or C4', of the ring's next record."""
        at = world.head if world.at is None else world.at
        message, ticket = world.ring[at]
        topic = message in self.scenario.late_topic
        if message in world.hit:
            yield from self.discard(world, at + 1, message, 0, CORRUPT)
        elif topic and (not world.known or self.find_waiting(world) is not None):
            yield from self.put(world, (message, ticket, at + 1), 1, True)
        elif self.gives_up(world, message):
            yield from self.discard(world, at + 1, message, ticket, GIVEN_UP)
        else:
            yield from self.put(world, (message, ticket, at + 1), topic, False)
        world.at = at + 1
        yield 'next'

    @staticmethod
    def end_pass(world):
        """C5."""
        world.head, world.at = world.at, None
        yield 'C5 head'

    def put(self, world, record, topic, waits):
        """C2 to C4."""
        number = self.growing(world, topic, waits)
        if number is None:
            number = next(n for n, batch in enumerate(world.batches) if batch.state == FREE)
            world.batches = change(
                world.batches,
                number,
                **Batch(state=OPEN, order=world.next_order, topic=topic, waits=waits)._asdict()
            )
            world.next_order += 1
            yield 'OPEN'
        batch = world.batches[number]
        ticket, late = record[1], self.mutant == 'place written after C4'
        if ticket and not late:
            yield from self.set_place(world, ticket, batch)
        world.batches = change(
            world.batches,
            number,
            records=batch.records[: batch.commit] + (record,),
            commit=batch.commit + 1,
            end=record[2],
        )
        if ticket:
            world.tickets_of = tuple(entry for entry in world.tickets_of if entry[1] != ticket) + (
                ((batch.order, batch.commit), ticket),
            )
        yield 'C4 commit'
        if ticket and late:
            yield from self.set_place(world, ticket, batch)

    def set_place(self, world, ticket, batch):
        """C3 of one that asks."""
        slot = ticket % SLOTS
        world.places = change(world.places, slot, order=0)
        yield 'C3 order = 0'
        world.places = change(world.places, slot, index=batch.commit)
        yield 'C3 index'
        world.places = change(world.places, slot, number=ticket)
        yield 'C3 number'
        world.places = change(world.places, slot, order=batch.order)
        yield 'C3 order'

    def discard(self, world, position, message, ticket, code):
        """C4'."""
        world.cell = world.cell._replace(ticket=ticket, code=code)
        yield "C4' ticket"
        early = self.mutant == "the cell's outcome before `position`"
        if early and ticket:
            yield from self.set_outcome(world, ticket, code, -1)
        world.fates += ((message, code),)
        world.cell = world.cell._replace(position=position)
        yield "C4' position"
        yield from self.finish_discard(world)

    def finish_discard(self, world):
        """The rest of it; also at a start."""
        cell = world.cell
        if cell.ticket:
            yield from self.set_outcome(world, cell.ticket, cell.code, -1)
        world.cell = cell._replace(done=cell.position)
        yield "C4' done"

    def set_outcome(self, world, ticket, code, offset):
        """The number is stored last: what stands before it is said of it."""
        slot = ticket % SLOTS
        if self.mutant == "outcome's number before its fields":
            world.outcomes = change(world.outcomes, slot, number=ticket)
            yield 'outcome number'
        world.outcomes = change(world.outcomes, slot, code=code, offset=offset)
        yield 'outcome fields'
        world.outcomes = change(world.outcomes, slot, number=ticket)
        yield 'outcome number'

    # ---- a waiting batch ----------------------------------------------------------------------

    def drain_waiting(self, world):
        """One record of the oldest one, or C5 of the pass."""
        number = self.find_waiting(world)
        batch = world.batches[number]
        at = batch.first if world.waiting_at is None else world.waiting_at
        if at == batch.commit or not self.can_place(world, 1, False):
            world.waiting_at = None
            yield from self.pass_waiting(world, number, at, world.tickets_of)
            return
        message, ticket, position = batch.records[at]
        if message in world.hit:
            yield from self.discard(world, position, message, 0, CORRUPT)
            if self.mutant != 'waiting damage has no outcome':
                yield from self.set_outcomes_corrupt(world, batch, at, at + 1, world.tickets_of)
        elif self.gives_up(world, message):
            yield from self.discard(world, position, message, ticket, GIVEN_UP)
        else:
            yield from self.put(world, (message, ticket, position), 1, False)
        world.waiting_at = at + 1
        yield 'next'

    def pass_waiting(self, world, number, first, tickets):
        """`first` moves; who is behind it and still in this batch was damaged."""
        batch = world.batches[number]
        if self.mutant != 'waiting damage has no outcome':
            yield from self.set_outcomes_corrupt(world, batch, batch.first, first, tickets)
        if first == batch.commit:
            yield from self.set_batch(world, number, 'FREE', state=FREE)
        elif first != batch.first:
            yield from self.set_batch(world, number, 'C5 first', first=first)

    def set_outcomes_corrupt(self, world, batch, first, end, tickets):
        """Of the records [first, end) that are in this batch and have no outcome."""
        for (order, index), ticket in tickets:
            if (
                order == batch.order
                and first <= index < end
                and world.outcomes[ticket % SLOTS].number != ticket
            ):
                yield from self.set_outcome(world, ticket, CORRUPT, -1)

    @staticmethod
    def set_batch(world, number, name, **fields):
        """One word of a descriptor."""
        if fields.get('state') == FREE:
            fields = Batch()._asdict()
        world.batches = change(world.batches, number, **fields)
        yield name

    # ---- send and settle ----------------------------------------------------------------------

    @staticmethod
    def choose(world):
        """SENT again, or PINNED, or the oldest."""
        rank = {SENT: 0, PINNED: 1, OPEN: 2}
        mine = [
            (rank[batch.state], batch.order, number)
            for number, batch in enumerate(world.batches)
            if batch.state in rank and not batch.waits and batch.commit > batch.first
        ]
        return min(mine)[2] if mine else None

    def send(self, world):
        """C7 and C8; the broker's answer is known to nobody but this life."""
        number = self.choose(world)
        batch = world.batches[number]
        if batch.state != SENT:
            yield from self.set_batch(
                world, number, 'C7 SENT', state=SENT, count=batch.commit - batch.first
            )
            batch = world.batches[number]
        window = tuple(
            record[0] for record in batch.records[batch.first : batch.first + batch.count]
        )
        world.answer = (number,) + self.ask_broker(world, window)
        yield 'C8 write'

    def ask_broker(self, world, window):
        """(what it says, offset)."""
        if window[0] in world.log:
            return DELIVERED, -1
        if len(window) > self.scenario.limit:
            return 'too large', -1
        if self.scenario.refused & set(window) and world.refusals < self.scenario.refusals:
            world.refusals += 1
            return REFUSED, -1
        world.log += window
        return DELIVERED, len(world.log) - len(window)

    def settle(self, world):
        """C9 to C12, or less of it is sent."""
        (number, said, offset), world.answer = world.answer, None
        batch = world.batches[number]
        if said != DELIVERED and batch.count > 1:
            yield from self.set_batch(world, number, 'halved', count=batch.count // 2)
            return
        if said == DELIVERED and not (self.mutant == 'an offset is kept' and offset < 0):
            yield from self.set_batch(world, number, 'C9 settled_offset', offset=offset)
        if said != DELIVERED:
            yield from self.set_batch(world, number, 'C9 reason', code=REFUSED)
        state = ACKED if said == DELIVERED else DISCARDED
        if self.mutant == 'outcomes written before C10':
            decided = world.batches[number]._replace(state=state)
            yield from self.set_outcomes(world, decided, world.tickets_of)
        if state == DISCARDED:
            world.fates += ((batch.records[batch.first][0], REFUSED),)
        yield from self.set_batch(world, number, 'C10', state=state)
        yield from self.finish_settled(world, number, world.tickets_of)

    def set_outcomes(self, world, batch, tickets):
        """C11: of each ticket of the window whose outcome is to come."""
        for (order, index), ticket in tickets:
            if order == batch.order and batch.first <= index < batch.first + batch.count:
                known = batch.state == ACKED and batch.offset >= 0
                code = DELIVERED if batch.state == ACKED else batch.code
                yield from self.set_outcome(
                    world, ticket, code, batch.offset + index - batch.first if known else -1
                )

    def finish_settled(self, world, number, tickets):
        """C11 and C12."""
        batch = world.batches[number]
        end = batch.first + batch.count
        if self.mutant != 'outcomes written after C12':
            yield from self.set_outcomes(world, batch, tickets)
        if end == batch.commit:
            yield from self.set_batch(world, number, 'C12 FREE', state=FREE)
        else:
            yield from self.set_batch(
                world, number, 'C12 PINNED', state=PINNED, first=end, count=0
            )
        if self.mutant == 'outcomes written after C12':
            yield from self.set_outcomes(world, batch, tickets)
