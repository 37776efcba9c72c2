// The segment: one fully allocated file in tmpfs or hugetlbfs, and the mapping of its regions.
//
// Owner: the supervisor creates it (CreateSegment, under a temporary name, renamed once complete) and
// opens it (OpenSegment); every process maps what it may see of it (Segment::Map).
// On crash: a segment that was not complete never had its name.
// Errors: each says the path, what was found and what is needed.
//
// Only mapping is used of Boost.Interprocess (doc/decisions/0002-boost-interprocess-maps-only.md).

#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "common/bytes.h"
#include "common/status.h"
#include "shm/layout.h"

namespace dory::shm {

// Who maps. A role writes the regions that are its own and sees those that its work needs.
enum class Role : uint32_t { kSupervisor, kIntake, kKafka, kCheck };

// The file's size for this geometry, with regions aligned to `align` bytes.
uint64_t SegmentFileSize(const Geometry& geometry, uint64_t align);

// How a folder's file system can hold a segment.
struct SegmentRoom {
  uint64_t free_bytes;
  uint64_t align;  // of regions: 64 KiB, or the huge page size
};

// Fails where `folder` is neither tmpfs nor hugetlbfs.
Result<SegmentRoom> MeasureRoom(const std::string& folder);

// Creates folder/segment, complete and renamed into place. Returns its descriptor (read and write).
Result<int> CreateSegment(const std::string& folder, const Geometry& geometry);

// Creates a segment without a name, complete, in a memfd: it is lost with whoever holds descriptors of it.
Result<int> CreateMemorySegment(const Geometry& geometry);

// Why a folder has no segment to open.
enum class SegmentFault {
  kNone,
  kMissing,
  kUnusable,  // what has its name is damaged, of another layout, somebody else's or no file
  kSystem,    // the kernel did not let us look: nothing is known of it
};

// Opens folder/segment and checks that it is ours and its superblock holds.
Result<int> OpenSegment(const std::string& folder, SegmentFault* fault);

Result<Geometry> ReadGeometry(int fd);

class Segment {
 public:
  // Maps what `role` may see of `lane` (the supervisor and check-buffer see all lanes).
  static Result<Segment> Map(int fd, Role role, uint32_t lane);

  // Maps by Role::kCheck also where magic or crc do not hold, as long as layout, sizes and regions do:
  // to count what is in a segment that is not used any more.
  static Result<Segment> MapDamaged(int fd);

  Segment(Segment&&) noexcept;
  Segment& operator=(Segment&&) noexcept;
  ~Segment();

  const Superblock& superblock() const { return *Get<Superblock>(RegionKind::kSuperblock, 0); }
  const Geometry& geometry() const { return superblock().geometry; }

  // The bytes of a region. REQUIRES: this role sees it; for Writable it is its writer.
  ByteSpan Bytes(RegionKind kind, uint32_t lane) const;
  std::span<std::byte> WritableBytes(RegionKind kind, uint32_t lane);

  template <typename T>
  const T* Get(RegionKind kind, uint32_t lane) const {
    return reinterpret_cast<const T*>(Bytes(kind, lane).data());
  }
  template <typename T>
  T* GetWritable(RegionKind kind, uint32_t lane) {
    return reinterpret_cast<T*>(WritableBytes(kind, lane).data());
  }

 private:
  struct Maps;
  explicit Segment(std::unique_ptr<Maps> maps);
  static Result<Segment> MapRegions(int fd, const Superblock& superblock, Role role, uint32_t lane);
  std::unique_ptr<Maps> maps_;
};

// A worker's index among slots and pages: intake of lane l is 2l, its kafka worker 2l + 1.
inline uint32_t WorkerIndex(Role role, uint32_t lane) { return 2 * lane + (role == Role::kKafka ? 1 : 0); }

}  // namespace dory::shm
