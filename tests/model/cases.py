"""What is run: scenarios for the design as it is, and mutants that must be caught."""

from broker_model import (FORGOT, FORGOT_AFTER, LOST_ANSWER, LOST_REQUEST, NEW_LEADER, TRUNCATED)
from intake_model import IntakeModel, Scenario as Intake, inputs
from kafka_worker_model import KafkaWorkerModel, Scenario as Kafka
from receipts_model import ReceiptsModel
from receipts_world import Scenario as Receipts

INTAKE = {
    'sockets and a stream': Intake([inputs(range(10), range(8), range(8))], []),
    # Twice the supervisor dies with messages in the kernel and a full ring; the second time the
    # overflow file is still being read.
    'final drains': Intake([inputs(range(6), range(5), range(4)),
                            inputs(range(6, 11), range(5, 9), range(4, 6)),
                            inputs(range(11, 13), range(9, 12), range(6, 9))], [10, 11]),
    'small final drain': Intake([inputs(range(3), range(2), range(2)),
                                 inputs(range(3, 4), [], range(2, 3))], [4], ring=2, consumed=1),
}

KAFKA = {
    'windows': Kafka(discarded=(3, 10, 17), refused=(5, 14), limit=2),
    'waiting': Kafka(discarded=(3, 10, 17), known_at=(2, 4), limit=3),
    # Behind what is SENT and has no answer; some wait for their topic.
    'never sent': Kafka(records=20, expired=(1, 2, 4, 6, 9, 12, 13, 18), known_at=(0, 2), faults={
        (0, 0): LOST_REQUEST, (1, 0): LOST_REQUEST}),
    # Sequences wrap on the way; a dead worker's last request comes late.
    'answers': Kafka(first_sequence=2 ** 31 - 5, late=1, faults={
        (0, 0): LOST_ANSWER, (0, 2): TRUNCATED, (1, 1): NEW_LEADER, (2, 0): LOST_REQUEST,
        (3, 1): TRUNCATED}),
    'sick': Kafka(faults={(partition, n): fault for n in range(3) for partition, fault in (
        (0, LOST_REQUEST), (1, LOST_ANSWER), (2, LOST_REQUEST))}),
    'forgotten': Kafka(limit=3, faults={
        (0, 1): FORGOT, (1, 1): FORGOT_AFTER, (2, 2): FORGOT, (3, 1): FORGOT}),
    'forgotten long ago': Kafka(limit=3, long_ago=True, faults={
        (0, 1): FORGOT, (1, 1): FORGOT_AFTER, (2, 0): FORGOT, (2, 1): FORGOT,
        (3, 0): FORGOT_AFTER}),
    # The one scenario with doubles, each of them counted as possible before it happens.
    'limit shrinks': Kafka(shrinks_at=1),
    'everything': Kafka(records=30, descriptors=7, discarded=(3, 10, 17, 29), refused=(5, 14),
                        limit=3, known_at=(1, 3), first_sequence=2 ** 31 - 5, faults={
                            (0, 0): LOST_ANSWER, (0, 2): TRUNCATED, (1, 1): FORGOT,
                            (1, 3): NEW_LEADER, (2, 0): LOST_REQUEST, (2, 3): FORGOT_AFTER,
                            (3, 2): TRUNCATED, (3, 1): LOST_ANSWER}),
}

# Messages of connection 1; of 2, which may go away at any time; of 3, in the entry of 2.
RECEIPTS = {
    'two windows of a batch': Receipts([[1, 2]], limit=1),
    'not asked, rejected': Receipts([[1, 2, 3]], unasked=[1], rejected=[3]),
    'refused twice': Receipts([[1, 2]], refused=[1], refusals=2),
    'given up': Receipts([[1, 2]], given_up=[2]),
    'waiting': Receipts([[1, 2]], late_topic=[1, 2], given_up=[1]),
    'parts of answers': Receipts([[1, 2]], chunk=1, rejected=[2]),
    'slots again': Receipts([[1, 2, 3]], rejected=[2]),
    'one area': Receipts([[1], [2]], areas=1),
    'damage': Receipts([[1, 2]], damaged=[1]),
    'damage to waiting': Receipts([[1]], late_topic=[1], damaged=[1]),
    'a client goes away': Receipts([[], [1], [2]]),
}

# (model, scenario, number of kills; None: until no further kill leads to anything new)
DESIGNS = [
    ('intake', 'sockets and a stream', 2), ('intake', 'final drains', 2),
    ('intake', 'small final drain', None),
    ('intake, positions grow', 'final drains', 2),
    ('intake, positions grow', 'small final drain', None),
] + [('kafka worker', scenario, 2) for scenario in KAFKA] + [
    ('receipts', scenario, None) for scenario in RECEIPTS]

INTAKE_MUTANTS = {
    'sockets and a stream': [
        'private buffers', 'slots.input after P2', 'whole array released', 'read_base first',
        'msg_len emptied first', 'in += msg_len', 'P4 before P3', 'P5 before P4', 'P6 before P5',
        'no no_append', 'no stage for streams', 'counters added'],
    'final drains': [
        'start takes 2 for 1', 'no_append before pwrite', 'file without no_append',
        'appended at the end of file', 'counted at the file', 'slots before the file',
        'ring beside the file', 'out zeroed before unlink', 'in zeroed before unlink',
        'absence ignored'],
}

KAFKA_MUTANTS = {
    'windows': [
        'head alone', 'head without discard.pos', 'one end', 'OPEN before its fields',
        'C5 after SEND', 'cell not redone', 'cell without done', 'counters added',
        'next_sequence added', 'no ACKED', 'FREE before C11', 'SENT after the write',
        'two SENT of a partition', 'youngest first', 'pinned goes last'],
    'waiting': [
        'no first rule', 'ends of all topics', 'ends of waiting batches',
        'first without discard.pos', 'no reserve'],
    'never sent': [
        'C5 after a discard of what was never sent', 'total_after behind DISCARDED',
        'first without discard.pos'],
    'forgotten': ['45 on a re-send taken for no', 'SENT reopened at start'],
    'forgotten long ago': [
        'first = 0 is unpinned', 'no look before a late re-send', 'an older batch grows'],
    'limit shrinks': [
        'unknown_outcome not set at start', 'pinned taken for unpinned', 'a pinned batch grows'],
}

RECEIPTS_MUTANTS = {
    'two windows of a batch': [
        'place written after C4', 'outcomes written after C12',
        "outcome's number before its fields", '"lost" judged without head', 'head read last',
        'last stored before P4', 'an offset is kept'],
    'refused twice': ['outcomes written before C10'],
    'given up': ["the cell's outcome before `position`"],
    'parts of answers': [
        'A3 before A2', 'no `answered`', 'sent += msg_len', 'closed before it is answered'],
    'slots again': ['slot taken though its outcome is still to come'],
    'damage': ['order not cleared at the start', 'a torn place keeps its number'],
    'damage to waiting': ['waiting damage has no outcome'],
    'a client goes away': ['unsent bytes outlive their connection', 'generation not looked at'],
}

MUTANTS = ([('intake', scenario, name) for scenario, names in INTAKE_MUTANTS.items()
            for name in names]
           + [('kafka worker', scenario, name) for scenario, names in KAFKA_MUTANTS.items()
              for name in names]
           + [('receipts', scenario, name) for scenario, names in RECEIPTS_MUTANTS.items()
              for name in names])


def make_model(model, scenario, mutant=''):
    """The model of a case."""
    if model == 'kafka worker':
        return KafkaWorkerModel(KAFKA[scenario], mutant)
    if model == 'receipts':
        return ReceiptsModel(RECEIPTS[scenario], mutant)
    return IntakeModel(INTAKE[scenario], mutant, positions_grow=model.endswith('grow'))
