#include "shm/regions.h"

#include <array>

#include "shm/receipts.h"
#include "shm/report.h"

namespace dory::shm {
namespace {

constexpr uint32_t Bit(Role role) { return 1u << static_cast<uint32_t>(role); }
constexpr uint32_t kSupervisor = Bit(Role::kSupervisor);
constexpr uint32_t kIntake = Bit(Role::kIntake);
constexpr uint32_t kKafka = Bit(Role::kKafka);
constexpr uint32_t kCheck = Bit(Role::kCheck);
constexpr uint32_t kAll = kSupervisor | kIntake | kKafka | kCheck;

constexpr uint64_t kControlRoom = 64 * 1024;

uint64_t ReportRegionSize(const Geometry& g) { return ReportSize(g.max_topics); }
uint64_t OneControlRoom(const Geometry&) { return kControlRoom; }
uint64_t SuperblockSize(const Geometry&) { return sizeof(Superblock); }
uint64_t WorkerSlotsSize(const Geometry& g) { return 2 * g.lanes * sizeof(WorkerSlot); }
uint64_t IntakeBooksSize(const Geometry& g) {
  return sizeof(IntakeBooks) + g.max_topics * sizeof(IntakeTopicRow);
}
uint64_t KafkaBooksSize(const Geometry& g) { return (g.max_topics + 1) * sizeof(KafkaTopicRow); }
uint64_t ReceiveSize(const Geometry& g) { return kSlotsOffset + uint64_t{kSlotCount} * g.slot_size; }
uint64_t ConnectionsSize(const Geometry& g) { return uint64_t{g.connections} * sizeof(Connection); }
uint64_t AreasSize(const Geometry& g) {
  return g.connections == 0 ? 0 : g.areas * kAreaSize + g.large_areas * g.large_area_size;
}
uint64_t TicketsSize(const Geometry& g) {
  return g.tickets == 0 ? 0 : AnswerAreaOffset(g, AnswerAreaCount(g));
}
uint64_t OutcomesSize(const Geometry& g) { return g.tickets * sizeof(Outcome); }
uint64_t RingSize(const Geometry& g) { return g.ring_size; }
uint64_t ProducerIdsSize(const Geometry&) { return sizeof(ProducerIds); }
uint64_t PartitionsSize(const Geometry&) { return sizeof(PartitionRows); }
uint64_t BatchesSize(const Geometry& g) { return g.BlockCount() * sizeof(BatchDescriptor); }
uint64_t ChainsSize(const Geometry& g) { return g.BlockCount() * sizeof(uint32_t); }
uint64_t PoolSize(const Geometry& g) { return uint64_t{g.BlockCount()} * kBlockSize; }

static_assert(sizeof(ProducerPage) <= kControlRoom && sizeof(ConsumerPage) <= kControlRoom);

// kind, name, writer, readers, per lane, in core dumps, size. One row a kind, in its order.
constexpr std::array<RegionSpec, kRegionKinds> kSpecs = {{
    {RegionKind::kSuperblock, "superblock", Role::kSupervisor, kAll, false, true, SuperblockSize},
    {RegionKind::kWorkerSlots, "worker slots", Role::kSupervisor, kAll, false, true, WorkerSlotsSize},
    {RegionKind::kWorkerPage, "worker page", Role::kIntake, kSupervisor | kCheck, true, true, OneControlRoom},
    {RegionKind::kReport, "report", Role::kIntake, kSupervisor | kCheck, true, false, ReportRegionSize},
    {RegionKind::kIntakeBooks, "intake books", Role::kIntake, kAll, true, true, IntakeBooksSize},
    {RegionKind::kKafkaBooks, "kafka books", Role::kKafka, kAll, true, true, KafkaBooksSize},
    {RegionKind::kReceive, "receive slots", Role::kIntake, kCheck, true, false, ReceiveSize},
    {RegionKind::kConnections, "connections", Role::kIntake, kCheck, true, true, ConnectionsSize},
    {RegionKind::kAreas, "areas", Role::kIntake, kCheck, true, false, AreasSize},
    {RegionKind::kTickets, "tickets", Role::kIntake, kCheck, true, true, TicketsSize},
    {RegionKind::kProducer, "producer page", Role::kIntake, kAll, true, true, OneControlRoom},
    {RegionKind::kRing, "ring", Role::kIntake, kKafka | kCheck, true, false, RingSize},
    {RegionKind::kConsumer, "consumer page", Role::kKafka, kAll, true, true, OneControlRoom},
    {RegionKind::kProducerIds, "producer ids", Role::kKafka, kCheck, true, true, ProducerIdsSize},
    {RegionKind::kPartitions, "partitions", Role::kKafka, kCheck, true, true, PartitionsSize},
    {RegionKind::kBatches, "batches", Role::kKafka, kCheck, true, true, BatchesSize},
    {RegionKind::kChains, "chains", Role::kKafka, kCheck, true, true, ChainsSize},
    {RegionKind::kPool, "pool", Role::kKafka, kCheck, true, false, PoolSize},
    {RegionKind::kOutcomes, "outcomes", Role::kKafka, kIntake | kCheck, true, true, OutcomesSize},
}};

constexpr bool InOrder() {
  for (size_t i = 0; i < kSpecs.size(); ++i) {
    if (static_cast<size_t>(kSpecs[i].kind) != i) return false;
  }
  return true;
}
static_assert(InOrder());

bool IsPerWorker(RegionKind kind) {
  return kind == RegionKind::kWorkerPage || kind == RegionKind::kReport;
}

}  // namespace

const RegionSpec& SpecOf(RegionKind kind) { return kSpecs[static_cast<size_t>(kind)]; }

std::vector<RegionEntry> ListRegions(const Geometry& geometry, uint64_t align) {
  std::vector<RegionEntry> regions;
  uint64_t offset = 0;
  const auto add = [&](const RegionSpec& spec, uint32_t index, Role writer) {
    const uint64_t size = spec.size(geometry);
    regions.push_back({spec.kind, static_cast<uint16_t>(index), static_cast<uint32_t>(writer), offset, size});
    offset += (size + align - 1) / align * align;
  };
  for (const RegionSpec& spec : kSpecs) {
    for (uint32_t lane = 0; lane < (spec.per_lane ? geometry.lanes : 1); ++lane) {
      if (IsPerWorker(spec.kind)) {
        add(spec, WorkerIndex(Role::kIntake, lane), Role::kIntake);
        add(spec, WorkerIndex(Role::kKafka, lane), Role::kKafka);
      } else {
        add(spec, lane, spec.writer);
      }
    }
  }
  return regions;
}

}  // namespace dory::shm
