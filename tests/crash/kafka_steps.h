// The kafka worker's lives of which a drain, a send and a settle are stepped: those of the second four
// messages, when brokers, topics and producer id are known.

#pragma once

#include <string>
#include <vector>

#include "shm/check_buffer.h"
#include "shm/soundness.h"
#include "tests/crash/kafka_sweep_judge.h"
#include "tests/crash/kafka_sweep_scenarios.h"
#include "tests/crash/kafka_sweep_world.h"
#include "tests/crash/stepped_life.h"

namespace dory::kafka {

struct StepScript {
  Scenario scenario;
  std::vector<crash::StepPart> parts;
};

inline const std::vector<StepScript> kStepScripts = {
    {{.name = "delivered",
      .messages = Mix(8, 2, 400),
      .pace = Pace::kSettled,
      .ring_size = 4096,
      .options = "batch_time = 20ms\n"},
     {{"drain",
       {"C2.described", "C2.open", "C3.encoded", "C3.placed", "C3.end", "C4.committed", "C5.before", "C5.head"}},
      {"send", {"C6.fixed", "C7.sent", "C8.attempt", "C8.before_write"}},
      {"settle",
       {"C9.answer", "C9.offset", "C9.time", "C9.total", "C10.acked", "C11.outcome", "C11.sequence", "C11.counted",
        "C12.free"}}}},
    {{.name = "damaged and refused",
      .messages = With(With(Mix(8, 2, 400), Fate::kDamaged, {5}), Fate::kRefused, {6}),
      .pace = Pace::kSettled,
      .ring_size = 4096,
      .options = "batch_time = 20ms\n"},
     {{"drain with a discard", {"C4'.value", "C4'.position", "C4'.counted", "C4'.done", "C5.head"}},
      {"send", {"C7.sent", "C8.before_write"}},
      {"settle with a discard",
       {"C9.answer", "C9.discard_reason", "C9.discard_total", "C10.discarded", "C11.outcome", "C11.counted",
        "C12.free"}}}},
};

class KafkaSteps final : public World {
 public:
  explicit KafkaSteps(const StepScript& script) : World(script.scenario), stepped_(script.parts) {}

  crash::SteppedLife& stepped() { return stepped_; }

  std::vector<crash::WitnessedMemory> ListWitnessed() const {
    std::vector<crash::WitnessedMemory> list;
    for (const RegionKind region : kRegions) {
      const ByteSpan bytes = check().Bytes(region, PageOf(region));
      list.push_back({region, bytes.first(crash::SteppedLife::WritableSize(region, bytes.size()))});
    }
    return list;
  }

  std::string Inspect() const {
    const Status sound = shm::CheckSound(check(), 0);
    if (!sound.ok()) return sound.message();
    return shm::CheckBuffer(check(), 0).balances ? "" : "the books do not balance";
  }

  void OnWait() override {
    stepped_.End();
    World::OnWait();
    if (shared().appended > kFirstMessages) stepped_.Begin();
  }
  void OnWritten() override {
    const crash::Unstepped unstepped(stepped_.steps());
    World::OnWritten();
  }
  void OnIdle(int wait_ms) override {
    const crash::Unstepped unstepped(stepped_.steps());
    World::OnIdle(wait_ms);
  }

 protected:
  void OnBirth(shm::Segment* segment) override {
    std::vector<crash::SteppedLife::Memory> memory;
    for (const RegionKind region : kRegions) {
      const bool of_intake =
          region == RegionKind::kIntakeBooks || region == RegionKind::kProducer || region == RegionKind::kRing;
      memory.push_back({region, (of_intake ? &intake() : segment)->WritableBytes(region, PageOf(region))});
    }
    stepped_.Watch(memory);
  }

 private:
  static constexpr size_t kFirstMessages = 4;
  static constexpr RegionKind kRegions[] = {
      RegionKind::kConsumer, RegionKind::kKafkaBooks, RegionKind::kProducerIds, RegionKind::kPartitions,
      RegionKind::kBatches,  RegionKind::kChains,     RegionKind::kPool,        RegionKind::kOutcomes,
      RegionKind::kWorkerPage, RegionKind::kReport,  RegionKind::kIntakeBooks, RegionKind::kProducer,
      RegionKind::kRing};

  static uint32_t PageOf(RegionKind region) {
    const bool of_worker = region == RegionKind::kWorkerPage || region == RegionKind::kReport;
    return of_worker ? shm::WorkerIndex(shm::Role::kKafka, 0) : 0;
  }

  crash::SteppedLife stepped_;
};

}  // namespace dory::kafka
