#include "shm/segment.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>

#include "shm/regions.h"
#include "tests/unit/shm/test_segment.h"

namespace dory::shm {
namespace {

std::string OpenError(const TestSegment& segment) {
  bool missing = true;
  const Result<int> fd = OpenSegment(segment.folder(), &missing);
  EXPECT_FALSE(missing);
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
  bool missing = false;
  EXPECT_FALSE(OpenSegment(segment.folder(), &missing).ok());
  EXPECT_TRUE(missing);
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
