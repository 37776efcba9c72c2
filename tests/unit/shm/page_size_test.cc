// A segment's layout where the kernel's pages have 64 KiB, as on many aarch64 machines. Here they
// mostly have 4 KiB, so what is checked is what larger ones need: two regions never share a 64 KiB page,
// each is mapped from such a boundary on, and so is the guard on both sides of it.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "shm/regions.h"
#include "tests/unit/shm/test_segment.h"

namespace dory::shm {
namespace {

constexpr uint64_t kLargePage = 64 * 1024;
constexpr uint64_t kHugePage = 2 * 1024 * 1024;

uint64_t RoundUp(uint64_t size, uint64_t page) { return (size + page - 1) / page * page; }

// One that divides by nothing, one with several lanes, one of default sizes.
constexpr Geometry kOdd = {.ring_size = 100'000 / kRecordAlign * kRecordAlign,
                           .pool_size = 3 * kBlockSize,
                           .lanes = 1,
                           .max_topics = 7,
                           .slot_size = 1000,
                           .connections = 0,
                  .areas = 0,
                  .large_areas = 0,
                  .large_area_size = 0};
constexpr Geometry kLanes = {.ring_size = 4 << 20,
                             .pool_size = 16 << 20,
                             .lanes = 3,
                             .max_topics = 4096,
                             .slot_size = 65'600,
                             .connections = 0,
                  .areas = 0,
                  .large_areas = 0,
                  .large_area_size = 0};

TEST(PageSizeTest, RegionsNeverShareALargePage) {
  for (const Geometry& geometry : {TestSegment::kSmall, kOdd, kLanes}) {
    for (const uint64_t page : {kLargePage, kHugePage}) {
      uint64_t free_from = 0;
      for (const RegionEntry& region : ListRegions(geometry, page)) {
        EXPECT_EQ(region.offset % page, 0u) << SpecOf(region.kind).name;
        EXPECT_GE(region.offset, free_from) << SpecOf(region.kind).name;
        free_from = region.offset + RoundUp(region.size, page);
      }
      EXPECT_EQ(SegmentFileSize(geometry, page), free_from);
    }
  }
}

TEST(PageSizeTest, ASegmentIsMadeOfWholeLargePages) {
  EXPECT_EQ(MeasureRoom("/dev/shm").value().align % kLargePage, 0u);
  for (const Geometry& geometry : {TestSegment::kSmall, kOdd}) {
    TestSegment segment(geometry);
    struct stat file;
    ASSERT_EQ(::fstat(segment.fd(), &file), 0);
    EXPECT_EQ(static_cast<uint64_t>(file.st_size) % kLargePage, 0u);
    EXPECT_EQ(segment.check().superblock().align % kLargePage, 0u);
  }
}

// A line of /proc/self/maps or smaps.
struct Mapping {
  uint64_t begin, end, offset, inode;
  std::string access, flags;
};

std::vector<Mapping> ReadMappings(const char* path) {
  std::vector<Mapping> mappings;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    Mapping mapping{};
    char access[5] = "";
    if (std::sscanf(line.c_str(), "%lx-%lx %4s %lx %*s %lu", &mapping.begin, &mapping.end, access, &mapping.offset,
                    &mapping.inode) == 5) {
      mapping.access = access;
      mappings.push_back(mapping);
    } else if (line.starts_with("VmFlags:") && !mappings.empty()) {
      mappings.back().flags = line + " ";
    }
  }
  return mappings;
}

bool IsAccessible(const std::vector<Mapping>& mappings, uint64_t begin, uint64_t end) {
  return std::any_of(mappings.begin(), mappings.end(), [&](const Mapping& mapping) {
    return mapping.begin < end && begin < mapping.end && mapping.access != "---p";
  });
}

class PageSizeMappingTest : public ::testing::TestWithParam<Role> {
 protected:
  // Every region that this role sees.
  template <typename Check>
  void ForEachRegion(const Check& check) {
    const std::unique_ptr<Segment> mapped = segment_.Map(GetParam());
    int seen = 0;
    for (const RegionEntry& region : ListRegions(kOdd, segment_.check().superblock().align)) {
      const RegionSpec& spec = SpecOf(region.kind);
      const bool is_writer = static_cast<Role>(region.role) == GetParam();
      const bool reads = (spec.readers & (1u << static_cast<uint32_t>(GetParam()))) != 0;
      if (region.size == 0 || !(is_writer || reads)) continue;
      SCOPED_TRACE(spec.name);
      check(region, mapped->Bytes(region.kind, region.lane));
      ++seen;
    }
    EXPECT_GT(seen, 5);
  }

  TestSegment segment_{kOdd};
};

TEST_P(PageSizeMappingTest, ARegionAndItsGuardsAreLargePages) {
  ForEachRegion([](const RegionEntry& region, ByteSpan bytes) {
    const std::vector<Mapping> mappings = ReadMappings("/proc/self/maps");
    const auto begin = reinterpret_cast<uint64_t>(bytes.data());
    const uint64_t end = begin + RoundUp(bytes.size(), kLargePage);
    EXPECT_EQ(bytes.size(), region.size);
    EXPECT_EQ(begin % kLargePage, 0u);
    EXPECT_TRUE(IsAccessible(mappings, begin, begin + 1));
    EXPECT_FALSE(IsAccessible(mappings, begin - kLargePage, begin));
    EXPECT_FALSE(IsAccessible(mappings, end, end + kLargePage));
  });
}

// Advice and locks are given by address and size: the kernel rounds both to pages.
TEST_P(PageSizeMappingTest, WhatIsLeftOutOfCoreDumpsIsThatRegionAlone) {
  ForEachRegion([](const RegionEntry& region, ByteSpan bytes) {
    const auto begin = reinterpret_cast<uint64_t>(bytes.data());
    for (const Mapping& mapping : ReadMappings("/proc/self/smaps")) {
      if (mapping.begin >= begin + bytes.size() || begin >= mapping.end) continue;
      EXPECT_EQ(mapping.flags.find(" dd ") == std::string::npos, SpecOf(region.kind).in_core_dumps) << mapping.flags;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Roles, PageSizeMappingTest,
                         ::testing::Values(Role::kSupervisor, Role::kIntake, Role::kKafka, Role::kCheck));

}  // namespace
}  // namespace dory::shm
