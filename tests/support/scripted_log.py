"""What the scripted broker says of its logs and of who has written there, to questions about one
partition: Fetch 5, ListOffsets 1 and DescribeProducers 0.
"""

import struct

from support.kafka_bytes import array, text

FETCH, LIST_OFFSETS, DESCRIBE_PRODUCERS = 1, 2, 61
OFFERED = [(FETCH, 5, 5), (LIST_OFFSETS, 1, 1), (DESCRIBE_PRODUCERS, 0, 0)]
EARLIEST = -2


class LogAnswers:
    """Part of ScriptedBroker, whose logs these are. Readers are behind a request's client id."""

    @staticmethod
    def read_partition(reader):
        """(topic, partition): the only one that is asked for."""
        reader.number("i")
        topic = reader.text()
        reader.number("i")
        return topic, reader.number("i")

    @staticmethod
    def about(key, *answer):
        return array([text(key[0]) + array([struct.pack(">i", key[1]) + b"".join(answer)])])

    def answer_list_offsets(self, reader):
        reader.number("i")      # replica
        key = self.read_partition(reader)
        time = reader.number("q")
        offset = 0 if time == EARLIEST or self.log[key] else -1
        return self.about(key, struct.pack(">hqq", 0, -1, offset))

    def answer_fetch(self, reader):
        reader.take(4 + 4 + 4 + 4 + 1)      # replica, how long, how much, isolation
        key = self.read_partition(reader)
        begin, end = reader.number("q"), len(self.log[key])
        records = b"".join(struct.pack(">q", offset) + data[8:]
                           for offset, data, count in self.batches[key] if offset + count > begin)
        return struct.pack(">i", 0) + self.about(
            key, struct.pack(">hqqq", 0, end, -1, 0), array([]),
            struct.pack(">i", len(records)), records)

    def answer_describe_producers(self, reader):
        """In the flexible form: counts are one more, in a byte, and tags end every structure."""
        reader.take(1 + 1)
        name = reader.take(reader.number("B") - 1).decode()
        reader.take(1)
        key = (name, reader.number("i"))
        states = []
        for (*where, producer), state in self.producers.items():
            if tuple(where) == key and state.batches:
                sequence, count, _offset = state.batches[-1]
                states.append(struct.pack(">qiiqiqB", producer, state.epoch, sequence + count - 1,
                                          0, -1, -1, 0))
        return (struct.pack(">Bi", 0, 0) + b"\x02" + bytes([len(name) + 1]) + name.encode() +
                struct.pack(">BihBB", 2, key[1], 0, 0, len(states) + 1) + b"".join(states) +
                b"\0\0\0")

    LOOKS = {FETCH: answer_fetch, LIST_OFFSETS: answer_list_offsets,
             DESCRIBE_PRODUCERS: answer_describe_producers}
