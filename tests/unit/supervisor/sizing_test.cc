#include "supervisor/sizing.h"

#include <gtest/gtest.h>

#include "shm/segment.h"
#include "supervisor/room.h"

namespace dory::supervisor {
namespace {

constexpr uint64_t kMiB = 1 << 20;

Config Parse(const std::string& text) {
  Result<Config> config = ParseConfigText(text + "[kafka]\nbrokers = 127.0.0.1:9092\n", "test.conf");
  EXPECT_TRUE(config.ok()) << (config.ok() ? "" : config.status().message());
  return config.Take();
}

Room RoomOf(uint64_t bytes) { return {bytes, 64 * 1024, "/dev/shm"}; }

TEST(SizingTest, SizesAreRoundedUpToBlocks) {
  const shm::Geometry geometry = WantedGeometry(Parse("[buffer]\nring_size = 4194305\npool_size = 16777217\n"));
  EXPECT_EQ(geometry.ring_size, 4 * kMiB + shm::kBlockSize);
  EXPECT_EQ(geometry.pool_size, 16 * kMiB + shm::kBlockSize);
}

TEST(SizingTest, TakesTheDefaultsWhereTheyFit) {
  const Config config = Parse("");
  const Result<Sizing> sizing = FitGeometry(config, RoomOf(1024 * kMiB));
  ASSERT_TRUE(sizing.ok());
  EXPECT_FALSE(sizing.value().shrunk);
  EXPECT_EQ(sizing.value().geometry.ring_size, 64 * kMiB);
  EXPECT_EQ(sizing.value().geometry.pool_size, 256 * kMiB);
  EXPECT_EQ(sizing.value().geometry.slot_size, 64 * 1024u);
}

TEST(SizingTest, ShrinksDefaultsIntoEveryRoomThatHoldsTheLeast) {
  const Config config = Parse("");
  bool fitted_before = false;
  for (uint64_t room = 16 * kMiB; room < 400 * kMiB; room += kMiB) {
    const Result<Sizing> sizing = FitGeometry(config, RoomOf(room));
    EXPECT_TRUE(sizing.ok() || !fitted_before) << room;
    if (!sizing.ok()) continue;
    fitted_before = true;
    const shm::Geometry& geometry = sizing.value().geometry;
    EXPECT_LE(shm::SegmentFileSize(geometry, 64 * 1024), room);
    EXPECT_GE(geometry.ring_size, 4 * kMiB);
    EXPECT_GE(geometry.pool_size, 16 * kMiB);
  }
  EXPECT_TRUE(FitGeometry(config, RoomOf(64 * kMiB)).ok());  // Docker's /dev/shm
}

TEST(SizingTest, RefusesConfiguredSizesWithBothFigures) {
  const Config config = Parse("[buffer]\nring_size = 64M\npool_size = 256M\n");
  const Result<Sizing> sizing = FitGeometry(config, RoomOf(64 * kMiB));
  ASSERT_FALSE(sizing.ok());
  const uint64_t needed = shm::SegmentFileSize(WantedGeometry(config), 64 * 1024);
  EXPECT_NE(sizing.status().message().find(std::to_string(needed)), std::string::npos);
  EXPECT_NE(sizing.status().message().find(std::to_string(64 * kMiB)), std::string::npos);
}

TEST(SizingTest, ShrinksOnlyTheSizeThatIsADefault) {
  const Config config = Parse("[buffer]\nring_size = 32M\n");
  const Result<Sizing> sizing = FitGeometry(config, RoomOf(100 * kMiB));
  ASSERT_TRUE(sizing.ok());
  EXPECT_EQ(sizing.value().geometry.ring_size, 32 * kMiB);
  EXPECT_LT(sizing.value().geometry.pool_size, 68 * kMiB);
}

TEST(SizingTest, TellsWhatOfASegmentIsNotAsWanted) {
  const Config config = Parse("[buffer]\nring_size = 8M\n");
  shm::Geometry existing = WantedGeometry(config);
  EXPECT_EQ(DescribeDifference(config, existing, RoomOf(1024 * kMiB)), "");
  existing.ring_size = 16 * kMiB;
  EXPECT_NE(DescribeDifference(config, existing, RoomOf(1024 * kMiB)).find("ring_size"), std::string::npos);
}

TEST(SizingTest, AShrunkSegmentIsKeptUntilTheDefaultFits) {
  const Config config = Parse("");
  const shm::Geometry shrunk = FitGeometry(config, RoomOf(64 * kMiB)).Take().geometry;
  EXPECT_EQ(DescribeDifference(config, shrunk, RoomOf(70 * kMiB)), "");
  EXPECT_NE(DescribeDifference(config, shrunk, RoomOf(1024 * kMiB)), "");
}

TEST(SizingTest, TheSegmentsSizesBecomeTheConfigurations) {
  const Config config = Parse("");
  shm::Geometry geometry = WantedGeometry(config);
  geometry.ring_size = 4 * kMiB;
  geometry.pool_size = 16 * kMiB;
  const Result<Config> fitted = ConfigForSegment(config, geometry, false);
  ASSERT_TRUE(fitted.ok());
  EXPECT_EQ(fitted.value().ring_size, static_cast<int64_t>(4 * kMiB));
  EXPECT_TRUE(ParseConfigText(DumpConfig(fitted.value()), "dump").ok());
}

TEST(SizingTest, AConfiguredMessageLimitIsLoweredOnlyForASegmentThatIsPending) {
  const Config config = Parse("[input:a]\npath = /tmp/a\nmax_message_size = 8M\n");
  shm::Geometry geometry = WantedGeometry(config);
  geometry.slot_size = 64 * 1024;
  EXPECT_FALSE(ConfigForSegment(config, geometry, false).ok());
  const Result<Config> fitted = ConfigForSegment(config, geometry, true);
  ASSERT_TRUE(fitted.ok());
  EXPECT_EQ(fitted.value().inputs[0].max_message_size, 64 * 1024);
}

TEST(SegmentRoomTest, FindsBytesByTheirName) {
  EXPECT_EQ(FindBytes("MemTotal:  5 kB\nMemAvailable:   12 kB\n", "MemAvailable:"), 12u * 1024);
  EXPECT_EQ(FindBytes("anon 7\ninactive_file 4096\n", "inactive_file"), 4096u);
  EXPECT_EQ(FindBytes("anon 7\n", "inactive_file"), 0u);
}

constexpr const char* kStream = "[input:s]\ntype = unix_stream\npath = /tmp/stream\n";

TEST(SizingTest, WithoutStreamInputsThereAreNoAreas) {
  const shm::Geometry geometry = WantedGeometry(Parse(""));
  EXPECT_EQ(geometry.connections, 0u);
  EXPECT_EQ(geometry.large_area_size, 0u);
  EXPECT_EQ(geometry.tickets, 0u);
}

TEST(SizingTest, LargeAreasTakeTheLargestMessageOfAStream) {
  const shm::Geometry geometry = WantedGeometry(Parse(std::string("[buffer]\nstream_connections = 100\nstream_areas = 7\n"
                                                                  "large_areas = 2\nreceipts = 70\n") + kStream));
  EXPECT_EQ(geometry.connections, 100u);
  EXPECT_EQ(geometry.areas, 7u);
  EXPECT_EQ(geometry.large_areas, 2u);
  EXPECT_EQ(geometry.large_area_size, 16 * kMiB);
  EXPECT_EQ(geometry.tickets, 70u);
}

TEST(SizingTest, AShrunkSegmentHasAreasForWhatItsRingTakes) {
  const Config config = Parse(kStream);
  const Result<Sizing> sizing = FitGeometry(config, RoomOf(64 * kMiB));  // Docker's /dev/shm
  ASSERT_TRUE(sizing.ok()) << sizing.status().message();
  const shm::Geometry& geometry = sizing.value().geometry;
  EXPECT_LE(geometry.large_area_size, geometry.ring_size / 2);
  const Result<Config> fitted = ConfigForSegment(config, geometry, false);
  ASSERT_TRUE(fitted.ok());
  for (const InputConfig& input : fitted.value().inputs) {
    if (!input.IsStream()) continue;
    EXPECT_LE(static_cast<uint64_t>(input.max_message_size), geometry.large_area_size);
  }
}

TEST(SizingTest, TellsThatStreamsAreNew) {
  const Config config = Parse(kStream);
  const std::string difference = DescribeDifference(config, WantedGeometry(Parse("")), RoomOf(1024 * kMiB));
  EXPECT_NE(difference.find("stream_connections is 0, configured 8192"), std::string::npos) << difference;
}

}  // namespace
}  // namespace dory::supervisor
