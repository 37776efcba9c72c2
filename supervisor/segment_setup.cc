#include "supervisor/segment_setup.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <span>

#include "common/log.h"
#include "common/paths.h"
#include "common/units.h"
#include "shm/books.h"
#include "shm/soundness.h"
#include "shm/store.h"
#include "supervisor/moved_aside.h"
#include "supervisor/room.h"
#include "supervisor/sizing.h"

namespace dory::supervisor {
namespace {

std::string FormatSizes(const shm::Geometry& geometry) {
  return "ring_size " + FormatSize(static_cast<int64_t>(geometry.ring_size)) + ", pool_size " +
         FormatSize(static_cast<int64_t>(geometry.pool_size));
}

std::string OverflowPath(const std::string& folder, uint32_t lane) {
  return folder + "/overflow." + std::to_string(lane);
}

class Setup {
 public:
  explicit Setup(const Config& config) : config_(config), folder_(SegmentFolder(config)) {}

  Result<SegmentSetup> Run() {
    const Status status = UsesMemfd(config_) ? CreateMemfd() : OpenOrCreate();
    if (!status.ok()) return status;
    const Result<shm::Geometry> geometry = shm::ReadGeometry(setup_.fd.get());
    if (!geometry.ok()) return geometry.status();
    Result<Config> fitted = ConfigForSegment(config_, geometry.value(), pending_);
    if (!fitted.ok()) return fitted.status();
    setup_.config = fitted.Take();
    return std::move(setup_);
  }

 private:
  void Warn(const char* name, std::string text) {
    LogWarning("{}", text);
    setup_.warnings.push_back({name, std::move(text)});
  }

  Status CreateMemfd() {
    Warn("memfd", "segment_dir = memfd: what is buffered is lost with the supervisor");
    return Create();
  }

  Status OpenOrCreate() {
    ::unlink((folder_ + "/segment.new").c_str());  // of a creation that was not completed
    Status status = OpenOrReplace();
    const std::string kept = DescribeMovedAside(folder_);
    if (status.ok() && !kept.empty()) Warn("segment_moved_aside", kept);
    return status;
  }

  Status OpenOrReplace() {
    shm::SegmentFault fault{};
    const Result<int> opened = shm::OpenSegment(folder_, &fault);
    switch (fault) {
      case shm::SegmentFault::kNone: setup_.fd.Reset(opened.value()); return KeepIfSound();
      case shm::SegmentFault::kMissing: return Create();
      case shm::SegmentFault::kUnusable: return CreateBeside(opened.status());
      case shm::SegmentFault::kSystem: break;
    }
    return opened.status();
  }

  Status KeepIfSound() {
    Result<shm::Segment> checked = shm::Segment::Map(setup_.fd.get(), shm::Role::kCheck, 0);
    if (!checked.ok()) return checked.status();
    for (uint32_t lane = 0; lane < checked.value().geometry().lanes; ++lane) {
      const Status sound = shm::CheckSound(checked.value(), lane);
      if (!sound.ok()) return CreateBeside(sound.Context("lane " + std::to_string(lane)));
    }
    return KeepOrReplace();
  }

  // Nothing is touched where there is no room for both.
  Status CreateBeside(const Status& why) {
    const Result<Room> room = MeasureRoomFor(config_, folder_);
    if (!room.ok()) return room.status();
    const Result<Sizing> sizing = ChooseSizes(room.value(), folder_ + "/segment");
    if (!sizing.ok()) return sizing.status().Context("the segment can't be used (" + why.message() + ")");
    const Status moved = MoveAside(folder_, why);
    return moved.ok() ? Create() : moved;
  }

  // `aside`: a file that is to be kept beside the new one, or empty.
  Result<Sizing> ChooseSizes(const Room& room, const std::string& aside) {
    Result<Sizing> sizing = FitGeometry(config_, room);
    if (sizing.ok() || UsesMemfd(config_)) return sizing;
    const std::string kept = DescribeMovedAsideSizes(folder_, aside);
    if (kept.empty()) return sizing;
    return Status::Error(sizing.status().message() + "; segments that could not be used take room there: " + kept);
  }

  Status Create() {
    const Result<Room> room = MeasureRoomFor(config_, folder_);
    if (!room.ok()) return room.status();
    const Result<Sizing> sizing = ChooseSizes(room.value(), "");
    if (!sizing.ok()) return sizing.status();
    const shm::Geometry& geometry = sizing.value().geometry;
    const Result<Config> usable = ConfigForSegment(config_, geometry, false);
    if (!usable.ok()) return usable.status();
    const Result<int> fd = UsesMemfd(config_) ? shm::CreateMemorySegment(geometry)
                                              : shm::CreateSegment(folder_, geometry);
    if (!fd.ok()) return fd.status();
    setup_.fd.Reset(fd.value());
    if (sizing.value().shrunk) WarnShrunk(geometry, room.value());
    LogInfo("segment created: {}", FormatSizes(geometry));
    return Status::Ok();
  }

  void WarnShrunk(const shm::Geometry& geometry, const Room& room) {
    const shm::Geometry wanted = WantedGeometry(config_);
    Warn("shrunk_sizes", fmt::format("{}: {} bytes are free, the defaults ({}) need {}: shrunk to {}", room.where,
                                     room.bytes, FormatSizes(wanted), shm::SegmentFileSize(wanted, room.align),
                                     FormatSizes(geometry)));
  }

  Status KeepOrReplace() {
    Result<Room> room = MeasureRoomFor(config_, folder_);
    if (!room.ok()) return room.status();
    struct stat file;
    if (::fstat(setup_.fd.get(), &file) != 0) return Status::Errno("fstat");
    room.value().bytes += static_cast<uint64_t>(file.st_size);
    const shm::Geometry existing = shm::ReadGeometry(setup_.fd.get()).Take();
    const std::string difference = DescribeDifference(config_, existing, room.value());
    if (difference.empty()) return Keep(existing, room.value());
    Result<shm::Segment> checked = shm::Segment::Map(setup_.fd.get(), shm::Role::kCheck, 0);
    if (!checked.ok()) return checked.status();
    if (IsEmpty(checked.value())) return Replace(room.value(), difference);
    pending_ = true;
    Warn("layout_pending", "the segment is not empty and stays as it is: " + difference +
                               "; a start that finds it empty changes it");
    return Status::Ok();
  }

  Status Keep(const shm::Geometry& existing, const Room& room) {
    LogInfo("segment found: {}", FormatSizes(existing));
    const shm::Geometry wanted = WantedGeometry(config_);
    if (existing.ring_size < wanted.ring_size || existing.pool_size < wanted.pool_size) WarnShrunk(existing, room);
    return Status::Ok();
  }

  Status Replace(const Room& room, const std::string& difference) {
    const Result<Sizing> fits = ChooseSizes(room, "");
    if (!fits.ok()) return fits.status();
    LogInfo("the segment is empty and replaced: {}; counters begin anew", difference);
    setup_.fd.Reset();
    if (::unlink((folder_ + "/segment").c_str()) != 0) return Status::Errno(folder_ + "/segment");
    for (uint32_t lane = 0; lane < shm::kMaxLanes; ++lane) ::unlink(OverflowPath(folder_, lane).c_str());
    return Create();
  }

  const Config& config_;
  const std::string folder_;
  SegmentSetup setup_;
  bool pending_ = false;
};

bool HasUsedSlot(const shm::Segment& checked, uint32_t lane) {
  const auto* slots = checked.Get<shm::ReceiveSlots>(shm::RegionKind::kReceive, lane);
  for (const mmsghdr& message : slots->messages) {
    if (message.msg_len != shm::kEmptySlot) return true;
  }
  return false;
}

bool HasReceivedBytes(const shm::Segment& checked, uint32_t lane) {
  const uint32_t count = checked.geometry().connections;
  if (count == 0) return false;
  const std::span connections(checked.Get<shm::Connection>(shm::RegionKind::kConnections, lane), count);
  return std::any_of(connections.begin(), connections.end(), [](const shm::Connection& connection) {
    const shm::ReceivedBytes bytes = shm::FindReceived(connection);
    return bytes.in != bytes.out;
  });
}

}  // namespace

bool IsEmpty(const shm::Segment& checked) {
  for (uint32_t lane = 0; lane < checked.geometry().lanes; ++lane) {
    const auto* page = checked.Get<shm::ProducerPage>(shm::RegionKind::kProducer, lane);
    if (shm::Load(page->overflow_in) != shm::Load(page->overflow_out)) return false;
    if (HasReceivedBytes(checked, lane) || HasUsedSlot(checked, lane) || shm::ReadBooks(checked, lane).Buffered() != 0) return false;
  }
  return true;
}

Result<SegmentSetup> SetUpSegment(const Config& config) { return Setup(config).Run(); }

}  // namespace dory::supervisor
