// Which areas are free, small and large ones, and which connection holds the others. Private: a start finds
// out anew.

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "shm/stream_area.h"

namespace dory::intake {

enum class AreaKind : uint8_t { kSmall, kLarge };

class FreeAreas {
 public:
  // All are free.
  explicit FreeAreas(const shm::Geometry& geometry)
      : geometry_(geometry), holders_(shm::AreaCount(geometry), shm::kNoIndex) {
    // The lowest are taken first: what was used last is in the caches.
    for (uint32_t area = static_cast<uint32_t>(holders_.size()); area-- > 0;) ListOf(area).push_back(area);
  }

  AreaKind KindOf(uint64_t area) const { return shm::IsSmallArea(geometry_, area) ? AreaKind::kSmall : AreaKind::kLarge; }
  bool HasFree(AreaKind kind) const { return !lists_[static_cast<size_t>(kind)].empty(); }

  std::optional<uint32_t> Take(AreaKind kind, uint32_t connection) {
    std::vector<uint32_t>& list = lists_[static_cast<size_t>(kind)];
    if (list.empty()) return std::nullopt;
    const uint32_t area = list.back();
    list.pop_back();
    holders_[area] = connection;
    return area;
  }

  // One that a connection was found to hold at a start.
  void TakeThis(uint32_t area, uint32_t connection) {
    std::erase(ListOf(area), area);
    holders_[area] = connection;
  }

  // Nothing happens where the connection does not hold it.
  void Give(uint32_t area, uint32_t connection) {
    if (area >= holders_.size() || holders_[area] != connection) return;
    holders_[area] = shm::kNoIndex;
    ListOf(area).push_back(area);
  }

 private:
  std::vector<uint32_t>& ListOf(uint32_t area) { return lists_[static_cast<size_t>(KindOf(area))]; }

  shm::Geometry geometry_;
  std::vector<uint32_t> holders_;  // by area: the connection's slot; kNoIndex: none
  std::vector<uint32_t> lists_[2];
};

}  // namespace dory::intake
