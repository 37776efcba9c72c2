#include "intake_worker/lane_memory.h"

namespace dory::intake {

using shm::RegionKind;

namespace {

// Of a region that is not part of each segment.
template <typename T>
std::span<T> MapTable(shm::Segment& segment, RegionKind kind, uint32_t lane) {
  if (segment.geometry().connections == 0) return {};
  const std::span<std::byte> bytes = segment.WritableBytes(kind, lane);
  return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
}

std::span<const shm::Outcome> MapOutcomes(shm::Segment& segment, uint32_t lane) {
  const uint32_t tickets = segment.geometry().tickets;
  if (tickets == 0) return {};
  return {segment.Get<shm::Outcome>(RegionKind::kOutcomes, lane), tickets};
}

}  // namespace

LaneMemory::LaneMemory(shm::Segment& segment, uint32_t lane)
    : slots(segment.GetWritable<shm::ReceiveSlots>(RegionKind::kReceive, lane)),
      slot_bytes(segment.WritableBytes(RegionKind::kReceive, lane).subspan(shm::kSlotsOffset)),
      slot_size(segment.geometry().slot_size),
      connections(MapTable<shm::Connection>(segment, RegionKind::kConnections, lane)),
      areas(MapTable<std::byte>(segment, RegionKind::kAreas, lane)),
      receipts(segment.geometry().tickets == 0 ? std::span<std::byte>{}
                                               : segment.WritableBytes(RegionKind::kTickets, lane)),
      outcomes(MapOutcomes(segment, lane)),
      geometry(segment.geometry()),
      producer(segment.GetWritable<shm::ProducerPage>(RegionKind::kProducer, lane)),
      consumer(segment.Get<shm::ConsumerPage>(RegionKind::kConsumer, lane)),
      ring(segment.WritableBytes(RegionKind::kRing, lane)),
      books(segment.WritableBytes(RegionKind::kIntakeBooks, lane)),
      max_topics(segment.geometry().max_topics),
      page(segment.GetWritable<shm::WorkerPage>(RegionKind::kWorkerPage,
                                                shm::WorkerIndex(shm::Role::kIntake, lane))),
      report(segment.WritableBytes(RegionKind::kReport, shm::WorkerIndex(shm::Role::kIntake, lane))) {}

}  // namespace dory::intake
