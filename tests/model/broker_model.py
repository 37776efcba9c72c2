"""The brokers as far as the promises need them: one leader per partition, idempotent producers.

A request is (epoch, base sequence, records). An exact repeat of one of the last five batches is
answered with success and not appended. Size and content are looked at before that, as Kafka does.
Faults are scripted: {(partition, n): fault} hits the n-th request that a partition handles.
"""

from explorer import Broken, Record

OK, TOO_LARGE, REFUSED, OUT_OF_ORDER, UNKNOWN = 'ok too_large refused out_of_order ?'.split()
REMEMBERED = 5
WRAP = 2 ** 31                              # sequences go from 0 to WRAP - 1

LOST_ANSWER = 'appended, the answer is lost'
LOST_REQUEST = 'the request is lost'
NEW_LEADER = 'appended and replicated, then another leader that remembers one batch; answered 6'
TRUNCATED = 'appended by a leader that falls before it has replicated'
FORGOT = 'the producer is forgotten before the request'
FORGOT_AFTER = 'appended, the answer is lost, the producer is forgotten'


class Broker:
    """The rules of a partition's leader; its memory is in the World."""

    def __init__(self, limit=9, refused=frozenset(), faults=None, shrinks_at=None, late=0,
                 first_sequence=0, long_ago=False):
        self.limit = limit              # records a request
        self.refused = refused          # records that the broker does not want
        self.faults = faults or {}
        self.shrinks_at = shrinks_at    # the n-th request from which the limit is 2
        self.late = late                # a dead worker's request comes after so many others
        self.first_sequence = first_sequence    # of a run: 2**31 is near
        self.long_ago = long_ago        # a day passes before a re-send: see forgotten()
        forgets = {FORGOT, FORGOT_AFTER} & set(self.faults.values())
        self.may_say_out_of_order = bool(forgets) or shrinks_at is not None
        self.ambiguous = shrinks_at is not None

    def new_partition(self, number):
        """A partition's log, its leader's memory, requests on their way."""
        return Record(number=number, log=[], epoch=0, next=self.first_sequence,
                      remembered=[], forgot=False, handled=0, pipe=[], late=[])

    def connections_cut(self, partitions):
        """The worker is dead, its bytes are not: the broker reads them sooner or later."""
        for partition in partitions:
            partition.late += [(self.late, request) for request in partition.pipe]
            partition.pipe = []
            self.handle_late(partition)

    def late_requests(self, partitions):
        """After the end: whatever is still on its way arrives."""
        for partition in partitions:
            partition.late = [(0, request) for _, request in partition.late]
            self.handle_late(partition)

    def handle_late(self, partition):
        """Requests of dead workers whose time has come; nobody reads the answers."""
        due = [request for wait, request in partition.late if wait == 0]
        partition.late = [(wait - 1, request) for wait, request in partition.late if wait]
        for request in due:
            self.handle(partition, request)

    def answer(self, partition):
        """The answer to the request in the pipe."""
        self.handle_late(partition)
        return self.handle(partition, partition.pipe.pop(0))

    def handle(self, partition, request):
        """One request, with the fault that is scripted for it."""
        fault = self.faults.get((partition.number, partition.handled))
        partition.handled = min(partition.handled + 1, 60)
        if fault == LOST_REQUEST:
            return UNKNOWN
        forgets = self.long_ago or request[1] != 0
        if fault == FORGOT and forgets:
            self.forget(partition)
        before = len(partition.log), partition.epoch, partition.next, list(partition.remembered)
        verdict = self.append(partition, *request)
        if fault == TRUNCATED:
            del partition.log[before[0]:]
            _, partition.epoch, partition.next, partition.remembered = before
        if fault == NEW_LEADER:
            del partition.remembered[:-1]
        if fault == FORGOT_AFTER and forgets:
            self.forget(partition)
        lost = (LOST_ANSWER, NEW_LEADER, TRUNCATED, FORGOT_AFTER)
        return UNKNOWN if fault in lost else verdict

    @staticmethod
    def forget(partition):
        """No state of our producer is left: sequence 0 is welcome, any other gets a 45.

        Without `long_ago` it hits only requests that get the 45. A repeated sequence 0 would be
        appended again: that is why what was SENT long ago is looked for before it is re-sent.
        """
        partition.forgot, partition.remembered, partition.epoch = True, [], 0

    def append(self, partition, epoch, base, records):
        """Kafka's checks, in Kafka's order."""
        shrunk = self.shrinks_at is not None and partition.handled > self.shrinks_at
        if len(records) > (2 if shrunk else self.limit):
            return TOO_LARGE
        if self.refused & set(records):
            return REFUSED
        if not partition.forgot and epoch < partition.epoch:
            raise Broken('fenced')
        if (epoch, base, len(records)) in map(tuple, partition.remembered):
            return OK
        expected = 0 if partition.forgot or epoch > partition.epoch else partition.next
        if base != expected:
            return OUT_OF_ORDER
        partition.forgot = False
        partition.epoch, partition.next = epoch, (base + len(records)) % WRAP
        partition.remembered = (partition.remembered
                                + [(epoch, base, len(records))])[-REMEMBERED:]
        partition.log += records
        return OK

    @staticmethod
    def is_in_log(partition, records):
        """What a reader of the log finds; windows are appended whole or not at all."""
        return records[0] in partition.log
