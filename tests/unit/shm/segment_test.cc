#include "shm/segment.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <set>

#include "common/crc32c.h"
#include "shm/books.h"
#include "shm/regions.h"
#include "tests/unit/shm/test_segment.h"

namespace dory::shm {
namespace {

std::string OpenError(const TestSegment& segment) {
  SegmentFault fault{};
  const Result<int> fd = OpenSegment(segment.folder(), &fault);
  EXPECT_EQ(fault, fd.ok() ? SegmentFault::kNone : SegmentFault::kUnusable);
  if (!fd.ok()) return fd.status().message();
  ::close(fd.value());
  return "";
}

void Overwrite(const TestSegment& segment, uint64_t offset, uint8_t with) {
  uint8_t byte = 0;
  ASSERT_EQ(::pread(segment.fd(), &byte, 1, static_cast<off_t>(offset)), 1);
  byte ^= with;
  ASSERT_EQ(::pwrite(segment.fd(), &byte, 1, static_cast<off_t>(offset)), 1);
}

TEST(SegmentTest, IsWholeAndOursAlone) {
  TestSegment segment;
  EXPECT_EQ(OpenError(segment), "");
  EXPECT_EQ(ReadGeometry(segment.fd()).value(), TestSegment::kSmall);
  struct stat file;
  ASSERT_EQ(::fstat(segment.fd(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
  EXPECT_GE(file.st_blocks * 512, file.st_size);  // allocated to the last page
  EXPECT_FALSE(std::filesystem::exists(segment.folder() + "/segment.new"));
}

TEST(SegmentTest, MissingIsToldApartFromDamaged) {
  TestSegment segment;
  std::filesystem::remove(segment.folder() + "/segment");
  SegmentFault fault{};
  EXPECT_FALSE(OpenSegment(segment.folder(), &fault).ok());
  EXPECT_EQ(fault, SegmentFault::kMissing);
}

TEST(SegmentTest, ALinkIsNotFollowed) {
  TestSegment segment;
  std::filesystem::rename(segment.folder() + "/segment", segment.folder() + "/elsewhere");
  std::filesystem::create_symlink(segment.folder() + "/elsewhere", segment.folder() + "/segment");
  EXPECT_NE(OpenError(segment), "");
}

TEST(SegmentTest, EveryDamageOfTheSuperblockIsFound) {
  TestSegment segment;
  const struct {
    uint64_t offset;
    const char* word;
  } kDamages[] = {{0, "magic"},
                  {offsetof(Superblock, layout), "layout"},
                  {offsetof(Superblock, uuid), "crc"},
                  {offsetof(Superblock, geometry), "crc"},
                  {sizeof(Superblock) - 1, "crc"}};
  for (const auto& damage : kDamages) {
    Overwrite(segment, damage.offset, 1);
    EXPECT_NE(OpenError(segment).find(damage.word), std::string::npos) << OpenError(segment);
    Overwrite(segment, damage.offset, 1);
  }
  ASSERT_EQ(::ftruncate(segment.fd(), 100'000), 0);
  EXPECT_NE(OpenError(segment).find("bytes"), std::string::npos);
}

TEST(SegmentTest, WhatIsNoFileIsUnusable) {
  const std::function<int(const char*)> kMakers[] = {
      [](const char* path) { return ::mkdir(path, 0700); },
      [](const char* path) { return ::mkfifo(path, 0600); },
      [](const char* path) { return ::symlink("/dev/null", path); },
      [](const char* path) { return ::close(::open(path, O_CREAT | O_WRONLY, 0600)); }};
  for (const auto& make : kMakers) {
    TestSegment segment;
    const std::string path = segment.folder() + "/segment";
    std::filesystem::remove(path);
    ASSERT_EQ(make(path.c_str()), 0);
    EXPECT_NE(OpenError(segment), "");
  }
}

// As damaged as they can be with a checksum that holds.
TEST(SegmentTest, RegionsAreWhereTheGeometryPutsThem) {
  const std::function<void(Superblock*)> kDamages[] = {
      [](Superblock* s) { s->regions[13].offset = s->regions[12].offset; },
      [](Superblock* s) { s->regions[13].size += s->align; },
      [](Superblock* s) { s->regions[13].role ^= 1; },
      [](Superblock* s) { s->regions[13].kind = s->regions[12].kind; },
      [](Superblock* s) { s->region_count -= 1; },
      [](Superblock* s) { s->region_count = UINT32_MAX; },
      [](Superblock* s) { s->geometry.lanes = UINT32_MAX; },
      [](Superblock* s) { s->geometry.lanes = 0; },
      [](Superblock* s) { s->geometry.ring_size = 0; },
      [](Superblock* s) { s->geometry.ring_size += 1; },
      [](Superblock* s) { s->geometry.ring_size = UINT64_MAX - 31; },
      [](Superblock* s) { s->geometry.pool_size = UINT64_MAX; },
      [](Superblock* s) { s->geometry.max_topics = UINT32_MAX; },
      [](Superblock* s) { s->geometry.slot_size = UINT32_MAX; },
      [](Superblock* s) { s->align = 0; },
      [](Superblock* s) { s->align *= 2; },
      [](Superblock* s) { s->align -= 1; },
      [](Superblock* s) { s->file_size *= 2; }};
  for (const auto& damage : kDamages) {
    TestSegment segment;
    Superblock superblock = segment.check().superblock();
    damage(&superblock);
    superblock.magic = 0;
    superblock.crc = 0;
    superblock.crc = Crc32c(std::as_bytes(std::span(&superblock, 1)));
    superblock.magic = kMagic;
    ASSERT_EQ(::pwrite(segment.fd(), &superblock, sizeof(superblock), 0), ssize_t{sizeof(superblock)});
    EXPECT_NE(OpenError(segment).find("superblock damaged ("), std::string::npos) << OpenError(segment);
    EXPECT_FALSE(Segment::MapDamaged(segment.fd()).ok());
  }
}

TEST(SegmentTest, ADamagedOneIsCountedWhereItsRegionsHold) {
  TestSegment segment;
  segment.Append(segment.AddTopic("t"), "value");
  for (const uint64_t offset : {uint64_t{0}, uint64_t{offsetof(Superblock, uuid)}, uint64_t{offsetof(Superblock, crc)}}) {
    Overwrite(segment, offset, 1);
    EXPECT_NE(OpenError(segment), "");
    const Result<Segment> mapped = Segment::MapDamaged(segment.fd());
    ASSERT_TRUE(mapped.ok()) << mapped.status().message();
    EXPECT_EQ(ReadBooks(mapped.value(), 0).Buffered(), 1u);
  }
  Overwrite(segment, offsetof(Superblock, layout), 1);
  EXPECT_FALSE(Segment::MapDamaged(segment.fd()).ok());
}

TEST(SegmentTest, ADiskIsRefused) {
  const Result<SegmentRoom> room = MeasureRoom("/proc");
  ASSERT_FALSE(room.ok());
  EXPECT_NE(room.status().message().find("/proc"), std::string::npos);
}

TEST(SegmentTest, NoRoomIsSaidWithTheFigures) {
  Geometry huge = TestSegment::kSmall;
  huge.ring_size = uint64_t{1} << 48;
  TestSegment folder;
  const Result<int> fd = CreateSegment(folder.folder(), huge);
  ASSERT_FALSE(fd.ok());
  EXPECT_NE(fd.status().message().find("are free"), std::string::npos);
  EXPECT_EQ(OpenError(folder), "");  // what was there still is
}

TEST(SegmentTest, RegionsLieApartInOrder) {
  Geometry geometry = TestSegment::kSmall;
  geometry.lanes = 3;
  uint64_t end = 0;
  std::set<std::pair<RegionKind, uint32_t>> seen;
  for (const RegionEntry& entry : ListRegions(geometry, 65536)) {
    EXPECT_EQ(entry.offset % 65536, 0u);
    EXPECT_GE(entry.offset, end);
    end = entry.offset + entry.size;
    EXPECT_TRUE(seen.emplace(entry.kind, entry.lane).second);
  }
  EXPECT_EQ(SegmentFileSize(geometry, 65536), (end + 65535) / 65536 * 65536);
}

TEST(SegmentTest, AMemorySegmentIsMappedLikeAFile) {
  const Result<int> fd = CreateMemorySegment(TestSegment::kSmall);
  ASSERT_TRUE(fd.ok());
  const Result<Segment> mapped = Segment::Map(fd.value(), Role::kCheck, 0);
  ASSERT_TRUE(mapped.ok());
  EXPECT_EQ(mapped.value().geometry(), TestSegment::kSmall);
  const auto* slots = mapped.value().Get<ReceiveSlots>(RegionKind::kReceive, 0);
  for (const mmsghdr& message : slots->messages) EXPECT_EQ(message.msg_len, kEmptySlot);
  ::close(fd.value());
}

TEST(SegmentTest, OneWriterSeesWhatAnotherWrites) {
  TestSegment segment;
  const auto kafka = segment.Map(Role::kKafka);
  Store(kafka->GetWritable<ConsumerPage>(RegionKind::kConsumer, 0)->head, 4096);
  EXPECT_EQ(Load(segment.Consumer()->head), 4096u);
  EXPECT_EQ(Load(segment.intake().Get<ConsumerPage>(RegionKind::kConsumer, 0)->head), 4096u);
}

// Neither a region nor a guard stays reserved. (That nothing is given back twice is seen by the address
// sanitizer: what its allocator has mapped meanwhile would go.)
TEST(SegmentTest, NothingOfItsAddressesStaysMapped) {
  TestSegment segment;
  const Superblock superblock = segment.check().superblock();
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  for (const Role role : {Role::kSupervisor, Role::kIntake, Role::kKafka, Role::kCheck}) {
    auto mapped = segment.Map(role);
    const auto base = reinterpret_cast<uintptr_t>(mapped->Bytes(RegionKind::kSuperblock, 0).data());
    const uintptr_t end = base + superblock.file_size + superblock.region_count * superblock.align;
    mapped.reset();
    uint64_t left = 0;
    unsigned char resident;
    for (uintptr_t at = base - superblock.align; at < end; at += page) {
      left += ::mincore(reinterpret_cast<void*>(at), page, &resident) == 0;
    }
    EXPECT_EQ(left, 0u) << "pages, of role " << static_cast<int>(role);
  }
}

// What is not one's own is read-only, and behind each region lies an unmapped guard.
using SegmentDeathTest = ::testing::Test;

void WriteTo(ByteSpan bytes) { *const_cast<volatile std::byte*>(bytes.data()) = std::byte{1}; }

TEST(SegmentDeathTest, NobodyElseWrites) {
  TestSegment segment;
  const auto kafka = segment.Map(Role::kKafka);
  EXPECT_DEATH(WriteTo(kafka->Bytes(RegionKind::kRing, 0)), "");
  EXPECT_DEATH(WriteTo(kafka->Bytes(RegionKind::kProducer, 0)), "");
  EXPECT_DEATH(WriteTo(kafka->Bytes(RegionKind::kSuperblock, 0)), "");
  EXPECT_DEATH(WriteTo(segment.intake().Bytes(RegionKind::kConsumer, 0)), "");
  EXPECT_DEATH(WriteTo(segment.check().Bytes(RegionKind::kPool, 0)), "");
}

TEST(SegmentDeathTest, NobodyRunsIntoTheNextRegion) {
  TestSegment segment;
  const ByteSpan ring = segment.check().Bytes(RegionKind::kRing, 0);
  EXPECT_DEATH((void)*const_cast<const volatile std::byte*>(ring.data() + ring.size()), "");
  EXPECT_DEATH((void)*const_cast<const volatile std::byte*>(ring.data() - 1), "");
}

}  // namespace
}  // namespace dory::shm
