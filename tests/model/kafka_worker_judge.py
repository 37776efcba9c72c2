"""What must be true of the kafka worker's model at every step, at every TURN and at its end."""

from batch import ACKED, ANY, DISCARDED, KEY, SENT, kind, live, topic
from explorer import TURN


class KafkaWorkerJudge:
    """Of a model that has `scenario` and `broker`."""

    def inspect(self, world, step):
        """At most one descriptor is between C10 and C12; at every TURN the books balance."""
        if sum(batch.state[0] in (ACKED, DISCARDED) for batch in world.batches) > 1:
            return ['two settling']
        return self.inspect_turn(world) if step == TURN else []

    @staticmethod
    def inspect_turn(world):
        """One window a partition, and what is buffered, counted, closes the books."""
        sent = [batch.partition for batch in world.batches if batch.state[0] == SENT]
        if len(sent) != len(set(sent)):
            return ['two in flight']
        for row in range(2):
            buffered = sum(topic(record) == row for record in range(world.head, world.tail))
            buffered += sum(batch.commit - batch.state[1] for batch in world.batches
                            if live(batch) and batch.topic == row)
            appended = sum(topic(record) == row for record in range(world.tail))
            if appended != world.delivered[row] + world.discarded[row] + buffered:
                return ['books']
        return []

    def judge(self, world):
        """Every record once, in order per partition and kind, and counted."""
        problems = []
        logs = [broker.log for broker in world.brokers]
        logged = sum(logs, [])
        fates = set(logged) | set(world.dead_letters)
        if fates != set(range(self.scenario.records)):
            problems.append('lost')
        twice = {record for record in logged if logged.count(record) > 1}
        twice |= set(logged) & set(world.dead_letters)
        if not twice <= (set(world.suspects) if self.broker.ambiguous else set()):
            problems.append('doubled')
        for log in logs:
            for one in (ANY, KEY):
                mine = [r for r in log if kind(r) == one and r not in twice]
                if mine != sorted(mine) and 'order' not in problems:
                    problems.append('order')
        for row in range(2):
            true = len({r for r in logged if topic(r) == row} - set(world.dead_letters))
            dead = sum(topic(r) == row for r in world.dead_letters)
            if (world.delivered[row], world.discarded[row]) != (true, dead):
                problems.append('books')
                break
        return problems
