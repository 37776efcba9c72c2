#include "intake_worker/lane_memory.h"

namespace dory::intake {

using shm::RegionKind;

LaneMemory::LaneMemory(shm::Segment& segment, uint32_t lane)
    : slots(segment.GetWritable<shm::ReceiveSlots>(RegionKind::kReceive, lane)),
      slot_bytes(segment.WritableBytes(RegionKind::kReceive, lane).subspan(shm::kSlotsOffset)),
      slot_size(segment.geometry().slot_size),
      producer(segment.GetWritable<shm::ProducerPage>(RegionKind::kProducer, lane)),
      consumer(segment.Get<shm::ConsumerPage>(RegionKind::kConsumer, lane)),
      ring(segment.WritableBytes(RegionKind::kRing, lane)),
      books(segment.WritableBytes(RegionKind::kIntakeBooks, lane)),
      max_topics(segment.geometry().max_topics),
      page(segment.GetWritable<shm::WorkerPage>(RegionKind::kWorkerPage,
                                                shm::WorkerIndex(shm::Role::kIntake, lane))) {}

}  // namespace dory::intake
