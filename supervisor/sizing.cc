#include "supervisor/sizing.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/units.h"
#include "shm/segment.h"

namespace dory::supervisor {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kSmallestRing = 4 * kMiB;
constexpr uint64_t kSmallestPool = 16 * kMiB;
constexpr uint64_t kSteps = 64;
constexpr uint64_t kSlotAlign = 64;

uint64_t RoundUp(int64_t size, uint64_t to) { return (static_cast<uint64_t>(size) + to - 1) / to * to; }

// The largest message of the inputs that are streams, or of those that are not. 0: there are none.
int64_t LargestOf(const Config& config, bool streams) {
  int64_t largest = 0;
  for (const InputConfig& input : config.inputs) {
    if (input.IsStream() == streams) largest = std::max(largest, input.max_message_size);
  }
  return largest;
}

bool HasStreams(const Config& config) { return LargestOf(config, true) > 0; }

// Whether the file set a limit for messages of streams.
bool StreamLimitIsSet(const Config& config) {
  return std::any_of(config.inputs.begin(), config.inputs.end(), [&config](const InputConfig& input) {
    return input.IsStream() && config.IsSet("input:" + input.name, "max_message_size");
  });
}

bool RingIsSet(const Config& config) { return config.IsSet("buffer", "ring_size"); }
bool PoolIsSet(const Config& config) { return config.IsSet("buffer", "pool_size"); }

uint64_t ShrinkTo(uint64_t size, uint64_t smallest, uint64_t step) {
  return std::max(smallest, size * step / kSteps / kMiB * kMiB);
}

shm::Geometry ShrinkDefaults(const Config& config, shm::Geometry geometry, uint64_t step) {
  if (!RingIsSet(config)) geometry.ring_size = ShrinkTo(geometry.ring_size, kSmallestRing, step);
  if (!PoolIsSet(config)) geometry.pool_size = ShrinkTo(geometry.pool_size, kSmallestPool, step);
  if (StreamLimitIsSet(config)) return geometry;
  // A message that the ring does not take needs no area.
  const int64_t largest = LargestMessage(static_cast<int64_t>(geometry.ring_size),
                                         static_cast<int64_t>(geometry.pool_size));
  geometry.large_area_size = std::min(geometry.large_area_size, RoundUp(largest, shm::kAreaSize));
  return geometry;
}

std::string InMiB(uint64_t bytes) { return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / kMiB); }

Status RefuseRoom(const shm::Geometry& geometry, const Room& room, bool smallest) {
  const uint64_t needed = shm::SegmentFileSize(geometry, room.align);
  return Status::Error(fmt::format(
      "{}: no room: ring_size {} and pool_size {}{} need {} bytes ({}) in all, {} bytes ({}) are free", room.where,
      FormatSize(static_cast<int64_t>(geometry.ring_size)), FormatSize(static_cast<int64_t>(geometry.pool_size)),
      smallest ? ", the least there is," : "", needed, InMiB(needed), room.bytes, InMiB(room.bytes)));
}

bool Fits(const shm::Geometry& geometry, const Room& room) {
  return shm::SegmentFileSize(geometry, room.align) <= room.bytes;
}

}  // namespace

shm::Geometry WantedGeometry(const Config& config) {
  shm::Geometry geometry{};
  geometry.ring_size = RoundUp(config.ring_size, shm::kBlockSize);
  geometry.pool_size = RoundUp(config.pool_size, shm::kBlockSize);
  geometry.lanes = static_cast<uint32_t>(config.lanes);
  geometry.max_topics = static_cast<uint32_t>(config.max_topics);
  geometry.slot_size = static_cast<uint32_t>(RoundUp(LargestOf(config, false), kSlotAlign));
  if (!HasStreams(config)) return geometry;
  geometry.connections = static_cast<uint32_t>(config.stream_connections);
  geometry.areas = static_cast<uint32_t>(config.stream_areas);
  geometry.large_areas = static_cast<uint32_t>(config.large_areas);
  geometry.large_area_size = RoundUp(LargestOf(config, true), shm::kAreaSize);
  geometry.tickets = static_cast<uint32_t>(config.receipts);
  return geometry;
}

Result<Sizing> FitGeometry(const Config& config, const Room& room) {
  const shm::Geometry wanted = WantedGeometry(config);
  if (Fits(wanted, room)) return Sizing{wanted, false};
  const shm::Geometry smallest = ShrinkDefaults(config, wanted, 0);
  if (smallest == wanted) return RefuseRoom(wanted, room, false);
  // A shrunk segment leaves something to others who write there.
  const Room kept{room.bytes - room.bytes / 16, room.align, room.where};
  for (uint64_t step = kSteps - 1; step > 0; --step) {
    const shm::Geometry geometry = ShrinkDefaults(config, wanted, step);
    if (Fits(geometry, kept)) return Sizing{geometry, true};
  }
  if (Fits(smallest, room)) return Sizing{smallest, true};
  return RefuseRoom(smallest, room, true);
}

std::string DescribeDifference(const Config& config, const shm::Geometry& existing, const Room& room) {
  const shm::Geometry wanted = WantedGeometry(config);
  std::string text;
  const auto compare = [&](const char* name, uint64_t is, uint64_t wants) {
    if (is != wants) text += fmt::format("{}{} is {}, configured {}", text.empty() ? "" : "; ", name, is, wants);
  };
  const bool default_fits = Fits(wanted, room);
  const auto compare_size = [&](const char* name, bool is_set, uint64_t is, uint64_t wants) {
    if (is_set || default_fits || is > wants) compare(name, is, wants);
  };
  compare_size("ring_size", RingIsSet(config), existing.ring_size, wanted.ring_size);
  compare_size("pool_size", PoolIsSet(config), existing.pool_size, wanted.pool_size);
  compare("lanes", existing.lanes, wanted.lanes);
  compare("max_topics", existing.max_topics, wanted.max_topics);
  compare("largest datagram", existing.slot_size, wanted.slot_size);
  compare("stream_connections", existing.connections, wanted.connections);
  compare("stream_areas", existing.areas, wanted.areas);
  compare("large_areas", existing.large_areas, wanted.large_areas);
  compare("receipts", existing.tickets, wanted.tickets);
  compare_size("largest message of a stream", StreamLimitIsSet(config), existing.large_area_size, wanted.large_area_size);
  return text;
}

Result<Config> ConfigForSegment(const Config& config, const shm::Geometry& geometry, bool pending) {
  Config fitted = config;
  fitted.ring_size = static_cast<int64_t>(geometry.ring_size);
  fitted.pool_size = static_cast<int64_t>(geometry.pool_size);
  fitted.lanes = static_cast<int32_t>(geometry.lanes);
  fitted.max_topics = static_cast<int32_t>(geometry.max_topics);
  const int64_t of_buffer = LargestMessage(fitted.ring_size, fitted.pool_size);
  for (InputConfig& input : fitted.inputs) {
    const uint64_t of_table = input.IsStream() ? geometry.large_area_size : geometry.slot_size;
    const int64_t largest = std::min(static_cast<int64_t>(of_table), of_buffer);
    const std::string section = "input:" + input.name;
    if (input.lane >= fitted.lanes) {
      return Status::Error(fmt::format("[{}] lane = {}: the segment has {} lanes", section, input.lane, fitted.lanes));
    }
    if (input.max_message_size <= largest) continue;
    if (!pending && config.IsSet(section, "max_message_size")) {
      return Status::Error(fmt::format("[{}] max_message_size = {}: the segment takes at most {}; it needs more room "
                                       "for ring_size and pool_size", section,
                                       FormatSize(input.max_message_size), FormatSize(largest)));
    }
    input.max_message_size = largest;
  }
  return fitted;
}

}  // namespace dory::supervisor
