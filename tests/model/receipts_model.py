"""Receipts: tickets, outcomes, answers; the intake and the kafka worker side by side.

Two connections, of which one goes away and leaves its entry to another client, two slots for
tickets, a few messages: delivered in whole and in halved windows, rejected, given up, refused,
damaged in the ring or in a waiting batch, without a wish for a receipt. A client's bytes must be
whole answers, one for each message that asked, each with what really became of that message; no
slot may be taken while it is needed; nothing may be stuck.
"""

from receipts_intake import Intake
from receipts_kafka import KafkaWorker
from receipts_world import ANSWER, CORRUPT, DELIVERED, REJECTED, SLOTS, is_free

INTAKE, KAFKA = 'intake', 'kafka worker'
# Steps that the other worker, a client or a judge may see at once. All other ones change what only
# their worker reads while it is up.
SEEN = (
    'P4',
    'closed',
    'C3 number',
    'place number = 0',
    "C4' position",
    'outcome number',
    'C5 head',
    'head',
    'C8 write',
    'C10',
)


class ReceiptsModel:
    """The design, or with `mutant` a design with one rule broken."""

    PRIVATE = {
        INTAKE: {'intake_up': False, 'seen': None, 'judged': None},
        KAFKA: {
            'kafka_up': False,
            'first_life': False,
            'at': None,
            'waiting_at': None,
            'tickets_of': (),
            'next_order': 0,
            'answer': None,
        },
    }

    def __init__(self, scenario, mutant=''):
        self.scenario = scenario
        self.seen = set(SEEN)
        if mutant:
            self.seen |= {'outcome fields'}
        self.workers = {INTAKE: Intake(scenario, mutant), KAFKA: KafkaWorker(scenario, mutant)}

    def start_world(self):
        """As the scenario has it."""
        return self.scenario.start_world()

    def turns(self, world, who):
        """What a worker may do next, and whether nobody can change that."""
        turns, sure = self.workers[who].turns(world)
        concerned = [
            name for name, _ in self.events(world) if (name[:6] == 'client') == (who == INTAKE)
        ]
        return turns, sure and not concerned

    def is_seen(self, name):
        """Whether a step may matter to the other worker, or to what clients and the world do."""
        return name in self.seen

    def events(self, world):
        """Clients, topics that become known, wild writes while the kafka worker is down."""
        if world.fd1 == 2 and not world.gone and 3 in self.scenario.clients:
            yield 'client 2 goes away', lambda w: w.__dict__.update(gone=1)
        if world.fd1 == 0 and 3 in self.scenario.clients and not world.third:
            yield 'client 3 connects', lambda w: w.__dict__.update(third=True, fd1=3)
        if self.scenario.late_topic and not world.known:
            yield 'topic known', lambda w: w.__dict__.update(known=True)
        down = not world.kafka_up and not getattr(world, f'plan of {KAFKA}')
        for message in self.scenario.damaged - set(world.hit) if down else ():
            if self.can_be_hit(world, message):
                yield 'damage', lambda w, hit=message: w.__dict__.update(hit=w.hit + (hit,))

    @staticmethod
    def can_be_hit(world, message):
        """It lies in the ring and is not drained, or waits."""
        position = next(
            (n + 1 for n, record in enumerate(world.ring[: world.tail]) if record[0] == message), 0
        )
        if not position:
            return False
        drained = max(
            [world.head, world.at or 0, world.cell.position]
            + [batch.end for batch in world.batches]
        )
        if position > drained:
            return True
        routed = [
            record[0]
            for batch in world.batches
            if not batch.waits
            for record in batch.records[: batch.commit]
        ]
        return message not in routed and any(
            batch.waits
            and message
            in [
                record[0]
                for record in batch.records[
                    batch.first if world.waiting_at is None else world.waiting_at : batch.commit
                ]
            ]
            for batch in world.batches
        )

    # ---- the judges -------------------------------------------------------------------------

    def inspect(self, world, name):
        """What must hold at that instant, looked at where it may have changed."""
        if name == 'intake: outcome read':
            return self.inspect_answer(world, *world.judged)
        if name == 'intake: A4 sendmmsg':
            return self.inspect_streams(world)
        if name == 'intake: P3 number':
            return self.inspect_slots(world)
        if name == 'kafka worker: outcome number':
            late = any(outcome.number in world.taken_for_lost for outcome in world.outcomes)
            return 'an outcome after its message was taken for lost' if late else ''
        return ''

    @staticmethod
    def inspect_slots(world):
        """A record's ticket is where its outcome will go, until it is done."""
        for _, number in world.ring[: world.tail]:
            if (
                number
                and world.tickets[number % SLOTS].number != number
                and number not in world.finished
            ):
                return 'a slot is taken that is needed'
        return ''

    def inspect_streams(self, world):
        """Whole answers in the order in which they were put, none twice, each of them true."""
        for generation, got in enumerate(world.received):
            told = []
            for at in range(0, len(got), ANSWER):
                answer = got[at : at + ANSWER]
                if any(
                    byte is None or byte != answer[0][:3] + (half,)
                    for half, byte in enumerate(answer)
                ):
                    return 'torn'
                told.append(answer[0][0])
                wrong = self.inspect_answer(world, generation, *answer[0][:3])
                if wrong:
                    return wrong
            if len(set(told)) < len(told):
                return 'doubled'
            if (
                told
                != [message for asked, message in world.put if asked == generation][: len(told)]
            ):
                return 'order'
        return ''

    def inspect_answer(self, world, generation, message, code, offset):
        """What is said is what is so; damage is so before it is found."""
        if message not in self.scenario.clients[generation] or message in self.scenario.unasked:
            return 'told to who did not ask'
        if code == DELIVERED:
            known = offset >= 0 or not world.first_life  # of a repetition brokers tell no offset
            true = message in world.log and known and offset in (-1, world.log.index(message))
        elif code == REJECTED:
            true = message in world.rejects
        else:
            true = (message, code) in world.fates or code == CORRUPT and message in world.hit
        return '' if true else f'{code} is not true'

    def judge(self, world):
        """Where nothing can go on: all is told, and all slots are free."""
        sent = [message for messages in self.scenario.clients.values() for message in messages]
        fates = list(world.log) + [message for message, _ in world.fates] + list(world.rejects)
        if not all(is_free(ticket, world.last) for ticket in world.tickets):
            return 'stuck: a ticket is not done'
        if sorted(fates) != sorted(sent):
            return (
                'stuck: messages are not decided'
                if len(fates) < len(sent)
                else 'a message has two fates'
            )
        for generation, messages in self.scenario.clients.items():
            if generation == 2 and world.gone:
                continue
            told = {byte[0] for byte in world.received[generation]}
            if any(
                byte[1] == CORRUPT and (byte[0], CORRUPT) not in world.fates
                for byte in world.received[generation]
            ):
                return 'corrupt is not true'
            if (
                told != set(messages) - self.scenario.unasked
                or len(world.received[generation]) % ANSWER
            ):
                return 'not told'
        return self.inspect_streams(world)
