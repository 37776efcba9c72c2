// The intake's life whose first burst is stepped: good messages and bad ones, into a new segment.

#pragma once

#include <sys/socket.h>
#include <sys/syscall.h>

#include <string>
#include <vector>

#include "tests/crash/intake_sweep_judge.h"
#include "tests/crash/intake_sweep_scenarios.h"
#include "tests/crash/intake_sweep_world.h"
#include "tests/crash/stepped_life.h"

namespace dory::intake {

class IntakeSteps;
inline IntakeSteps* stepping = nullptr;  // in this process

class IntakeSteps final : public World {
 public:
  IntakeSteps() : World(kScenarios.front()) { stepping = this; }

  crash::SteppedLife& stepped() { return stepped_; }

  std::vector<crash::WitnessedMemory> ListWitnessed() const {
    std::vector<crash::WitnessedMemory> list;
    for (const RegionKind region : kRegions) {
      const ByteSpan bytes = check().Bytes(region, IndexOf(region));
      list.push_back({region, bytes.first(crash::SteppedLife::WritableSize(region, bytes.size()))});
    }
    return list;
  }

  std::string Inspect() const { return shm::CheckSound(check(), kSweepLane).message(); }

  int ReceiveFor(int fd, mmsghdr* messages, unsigned count, int flags) {
    return stepped_.CallForeign(RegionKind::kReceive, [&] {
      return static_cast<int>(::syscall(SYS_recvmmsg, fd, messages, count, flags, nullptr));
    });
  }

 protected:
  void OnBirth(shm::Segment* segment) override {
    std::vector<crash::SteppedLife::Memory> memory;
    for (const RegionKind region : kRegions) {
      const bool of_kafka = region == RegionKind::kConsumer;
      memory.push_back({region, (of_kafka ? &kafka() : segment)->WritableBytes(region, IndexOf(region))});
    }
    stepped_.Watch(memory);
    ObserveCrashPoints([](const CrashPoint& point) { stepping->OnPassage(point); });
  }

 private:
  static constexpr RegionKind kRegions[] = {RegionKind::kIntakeBooks, RegionKind::kReceive,    RegionKind::kProducer,
                                            RegionKind::kRing,        RegionKind::kWorkerPage, RegionKind::kReport,
                                            RegionKind::kConsumer};

  // P1 is where the loop begins anew.
  void OnPassage(const CrashPoint& point) {
    if (point.name == std::string_view("P1.room")) {
      if (stepped_.steps().is_on()) stepped_.End();
      stepped_.Begin();
    }
    stepped_.NotePassage(point);
  }

  crash::SteppedLife stepped_{{{"burst",
                                {"P1.room", "P2.input", "P2.received", "P3.topic_name", "P3.topic_row",
                                 "P3.topic_count", "P3.record", "P3.journal_counter", "P3.journal_value",
                                 "P3.journal_count", "P3.stage_source", "P3.stage_slots", "P3.stage_out", "P4.tail",
                                 "P5.counter", "P5.slot_flags", "P5.slot", "P6.base", "P6.decided", "P7.doorbell"}}}};
};

}  // namespace dory::intake
