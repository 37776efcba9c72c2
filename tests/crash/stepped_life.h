// A life that store_steps looks at: its log of stores, the parts of it that are stepped, and what of the
// segment it can write at all.
//
// Owner: the test's process; the life is a fork of it, and shares the log, the switch and the passages.

#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/crash_point.h"
#include "shm/layout.h"
#include "tests/crash/stepper.h"
#include "tests/crash/store_log.h"
#include "tests/crash/store_witness.h"

namespace dory::crash {

// It is over when the last of its crash points was passed, and the loop is back at its wait.
struct StepPart {
  const char* name;
  std::vector<std::string_view> points;
};

class SteppedLife {
 public:
  explicit SteppedLife(std::vector<StepPart> parts);
  ~SteppedLife();
  SteppedLife(const SteppedLife&) = delete;
  SteppedLife& operator=(const SteppedLife&) = delete;

  // ---- in the child

  struct Memory {
    shm::RegionKind region;
    std::span<std::byte> bytes;
  };

  // What the life will write, as it has it mapped. All other pages of the segment it can not write any more.
  void Watch(std::span<const Memory> memory);
  void Begin();
  // Where the loop waits.
  void End();
  bool IsOver() const { return part_ == parts_.size(); }
  StepSwitch& steps() { return steps_; }
  void NotePassage(const CrashPoint& point);

  // What the kernel writes there by this call is one store.
  template <typename Call>
  auto CallForeign(shm::RegionKind region, const Call& call) {
    Run([&] { log_.BeginForeign(region); });
    const auto result = call();
    Run([&] { log_.EndForeign(region); });
    return result;
  }

  // ---- in the parent

  // The part of a region that the life can write.
  static size_t WritableSize(shm::RegionKind region, size_t size);
  const StoreLog& log() const { return log_; }
  const StepSwitch& steps() const { return steps_; }
  const std::vector<StepPart>& parts() const { return parts_; }
  // Names those of the part's crash points that were not passed in steps.
  std::string ListMissed(uint32_t part) const;

 private:
  template <typename Work>
  void Run(const Work& work) {
    const Unstepped unstepped(steps_);
    work();
  }
  static void Log(void* to, const void* from, size_t size);
  bool* Passed(uint32_t part, const CrashPoint& point) const;
  bool HasPassed(uint32_t part, std::string_view name) const;

  std::vector<StepPart> parts_;
  uint32_t part_ = 0;
  StoreLog log_;
  StepSwitch steps_;
  bool* passed_;  // by part and crash point
};

}  // namespace dory::crash
