// Breadcrumbs: which step of doc/segment.md a worker is about, and of which record or batch, for whoever
// looks after its death.
//
// Owner: the worker, of its page; the supervisor reads it once the worker was reaped.
// On crash: the subject is stored first, so that a death between the two shows the step before.

#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "shm/layout.h"
#include "shm/store.h"

namespace dory::shm {

enum class Step : uint32_t {
  kNone,  // between bursts, passes and answers
  kStart,
  kP1,
  kP2,
  kP3,
  kP4,
  kP5,
  kP6,
  kP7,
  kC1,
  kC2,
  kC3,
  kC4,
  kC5,
  kC6,
  kC7,
  kC8,
  kC9,
  kC10,
  kC11,
  kC12,
  kCount
};

inline constexpr std::array<std::string_view, static_cast<size_t>(Step::kCount)> kStepNames = {
    "none", "start", "P1", "P2", "P3", "P4", "P5", "P6",  "P7",  "C1", "C2",
    "C3",   "C4",    "C5", "C6", "C7", "C8", "C9", "C10", "C11", "C12"};

// Of a word that another process wrote.
inline std::string_view NameOfStep(uint32_t step) {
  return step < kStepNames.size() ? kStepNames[step] : "unknown";
}

inline void LeaveBreadcrumb(WorkerPage* page, Step step, uint64_t subject) {
  Store(page->subject, subject);
  Store(page->phase, static_cast<uint32_t>(step));
}

}  // namespace dory::shm
