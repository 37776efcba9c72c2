// Holds what a stepped child does to the segment against its log of stores: after every instruction.
//
// A change has to lie within the newest entry, and be the bytes of that entry; an entry has to find the old
// bytes that it names, and to be done when the next one comes. What the kernel writes in a foreign store
// comes in one step, and its entry behind it, before anything else. Of an entry whose store takes many
// instructions each prefix is seen: no word may be such a one.
//
// Owner: the parent, which sees the segment by a mapping of its own.

#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/bytes.h"
#include "tests/crash/stepper.h"
#include "tests/crash/store_log.h"

namespace dory::crash {

struct WitnessedMemory {
  shm::RegionKind region;
  ByteSpan bytes;  // from its begin; the child can write no more of it
};

struct StepFigures {
  size_t steps = 0;
  size_t changes = 0;  // steps that changed the segment
  size_t by_kernel = 0;
  size_t entries = 0;  // of the log
  size_t equal = 0;    // of these: the bytes were the same before
  size_t long_ones = 0;  // of these: took more than one instruction
  size_t unmatched = 0;  // what was found wrong, and is the last
};

class StoreWitness final : public StepListener {
 public:
  // `inspect` is asked after every change.
  StoreWitness(const StoreLog& log, const std::vector<WitnessedMemory>& memory, std::function<std::string()> inspect);

  std::string OnBegin(uint32_t part) override;
  std::string OnResume() override;
  std::string OnStep() override;

  // When there is nothing more to come.
  std::string End();

  const StepFigures& figures(uint32_t part) { return figures_[part]; }

 private:
  struct Region {
    shm::RegionKind kind;
    ByteSpan bytes;
    std::vector<std::byte> known;
  };

  std::string Look(bool may_change);
  std::string TakeEntries();
  std::string TakeEntry(size_t index);
  std::string FinishEntry();
  std::string Compare(bool may_change);
  std::string TakeChange(Region* region);
  std::string TakeForeign(Region* region);
  Region* Find(shm::RegionKind kind);

  const StoreLog& log_;
  std::vector<Region> regions_;
  std::function<std::string()> inspect_;
  std::map<uint32_t, StepFigures> figures_;  // by part
  StepFigures* counted_ = nullptr;           // that of now
  size_t taken_ = 0;           // entries of the log
  bool has_entry_ = false;     // the newest of them was seen to come
  size_t stores_ = 0;          // instructions that it took until now
  bool is_foreign_ = false;    // the kernel has written, and its entry is still to come
  std::vector<std::byte> before_foreign_;
};

}  // namespace dory::crash
