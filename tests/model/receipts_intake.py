"""The intake's part of receipts: tickets with P3 to P6, answers with A1 to A5, connections."""

from receipts_world import (
    ANSWER,
    AREA,
    CORRUPT,
    NO_CODE,
    REJECTED,
    SLOTS,
    Stage,
    change,
    is_free,
    waits_for,
)

BURST = 2  # messages


class Intake:
    """The design, or with `mutant` a design with one rule broken."""

    def __init__(self, scenario, mutant=''):
        self.scenario = scenario
        self.mutant = mutant

    def turns(self, world):
        """What it may do next, and whether that is sure. Connections come first."""
        if not world.intake_up:
            return [self.start], False
        found = [turn for turn in (self.turn_of(world, entry) for entry in range(2)) if turn]
        if found:
            return found, True
        if self.would_see(world):
            found.append(self.note_seen)
        for slot in sorted(range(SLOTS), key=lambda slot: world.tickets[slot].number):
            if self.is_open(world, slot) and self.judge_ticket(world, slot):
                found.append(lambda w, slot=slot: self.settle(w, slot))
                break
        return found, False

    def start(self, world):
        """Recovery is the only start path."""
        if world.tail != world.base or world.decided:
            yield from self.finish_burst(world)
        for entry in range(2):
            yield from self.finish_sending(world, entry)
        for slot in range(SLOTS):
            ticket = world.tickets[slot]
            if ticket.answered == ticket.number != ticket.done:
                yield from self.finish_answer(world, slot)
        world.intake_up = True
        yield 'up'

    # ---- connections --------------------------------------------------------------------------

    def turn_of(self, world, entry):
        """What a connection is ready for."""
        connection = world.connections[entry]
        connected = getattr(world, f'fd{entry}')
        if connection.generation != connected:
            if (
                connection.sent != connection.put
                and self.mutant != 'unsent bytes outlive their connection'
            ):
                return lambda w: self.forget_unsent(w, entry)
            if connected and not self.messages_of(world, entry):
                return lambda w: self.open(w, entry)
        elif connected == 2 and world.gone:
            return lambda w: self.close(w, entry)
        if connection.sent != connection.put and connection.generation == connected:
            return lambda w: self.send(w, entry)
        if self.take_burst(world, entry):
            return lambda w: self.publish(w, entry)
        if (
            connection.generation == connected != 0
            and not self.messages_of(world, entry)
            and (
                not self.open_tickets(world, entry)
                or self.mutant == 'closed before it is answered'
            )
        ):
            return lambda w: self.close(w, entry)
        return None

    @staticmethod
    def open(world, entry):
        """S1 and the like are not here. Positions go on; generation is stored last."""
        world.connections = change(
            world.connections, entry, generation=getattr(world, f'fd{entry}'), out=0
        )
        yield 'opened'

    @staticmethod
    def close(world, entry):
        """The client has sent its last and has its answers, or can't be written to."""
        setattr(world, f'fd{entry}', 0)
        yield 'closed'

    @staticmethod
    def forget_unsent(world, entry):
        """Of a connection that is gone; before another one has the entry."""
        world.connections = change(world.connections, entry, sent=world.connections[entry].put)
        yield 'unsent forgotten'
        world.connections = change(
            world.connections, entry, send_base=world.connections[entry].sent
        )
        yield 'send_base'

    def messages_of(self, world, entry):
        """What was received and is not decided."""
        connection = world.connections[entry]
        return self.scenario.clients.get(connection.generation, ())[connection.out :]

    # ---- publish ------------------------------------------------------------------------------

    def open_tickets(self, world, entry):
        """How many slots hold one of the entry's connection."""
        generation = world.connections[entry].generation
        return sum(
            self.is_open(world, slot)
            and world.tickets[slot].connection == entry
            and world.tickets[slot].generation == generation
            for slot in range(SLOTS)
        )

    @staticmethod
    def is_open(world, slot):
        """The slot holds a ticket that was decided and is not done."""
        return not is_free(world.tickets[slot], world.last)

    def find_number(self, world, last):
        """The next number whose slot is free: above `last`, the burst's, and no slot twice."""
        most = world.last + SLOTS
        if self.mutant == 'slot taken though its outcome is still to come':
            return last + 1 if last < most else 0
        return next(
            (
                n
                for n in range(last + 1, most + 1)
                if is_free(world.tickets[n % SLOTS], world.last)
            ),
            0,
        )

    def find_area(self, world, entry):
        """The one that it has, or a free one; None."""
        held = {
            other: world.connections[other].area
            for other in range(2)
            if world.connections[other].sent != world.connections[other].put
            or self.open_tickets(world, other)
        }
        if entry in held:
            return held[entry]
        return next(
            (area for area in range(self.scenario.areas) if area not in held.values()), None
        )

    def take_burst(self, world, entry):
        """[(message, number or 0)]: cut where one that asks has no slot or no room."""
        burst, last = [], world.last
        connection = world.connections[entry]
        asks = connection.generation == getattr(world, f'fd{entry}')
        room = AREA - (connection.put - connection.sent) - ANSWER * self.open_tickets(world, entry)
        if asks and self.find_area(world, entry) is None:
            room = 0
        for message in self.messages_of(world, entry)[:BURST]:
            number = 0
            if asks and message not in self.scenario.unasked:
                number = self.find_number(world, last)
                if not number or room < ANSWER:
                    break
                last, room = number, room - ANSWER
            burst.append((message, number))
        return burst

    def publish(self, world, entry):
        """P3 to P6."""
        burst = self.take_burst(world, entry)
        records, rejects = [], []
        last = max([world.last] + [number for _, number in burst])
        if last != world.last:
            yield from self.bind_area(world, entry)
        for message, number in burst:
            if message in self.scenario.rejected:
                rejects.append(message)
            else:
                records.append((message, number))
            if number:
                yield from self.fill_ticket(world, entry, message, number, len(records))
        world.ring = world.ring[: world.tail] + tuple(records)
        yield 'P3 records'
        world.stage = Stage(entry, world.connections[entry].out + len(burst), last)
        yield 'P3 stage'
        if self.mutant == 'last stored before P4':
            world.last = last
            yield 'last'
        world.rejects += tuple(rejects)
        if records:
            world.tail += len(records)
        else:
            world.decided = 1
        yield 'P4'
        yield from self.finish_burst(world)

    def bind_area(self, world, entry):
        """Means something only once there are tickets or bytes."""
        connection = world.connections[entry]
        if connection.sent != connection.put or self.open_tickets(world, entry):
            return
        area = self.find_area(world, entry)
        world.connections = change(world.connections, entry, area=area, answer_base=connection.put)
        yield 'P3 area'

    def fill_ticket(self, world, entry, message, number, records):
        """P3 of one that asks. A reject has no record: its position says nothing."""
        slot = number % SLOTS
        rejected = message in self.scenario.rejected
        world.tickets = change(world.tickets, slot, number=number)
        yield 'P3 number'
        world.tickets = change(
            world.tickets,
            slot,
            id=message,
            connection=entry,
            generation=world.connections[entry].generation,
            code=REJECTED if rejected else NO_CODE,
            position=world.tail + records,
        )
        yield 'P3 ticket'

    @staticmethod
    def finish_burst(world):
        """P5 and P6."""
        stage = world.stage
        if world.last != stage.last_ticket:
            world.last = stage.last_ticket
            yield 'P5 last'
        world.connections = change(world.connections, stage.connection, out=stage.out)
        yield 'P5 out'
        world.base = world.tail
        yield 'P6 base'
        if world.decided:
            world.decided = 0
            yield 'P6 decided'

    # ---- answers ------------------------------------------------------------------------------

    def look(self, world):
        """What is read first: `head`. What the kafka worker stores before it is there then."""
        if self.mutant == 'head read last':
            return world.places, world.outcomes
        return world.head

    def would_see(self, world):
        """There is a ticket for which it matters."""
        now = self.look(world)
        if self.mutant == 'head read last':
            return now != world.seen
        return any(
            self.is_open(world, slot) and (world.seen or 0) < world.tickets[slot].position <= now
            for slot in range(SLOTS)
        )

    def note_seen(self, world):
        """Keeps it."""
        world.seen = self.look(world)
        yield 'head read'

    def judge_ticket(self, world, slot):
        """(code, offset) of what became of a message; None: nothing yet."""
        ticket = world.tickets[slot]
        if ticket.code != NO_CODE:
            return ticket.code, -1
        head, places, outcomes = world.seen or 0, world.places, world.outcomes
        if self.mutant == 'head read last':
            head, (places, outcomes) = world.head, world.seen or (places, outcomes)
        outcome = outcomes[slot]
        if outcome.number == ticket.number:
            return outcome.code, outcome.offset
        passed = head >= ticket.position or self.mutant == '"lost" judged without head'
        if passed and places[slot].number != ticket.number:
            return CORRUPT, -1
        return None

    def settle(self, world, slot):
        """A1 to A3."""
        ticket = world.tickets[slot]
        code, offset = self.judge_ticket(world, slot)
        if ticket.code == NO_CODE and world.outcomes[slot].number != ticket.number:
            world.taken_for_lost = tuple(sorted({*world.taken_for_lost, ticket.number}))
        world.judged = (ticket.generation, ticket.id, code, offset)
        yield 'outcome read'
        world.judged = None
        if not waits_for(world, ticket) and self.mutant != 'generation not looked at':
            yield from self.finish_ticket(world, slot)
            return
        entry = ticket.connection
        for half in range(ANSWER):
            self.store_byte(world, entry, half, (ticket.id, code, offset, half))
            yield 'A1 byte'
        world.tickets = change(world.tickets, slot, out_end=world.connections[entry].put + ANSWER)
        yield 'A1 out_end'
        if self.mutant != 'no `answered`':
            world.tickets = change(world.tickets, slot, answered=ticket.number)
            yield 'A1 answered'
        yield from self.finish_answer(world, slot)

    @staticmethod
    def store_byte(world, entry, half, byte):
        """Into the area, behind `put`."""
        connection = world.connections[entry]
        area = list(world.areas[connection.area])
        area[(connection.put + half - connection.answer_base) % AREA] = byte
        world.areas = (
            world.areas[: connection.area] + (tuple(area),) + world.areas[connection.area + 1 :]
        )

    def finish_answer(self, world, slot):
        """A2 and A3, after A1 or at a start."""
        ticket = world.tickets[slot]
        if self.mutant == 'A3 before A2':
            yield from self.finish_ticket(world, slot)
        if world.connections[ticket.connection].put != ticket.out_end:
            world.put += ((ticket.generation, ticket.id),)
            world.connections = change(world.connections, ticket.connection, put=ticket.out_end)
        yield 'A2 put'
        if self.mutant != 'A3 before A2':
            yield from self.finish_ticket(world, slot)

    @staticmethod
    def finish_ticket(world, slot):
        """A3."""
        number = world.tickets[slot].number
        world.finished += (number,)
        world.tickets = change(world.tickets, slot, done=number)
        yield 'A3 done'

    def send(self, world, entry):
        """A4: the kernel takes what it has room for, and says how much before a kill can act."""
        connection = world.connections[entry]
        count = min(connection.put - connection.sent, self.scenario.chunk)
        area = world.areas[connection.area]
        taken = tuple(
            area[(connection.sent + n - connection.answer_base) % AREA] for n in range(count)
        )
        at = connection.generation
        world.received = (
            world.received[:at] + (world.received[at] + taken,) + world.received[at + 1 :]
        )
        world.connections = change(world.connections, entry, msg_len=count)
        yield 'A4 sendmmsg'
        yield from self.finish_sending(world, entry)

    @staticmethod
    def wipe_area(world, entry):
        """No store of the design: what nobody may read any more is not to make Worlds different."""
        connection = world.connections[entry]
        kept = {
            (position - connection.answer_base) % AREA
            for position in range(connection.sent, connection.put)
        }
        area = tuple(
            byte if n in kept else None for n, byte in enumerate(world.areas[connection.area])
        )
        world.areas = world.areas[: connection.area] + (area,) + world.areas[connection.area + 1 :]

    def finish_sending(self, world, entry):
        """A5, after A4 or at a start."""
        connection = world.connections[entry]
        if connection.msg_len is not None:
            base = connection.sent if self.mutant == 'sent += msg_len' else connection.send_base
            world.connections = change(world.connections, entry, sent=base + connection.msg_len)
            yield 'A5 sent'
            world.connections = change(world.connections, entry, msg_len=None)
            yield 'A5 msg_len'
        if connection.send_base != world.connections[entry].sent:
            world.connections = change(
                world.connections, entry, send_base=world.connections[entry].sent
            )
            self.wipe_area(world, entry)
            yield 'A5 send_base'
