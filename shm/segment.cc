#include "shm/segment.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <boost/interprocess/file_mapping.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <cassert>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <random>

#include "common/crc32c.h"
#include "shm/regions.h"
#include "shm/store.h"

namespace dory::shm {
namespace {

namespace interprocess = boost::interprocess;

constexpr uint64_t kSmallAlign = 64 * 1024;  // the largest page size of the machines we run on

uint64_t AlignUp(uint64_t size, uint64_t align) { return (size + align - 1) / align * align; }

std::string ReadBootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

uint32_t SuperblockCrc(const Superblock& superblock) {
  Superblock copy = superblock;
  copy.magic = 0;
  copy.crc = 0;
  return Crc32c(std::as_bytes(std::span(&copy, 1)));
}

Superblock MakeSuperblock(const Geometry& geometry, uint64_t align) {
  Superblock superblock{};
  superblock.layout = kLayoutNumber;
  superblock.size = sizeof(Superblock);
  std::random_device random;
  for (uint8_t& byte : superblock.uuid) byte = static_cast<uint8_t>(random());
  const std::string boot_id = ReadBootId();
  std::memcpy(superblock.boot_id, boot_id.data(), std::min(boot_id.size(), sizeof(superblock.boot_id)));
  superblock.align = align;
  superblock.geometry = geometry;
  const std::vector<RegionEntry> regions = ListRegions(geometry, align);
  assert(regions.size() <= kMaxRegions);
  superblock.region_count = static_cast<uint32_t>(regions.size());
  std::copy(regions.begin(), regions.end(), superblock.regions);
  superblock.file_size = SegmentFileSize(geometry, align);
  superblock.crc = SuperblockCrc(superblock);
  return superblock;
}

Status WriteAt(int fd, const void* bytes, size_t size, uint64_t offset) {
  const ssize_t written = ::pwrite(fd, bytes, size, static_cast<off_t>(offset));
  return written == static_cast<ssize_t>(size) ? Status::Ok() : Status::Errno("write");
}

// What is not zero in a new segment: every receive slot is empty.
Status InitializeRegions(int fd, const Superblock& superblock) {
  for (uint32_t i = 0; i < superblock.region_count; ++i) {
    if (superblock.regions[i].kind != RegionKind::kReceive) continue;
    ReceiveSlots slots{};
    for (mmsghdr& message : slots.messages) message.msg_len = kEmptySlot;
    Status status = WriteAt(fd, &slots, sizeof(slots), superblock.regions[i].offset);
    if (!status.ok()) return status;
  }
  return Status::Ok();
}

Status FillNewFile(int fd, const Geometry& geometry, const SegmentRoom& room) {
  Superblock superblock = MakeSuperblock(geometry, room.align);
  if (const int error = ::posix_fallocate(fd, 0, static_cast<off_t>(superblock.file_size))) {
    return Status::Error("no room for " + std::to_string(superblock.file_size) + " bytes (" +
                         std::to_string(room.free_bytes) + " are free): " + std::strerror(error));
  }
  Status status = InitializeRegions(fd, superblock);
  if (status.ok()) status = WriteAt(fd, &superblock, sizeof(superblock), 0);
  if (status.ok()) status = WriteAt(fd, &kMagic, sizeof(kMagic), 0);
  return status;
}

Result<Superblock> LoadSuperblock(int fd) {
  Superblock superblock;
  const ssize_t size = ::pread(fd, &superblock, sizeof(superblock), 0);
  if (size < 0) return Status::Errno("read");
  if (size != sizeof(superblock)) {
    return Status::Error("its " + std::to_string(size) + " bytes are too short for a superblock");
  }
  return superblock;
}

Status CheckLayout(const Superblock& superblock) {
  if (superblock.layout == kLayoutNumber && superblock.size == sizeof(Superblock)) return Status::Ok();
  return Status::Error("layout " + std::to_string(superblock.layout) + ", this program reads " +
                       std::to_string(kLayoutNumber));
}

// Whether sizes of regions can be computed from it, and what is computed with those sizes later.
bool IsPossible(const Geometry& geometry, uint64_t align) {
  constexpr uint64_t kMost = uint64_t{1} << 40;
  return geometry.lanes >= 1 && geometry.lanes <= kMaxLanes && geometry.max_topics >= 1 &&
         geometry.max_topics <= UINT16_MAX && geometry.slot_size <= kMaxMessageSize + kLine &&
         geometry.connections <= kMaxConnections && geometry.areas <= kMaxConnections &&
         geometry.large_areas <= kMaxConnections && geometry.tickets <= kMaxTickets &&
         geometry.large_area_size <= kMaxMessageSize + kLine &&
         geometry.ring_size >= kRecordAlign && geometry.ring_size % kRecordAlign == 0 &&
         geometry.ring_size <= kMost && geometry.pool_size >= kBlockSize && geometry.pool_size <= kMost &&
         align >= kSmallAlign && align <= kMost && (align & (align - 1)) == 0;
}

// That regions are where the geometry puts them, and the file is as long as they need.
Status CheckRegions(int fd, const Superblock& superblock) {
  if (!IsPossible(superblock.geometry, superblock.align)) return Status::Error("superblock damaged (sizes)");
  const std::vector<RegionEntry> regions = ListRegions(superblock.geometry, superblock.align);
  const bool as_listed = superblock.region_count == regions.size() &&
                         superblock.file_size == SegmentFileSize(superblock.geometry, superblock.align) &&
                         std::memcmp(superblock.regions, regions.data(), regions.size() * sizeof(RegionEntry)) == 0;
  if (!as_listed) return Status::Error("superblock damaged (regions)");
  struct stat file;
  if (::fstat(fd, &file) != 0) return Status::Errno("fstat");
  if (static_cast<uint64_t>(file.st_size) == superblock.file_size) return Status::Ok();
  return Status::Error("file has " + std::to_string(file.st_size) + " bytes, its superblock says " +
                       std::to_string(superblock.file_size));
}

Result<Superblock> ReadSuperblock(int fd) {
  const Result<Superblock> loaded = LoadSuperblock(fd);
  if (!loaded.ok()) return loaded.status();
  const Superblock& superblock = loaded.value();
  if (superblock.magic != kMagic) return Status::Error("no segment of Dory (magic)");
  Status status = CheckLayout(superblock);
  if (!status.ok()) return status;
  if (superblock.crc != SuperblockCrc(superblock)) return Status::Error("superblock damaged (crc)");
  status = CheckRegions(fd, superblock);
  if (!status.ok()) return status;
  return superblock;
}

// What stands in the segment's place may be no file of ours.
Status CheckFile(int fd) {
  struct stat file;
  if (::fstat(fd, &file) != 0) return Status::Errno("fstat");
  if (!S_ISREG(file.st_mode)) return Status::Error("no regular file");
  if (file.st_uid == ::geteuid()) return Status::Ok();
  return Status::Error("belongs to uid " + std::to_string(file.st_uid) + ", Dory runs as uid " +
                       std::to_string(::geteuid()));
}

// Whether an open that failed tells that something else than a segment is there.
bool IsNoFile(int error_number) {
  switch (error_number) {
    case ELOOP:    // a symbolic link
    case EISDIR:
    case ENXIO:    // a socket
    case ENODEV:
    case EACCES:   // somebody else's
    case EPERM: return true;
    default: return false;
  }
}

std::string SegmentPath(const std::string& folder) { return folder + "/segment"; }

}  // namespace

uint64_t SegmentFileSize(const Geometry& geometry, uint64_t align) {
  const RegionEntry last = ListRegions(geometry, align).back();
  return last.offset + AlignUp(last.size, align);
}

Result<SegmentRoom> MeasureRoom(const std::string& folder) {
  struct statfs found;
  if (::statfs(folder.c_str(), &found) != 0) return Status::Errno(folder);
  if (found.f_type != TMPFS_MAGIC && found.f_type != HUGETLBFS_MAGIC) {
    return Status::Error(folder + ": neither tmpfs nor hugetlbfs: pages of a disk file fault again at "
                                  "every write-back, which breaks the receive slots");
  }
  const uint64_t page = static_cast<uint64_t>(found.f_bsize);
  return SegmentRoom{found.f_bavail * page, std::max(kSmallAlign, page)};
}

Result<int> CreateSegment(const std::string& folder, const Geometry& geometry) {
  Result<SegmentRoom> room = MeasureRoom(folder);
  if (!room.ok()) return room.status();
  const std::string temporary = SegmentPath(folder) + ".new";
  ::unlink(temporary.c_str());
  const int fd = ::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return Status::Errno(temporary);
  Status status = FillNewFile(fd, geometry, room.value());
  if (status.ok() && ::rename(temporary.c_str(), SegmentPath(folder).c_str()) != 0) {
    status = Status::Errno("rename");
  }
  if (status.ok()) return fd;
  ::close(fd);
  ::unlink(temporary.c_str());
  return status.Context(temporary);
}

Result<int> CreateMemorySegment(const Geometry& geometry) {
  const int fd = ::memfd_create("dory-segment", MFD_CLOEXEC);
  if (fd < 0) return Status::Errno("memfd_create");
  const Status status = FillNewFile(fd, geometry, SegmentRoom{0, kSmallAlign});
  if (status.ok()) return fd;
  ::close(fd);
  return status.Context("memfd");
}

Result<int> OpenSegment(const std::string& folder, SegmentFault* fault) {
  const std::string path = SegmentPath(folder);
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) {
    *fault = errno == ENOENT ? SegmentFault::kMissing : IsNoFile(errno) ? SegmentFault::kUnusable : SegmentFault::kSystem;
    return Status::Errno(path);
  }
  Status status = CheckFile(fd);
  if (status.ok()) status = ReadSuperblock(fd).status();
  *fault = status.ok() ? SegmentFault::kNone : SegmentFault::kUnusable;
  if (status.ok()) return fd;
  ::close(fd);
  return status.Context(path);
}

Result<Geometry> ReadGeometry(int fd) {
  const Result<Superblock> superblock = ReadSuperblock(fd);
  if (!superblock.ok()) return superblock.status();
  return superblock.value().geometry;
}

struct Segment::Maps {
  Role role;
  std::byte* reserved = nullptr;
  uint64_t reserved_size = 0;
  struct Region {
    interprocess::mapped_region map;
    uint64_t size;
    bool writable;
  };
  std::map<std::pair<RegionKind, uint32_t>, Region> regions;

  // Each region unmaps itself, and here only what lies between them: what was given back once may be
  // somebody else's by now, a heap's or a stack's.
  ~Maps() {
    if (reserved == nullptr) return;
    const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    std::map<std::byte*, uint64_t> mapped;
    for (const auto& entry : regions) {
      mapped.emplace(static_cast<std::byte*>(entry.second.map.get_address()), AlignUp(entry.second.size, page));
    }
    std::byte* from = reserved;
    for (const auto& [begin, size] : mapped) {
      ::munmap(from, static_cast<size_t>(begin - from));
      from = begin + size;
    }
    ::munmap(from, static_cast<size_t>(reserved + reserved_size - from));
  }
};

namespace {

bool RoleSees(Role role, uint32_t lane, const RegionEntry& entry) {
  const RegionSpec& spec = SpecOf(entry.kind);
  if (entry.size == 0) return false;
  const bool per_worker = entry.kind == RegionKind::kWorkerPage || entry.kind == RegionKind::kReport;
  const uint32_t region_lane = per_worker ? entry.lane / 2 : entry.lane;
  const bool all_lanes = role == Role::kSupervisor || role == Role::kCheck;
  if (spec.per_lane && !all_lanes && region_lane != lane) return false;
  const bool reads = (spec.readers & (1u << static_cast<uint32_t>(role))) != 0;
  return reads || static_cast<Role>(entry.role) == role;
}

}  // namespace

Segment::Segment(std::unique_ptr<Maps> maps) : maps_(std::move(maps)) {}
Segment::Segment(Segment&&) noexcept = default;
Segment& Segment::operator=(Segment&&) noexcept = default;
Segment::~Segment() = default;

Result<Segment> Segment::Map(int fd, Role role, uint32_t lane) {
  const Result<Superblock> found = ReadSuperblock(fd);
  if (!found.ok()) return found.status();
  return MapRegions(fd, found.value(), role, lane);
}

Result<Segment> Segment::MapDamaged(int fd) {
  const Result<Superblock> loaded = LoadSuperblock(fd);
  if (!loaded.ok()) return loaded.status();
  Status status = CheckLayout(loaded.value());
  if (status.ok()) status = CheckRegions(fd, loaded.value());
  if (!status.ok()) return status;
  return MapRegions(fd, loaded.value(), Role::kCheck, 0);
}

Result<Segment> Segment::MapRegions(int fd, const Superblock& superblock, Role role, uint32_t lane) {
  auto maps = std::make_unique<Maps>();
  maps->role = role;
  // Every region has a guard of `align` unmapped bytes before and behind it.
  maps->reserved_size = superblock.file_size + (superblock.region_count + 2) * superblock.align;
  void* reserved = ::mmap(nullptr, maps->reserved_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return Status::Errno("mmap of a reservation");
  maps->reserved = static_cast<std::byte*>(reserved);

  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  const uint64_t base = AlignUp(reinterpret_cast<uint64_t>(reserved), superblock.align) + superblock.align;
  try {
    const interprocess::file_mapping readable(path.c_str(), interprocess::read_only);
    const interprocess::file_mapping writable(path.c_str(), role == Role::kCheck ? interprocess::read_only
                                                                                 : interprocess::read_write);
    for (uint32_t i = 0; i < superblock.region_count; ++i) {
      const RegionEntry& entry = superblock.regions[i];
      if (!RoleSees(role, lane, entry)) continue;
      const bool writes = static_cast<Role>(entry.role) == role;
      void* const address = reinterpret_cast<void*>(base + entry.offset + i * superblock.align);
      interprocess::mapped_region map(writes ? writable : readable,
                                      writes ? interprocess::read_write : interprocess::read_only,
                                      static_cast<interprocess::offset_t>(entry.offset), entry.size, address,
                                      MAP_SHARED | MAP_FIXED);
      if (!SpecOf(entry.kind).in_core_dumps) ::madvise(address, entry.size, MADV_DONTDUMP);
      maps->regions.emplace(std::pair(entry.kind, uint32_t{entry.lane}),
                            Maps::Region{std::move(map), entry.size, writes});
    }
  } catch (const interprocess::interprocess_exception& error) {
    return Status::Error(std::string("mapping a region: ") + error.what());
  }
  return Segment(std::move(maps));
}

ByteSpan Segment::Bytes(RegionKind kind, uint32_t lane) const {
  const auto region = maps_->regions.find({kind, lane});
  assert(region != maps_->regions.end());
  return {static_cast<const std::byte*>(region->second.map.get_address()), region->second.size};
}

std::span<std::byte> Segment::WritableBytes(RegionKind kind, uint32_t lane) {
  const auto region = maps_->regions.find({kind, lane});
  assert(region != maps_->regions.end() && region->second.writable);
  return {static_cast<std::byte*>(region->second.map.get_address()), region->second.size};
}

}  // namespace dory::shm
