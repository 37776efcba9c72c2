"""Batch descriptors, and what a record is like by its number."""

from explorer import Record

FREE, OPEN, PINNED, SENT, ACKED, DISCARDED = 'free open pinned sent acked discarded'.split()
ANY, KEY, WAITING = 'any', 'key', 'waiting'
CAPACITY = {ANY: 4, KEY: 4, WAITING: 4}     # a batch's size; a record has 1 or 2


def topic(record):
    """The topic a record belongs to."""
    return record // 2 % 2


def kind(record):
    """Every third record has a key."""
    return KEY if record % 3 == 0 else ANY


def key_partition(record):
    """The partition that a key means."""
    return 2 * topic(record) + record // 6 % 2


def size(record):
    """So that a batch may have room for a small record and none for a large one."""
    return 2 if record % 7 in (4, 5) else 1


def partitions_of(row):
    """A topic's partitions."""
    return range(2 * row, 2 * row + 2)


def new_batch():
    """A free descriptor. `state` is one word: state, first, count."""
    return Record(state=(FREE, 0, 0), kind='', topic=0, partition=-1, order=-1,
                  records=[], commit=0, end=[0, 0], epoch=0, base=0,
                  total_after=0, unknown=0)


def live(batch):
    """The descriptor holds something."""
    return batch.state[0] != FREE


def left(batch):
    """Records that wait to be sent."""
    return batch.state[0] in (OPEN, PINNED) and batch.commit > batch.state[1]


def end_of(batch):
    """The ring position after the last committed record."""
    return batch.end[batch.commit & 1]
