"""Segments that can't be used: each is kept under a name of its own, and dory goes on.

What is wrong, and how many messages it holds, is in the log and in the status.
"""

import os
import stat
import struct
import subprocess
import time
import unittest

from daemon_case import IS_ROOT, NOBODY_LISTENS, DaemonCase, read_file

# Offsets in the superblock (shm/layout.h).
MAGIC, LAYOUT, UUID, FILE_SIZE, RING_SIZE, CRC, REGIONS = 0, 8, 16, 72, 88, 148, 152
REGION_SIZE = 24
CONSUMER, BATCHES = 12, 15      # RegionKind
TOPIC_ROW = 64                  # in a BatchDescriptor
SUPERBLOCK_SIZE = REGIONS + (2 + 20 * 16) * REGION_SIZE


def crc32c(data):
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


class DamagedSegment(DaemonCase):
    """A segment that 7 messages are left in is damaged; the next dory must not use it."""

    def setUp(self):
        super().setUp()
        self.segment = self.segment_folder + "/segment"
        self.write_config(NOBODY_LISTENS, stop_timeout="0s")
        dory = self.start()
        self.send(4, "t")
        self.send(3, "u")
        self.assertEqual(self.term(dory), 3)
        self.sent = 0       # what follows is the books of a new segment
        self.write_config()

    def change(self, offset, data):
        with open(self.segment, "r+b") as file:
            file.seek(offset)
            file.write(data)

    def rewrite_superblock(self, offset, data):
        """Changes it, with a checksum that holds."""
        with open(self.segment, "r+b") as file:
            superblock = bytearray(file.read(SUPERBLOCK_SIZE))
            superblock[offset:offset + len(data)] = data
            plain = bytearray(superblock)
            plain[MAGIC:MAGIC + 8] = bytes(8)
            plain[CRC:CRC + 4] = bytes(4)
            superblock[CRC:CRC + 4] = struct.pack("<I", crc32c(plain))
            file.seek(0)
            file.write(superblock)

    def kept(self):
        return sorted(os.path.join(self.segment_folder, name)
                      for name in os.listdir(self.segment_folder)
                      if name.startswith("segment.aside."))

    def warning(self):
        return next(warning["text"] for warning in self.status()["warnings"]
                    if warning["name"] == "segment_moved_aside")

    def expect_moved_aside(self, why, holds):
        """A start that moves it aside, says so, and delivers what comes then."""
        before = self.kept()
        dory = self.start()
        moved = [path for path in self.kept() if path not in before]
        self.assertEqual(len(moved), 1)
        line = next(line for line in self.log_text().splitlines()
                    if "THE SEGMENT CAN'T BE USED" in line and moved[0] in line)
        self.assertIn(" error ", line)
        self.assertIn(why, line)
        self.assertIn(holds, line)
        self.assertIn(moved[0], self.warning())
        self.assertIn(holds, self.warning())
        self.assertIn(moved[0], self.doryctl("status")[1])
        self.sent = 0
        self.send(5)
        self.wait_delivered()
        self.check_buffer()
        self.assertEqual(self.term(dory), 0)
        return moved[0]

    COUNTED = "holds 7 messages (t 4, u 3)"
    UNCOUNTED = "what it holds can't be counted"

    def test_magic(self):
        inode = os.stat(self.segment).st_ino
        self.change(MAGIC, bytes(8))
        moved = self.expect_moved_aside("no segment of Dory (magic)", self.COUNTED)
        self.assertEqual(os.stat(moved).st_ino, inode)
        self.assertEqual(stat.S_IMODE(os.stat(moved).st_mode), 0o600)

    def test_crc(self):
        self.change(UUID, b"damage")
        self.expect_moved_aside("superblock damaged (crc)", self.COUNTED)

    def test_another_layout(self):
        self.rewrite_superblock(LAYOUT, struct.pack("<I", 0))
        self.expect_moved_aside("layout 0, this program reads 3", self.UNCOUNTED)

    def test_truncated(self):
        os.truncate(self.segment, os.path.getsize(self.segment) - 65536)
        self.expect_moved_aside("its superblock says", self.UNCOUNTED)

    def test_shorter_than_a_superblock(self):
        os.truncate(self.segment, 100)
        self.expect_moved_aside("its 100 bytes are too short for a superblock", self.UNCOUNTED)

    def test_empty_file(self):
        os.truncate(self.segment, 0)
        self.expect_moved_aside("its 0 bytes are too short for a superblock", self.UNCOUNTED)

    def test_regions_that_overlap(self):
        with open(self.segment, "rb") as file:
            superblock = file.read(SUPERBLOCK_SIZE)
        ring, consumer = (REGIONS + number * REGION_SIZE + 8 for number in (13, 14))
        self.rewrite_superblock(consumer, superblock[ring:ring + 8])
        self.expect_moved_aside("superblock damaged (regions)", self.UNCOUNTED)

    def test_sizes_beyond_reason(self):
        self.rewrite_superblock(RING_SIZE, struct.pack("<Q", 2 ** 64 - 32))
        self.expect_moved_aside("superblock damaged (sizes)", self.UNCOUNTED)

    def region(self, kind):
        """Where a region begins, by the segment's own table."""
        with open(self.segment, "rb") as file:
            superblock = file.read(SUPERBLOCK_SIZE)
        for at in range(REGIONS, SUPERBLOCK_SIZE, REGION_SIZE):
            found, _lane, _role, offset, _size = struct.unpack_from("<HHIQQ", superblock, at)
            if found == kind:
                return offset
        raise AssertionError("no region of kind %d" % kind)

    def test_an_index_that_only_damage_explains(self):
        self.change(self.region(BATCHES) + TOPIC_ROW, struct.pack("<I", 99))
        self.expect_moved_aside("lane 0: batch 0: topic row 99", self.COUNTED)

    def test_positions_that_only_damage_explains(self):
        self.change(self.region(CONSUMER), struct.pack("<Q", 1 << 40))
        code, _out, err = self.doryctl("check-buffer")
        self.assertEqual(code, 1)
        self.assertIn("lane 0: head 1099511627776", err)
        self.expect_moved_aside("lane 0: head 1099511627776", self.COUNTED)

    def test_of_somebody_else(self):
        if not IS_ROOT:
            self.skipTest("needs root")
        os.chown(self.segment, 65534, 65534)
        self.expect_moved_aside("belongs to uid 65534, Dory runs as uid 0", self.COUNTED)

    def test_a_folder_in_its_place(self):
        os.unlink(self.segment)
        os.mkdir(self.segment)
        moved = self.expect_moved_aside("Is a directory", self.UNCOUNTED)
        self.assertTrue(os.path.isdir(moved))

    def test_a_link_in_its_place(self):
        elsewhere = self.folder + "/elsewhere"
        os.rename(self.segment, self.segment_folder + "/other")
        os.symlink(elsewhere, self.segment)
        moved = self.expect_moved_aside("Too many levels of symbolic links", self.UNCOUNTED)
        self.assertEqual(os.readlink(moved), elsewhere)
        self.assertFalse(os.path.exists(elsewhere))

    def test_a_fifo_in_its_place(self):
        os.unlink(self.segment)
        os.mkfifo(self.segment)
        self.expect_moved_aside("no regular file", self.UNCOUNTED)

    def test_several_in_a_row_are_all_kept(self):
        self.change(MAGIC, bytes(8))
        moved = [self.expect_moved_aside("magic", self.COUNTED)]
        for _ in range(3):
            self.change(MAGIC, bytes(8))
            moved.append(self.expect_moved_aside("magic", "holds 0 messages"))
        self.assertEqual(len(set(moved)), 4)
        self.assertEqual(self.kept(), sorted(moved))

    def test_a_name_that_is_taken_is_not_taken_again(self):
        for name, after in (("segment", 0), ("overflow.0", 60)):
            for second in range(int(time.time()) + after, int(time.time()) + after + 60):
                stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
                with open("%s/%s.aside.%s" % (self.segment_folder, name, stamp), "x",
                          encoding="utf-8"):
                    pass
        self.change(MAGIC, bytes(8))
        self.assertRegex(self.expect_moved_aside("magic", self.COUNTED), r"\d\dZ-2$")

    def test_an_overflow_file_goes_with_it(self):
        overflow = self.segment_folder + "/overflow.0"
        with open(overflow, "w", encoding="utf-8") as file:
            file.write("of the final drain")
        self.change(MAGIC, bytes(8))
        moved = self.expect_moved_aside("magic", self.COUNTED)
        self.assertFalse(os.path.exists(overflow))
        self.assertEqual(read_file(moved.replace("/segment.", "/overflow.0.")),
                         "of the final drain")

    def test_the_warning_stays_until_the_file_is_gone(self):
        self.change(MAGIC, bytes(8))
        moved = self.expect_moved_aside("magic", self.COUNTED)
        dory = self.start()
        self.assertIn(moved, self.warning())
        self.assertEqual(self.term(dory), 0)
        os.unlink(moved)
        self.start()
        self.assertNotIn("segment_moved_aside",
                         [warning["name"] for warning in self.status()["warnings"]])


class RoomForBoth(DaemonCase):
    """A segment of 30 MB that can't be used, in a tmpfs of 48 MiB that dory alone sees."""

    balances = False

    def setUp(self):
        super().setUp()
        self.small = os.path.join(self.folder, "small")
        os.mkdir(self.small)
        if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL,
                          check=False).returncode != 0:
            self.tearDown()
            self.skipTest("no mount namespaces here")

    def prefix(self, room):
        return ["unshare", "-m", "sh", "-ec", """
            mount -t tmpfs -o size="$2" none "$0"
            mkdir -m 700 "$0/dory.$1"
            head -c 30000000 /dev/zero >"$0/dory.$1/segment"
            shift 2
            status=0
            "$@" || status=$?
            ls "$0"/dory.*
            exit $status""", self.small, self.instance, room]

    def test_configured_sizes_are_refused_and_nothing_is_moved(self):
        self.write_config(NOBODY_LISTENS, "ring_size = 8M\npool_size = 16M",
                          segment_dir=self.small)
        self.assertEqual(self.launch(prefix=self.prefix("48m")).wait(60), 1)
        text = self.log_text()
        path = "%s/dory.%s/segment" % (self.small, self.instance)
        self.assertIn("the segment can't be used (%s: no segment of Dory (magic))" % path, text)
        self.assertIn("ring_size 8M and pool_size 16M need", text)
        self.assertIn("take room there: %s has 30000000 bytes" % path, text)
        self.assertEqual(text.splitlines()[-2:], ["lock", "segment"])

    def test_default_sizes_shrink_to_what_is_left(self):
        self.write_config(NOBODY_LISTENS, "", segment_dir=self.small, stop_timeout="0s")
        self.start(prefix=self.prefix("80m"))
        names = [warning["name"] for warning in self.status()["warnings"]]
        self.assertIn("shrunk_sizes", names)
        self.assertIn("segment_moved_aside", names)
        self.assertEqual(self.doryctl("stop")[0], 0)


if __name__ == "__main__":
    unittest.main()
