// The regions of one lane that its intake works on, found once.

#pragma once

#include <cstdint>
#include <span>

#include "shm/layout.h"
#include "shm/segment.h"

namespace dory::intake {

struct LaneMemory {
  // REQUIRES: mapped by Role::kIntake for this lane.
  LaneMemory(shm::Segment& segment, uint32_t lane);

  shm::ReceiveSlots* slots;
  std::span<std::byte> slot_bytes;
  uint32_t slot_size;
  std::span<shm::Connection> connections;  // none where the segment has no stream inputs
  std::span<std::byte> areas;
  std::span<std::byte> receipts;           // tickets and answer areas; none likewise
  std::span<const shm::Outcome> outcomes;
  shm::Geometry geometry;
  shm::ProducerPage* producer;
  const shm::ConsumerPage* consumer;
  std::span<std::byte> ring;
  std::span<std::byte> books;
  uint32_t max_topics;
  shm::WorkerPage* page;
  std::span<std::byte> report;
};

}  // namespace dory::intake
