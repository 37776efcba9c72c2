"""Kafka's bytes for the scripted broker: numbers, texts and batches of format 2. Nothing here is
shared with the daemon.
"""

import collections
import struct

Batch = collections.namedtuple("Batch", "producer epoch sequence values keys")


def make_crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC_TABLE = make_crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0
        self.compact = False    # what comes next, as in Form

    def take(self, size):
        if size < 0 or self.at + size > len(self.data):
            raise ValueError("cut short")
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, form):
        return struct.unpack(">" + form, self.take(struct.calcsize(form)))[0]

    def unsigned(self):
        value = shift = 0
        while True:
            byte = self.number("B")
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def varint(self):
        value = self.unsigned()
        return value >> 1 ^ -(value & 1)

    def count(self, form="i"):
        return self.unsigned() - 1 if self.compact else self.number(form)

    def text(self):
        size = self.count("h")
        return None if size < 0 else self.take(size).decode()

    def tags(self):
        for _ in range(self.unsigned() if self.compact else 0):
            self.unsigned()
            self.take(self.unsigned())

    def nullable(self):
        size = self.varint()
        return None if size < 0 else self.take(size)

    def left(self):
        return len(self.data) - self.at


def unsigned(value):
    """As a varint."""
    return (bytes([value & 0x7F | 0x80]) + unsigned(value >> 7) if value > 0x7F
            else bytes([value]))


class Form:
    """How lengths are written: plain, or compact, with tagged fields at each structure's end."""

    def __init__(self, compact):
        self.compact = compact
        self.tags = b"\0" if compact else b""

    def count(self, number, form="i"):
        return unsigned(number + 1) if self.compact else struct.pack(">" + form, number)

    def text(self, value):
        return self.count(-1, "h") if value is None else (self.count(len(value), "h") +
                                                          value.encode())

    def array(self, elements):
        return self.count(len(elements)) + b"".join(elements)


PLAIN, COMPACT = Form(False), Form(True)
text, array = PLAIN.text, PLAIN.array


def decode_record(reader, index, timestamps):
    record = Reader(reader.take(reader.varint()))
    if record.number("b") != 0:
        raise ValueError("record attributes")
    timestamps.append(record.varint())
    if record.varint() != index:
        raise ValueError("offset delta of record %d" % index)
    key, value = record.nullable(), record.nullable()
    for _ in range(record.varint()):
        record.take(record.varint())
        record.nullable()
    if record.left():
        raise ValueError("bytes behind record %d" % index)
    return key, value


def decode_batch(data):
    """The batch, or ValueError with what is wrong."""
    reader = Reader(data)
    base_offset, length = reader.number("q"), reader.number("i")
    if base_offset != 0 or length != reader.left():
        raise ValueError("base offset %d, length %d of %d" % (base_offset, length, reader.left()))
    reader.number("i")      # leader epoch
    magic, crc = reader.number("b"), reader.number("I")
    if magic != 2 or crc != crc32c(data[reader.at:]):
        raise ValueError("magic %d, or the crc" % magic)
    attributes, last_delta = reader.number("h"), reader.number("i")
    base_timestamp, max_timestamp = reader.number("q"), reader.number("q")
    producer, epoch = reader.number("q"), reader.number("h")
    sequence, count = reader.number("i"), reader.number("i")
    timestamps = []
    records = [decode_record(reader, i, timestamps) for i in range(count)]
    if attributes or count < 1 or last_delta != count - 1 or reader.left():
        raise ValueError("attributes %d, last delta %d of %d" % (attributes, last_delta, count))
    if max_timestamp != base_timestamp + max(timestamps):
        raise ValueError("max timestamp")
    return Batch(producer, epoch, sequence, [r[1] for r in records], [r[0] for r in records])
