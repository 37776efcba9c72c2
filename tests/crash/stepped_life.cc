#include "tests/crash/stepped_life.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "shm/store.h"
#include "tests/crash/sweep.h"

namespace dory::crash {
namespace {

constexpr size_t kPage = 4096;

SteppedLife* current = nullptr;   // in the child
shm::StoreObserver log_observer;  // the log's own

void Allow(void* begin, size_t size, int what) {
  if (::mprotect(begin, (size + kPage - 1) / kPage * kPage, what) != 0) Die("mprotect");
}

// By whatever mapping: those of this life, and those that it has inherited.
void ProtectSegment() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0;
    unsigned long end = 0;
    char how[5] = "";
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, how) != 3) Die("/proc/self/maps");
    if (how[1] == 'w' && line.ends_with("/segment")) Allow(reinterpret_cast<void*>(begin), end - begin, PROT_READ);
  }
}

// Each look for a mutant searches it.
void ShortenEnvironment() {
  const char* const mutant = std::getenv("DORY_MUTANT");
  const std::string value = mutant == nullptr ? "" : mutant;
  ::clearenv();
  ::setenv("DORY_MUTANT", value.c_str(), 1);
}

}  // namespace

SteppedLife::SteppedLife(std::vector<StepPart> parts) : parts_(std::move(parts)) {
  void* const memory = ::mmap(nullptr, parts_.size() * ListCrashPoints().size(), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) Die("mmap");
  passed_ = static_cast<bool*>(memory);
}

SteppedLife::~SteppedLife() { ::munmap(passed_, parts_.size() * ListCrashPoints().size()); }

void SteppedLife::Watch(std::span<const Memory> memory) {
  current = this;
  ShortenEnvironment();
  ProtectSegment();
  for (const Memory& one : memory) {
    Allow(one.bytes.data(), WritableSize(one.region, one.bytes.size()), PROT_READ | PROT_WRITE);
    log_.Watch(one.region, one.bytes, false);
  }
  log_observer = shm::store_observer;
  shm::store_observer = {Log, nullptr};
  ObserveCrashPoints([](const CrashPoint& point) { current->NotePassage(point); });
}

void SteppedLife::Log(void* to, const void* from, size_t size) {
  current->Run([&] { log_observer.before(to, from, size); });
}

void SteppedLife::Begin() {
  if (!IsOver()) steps_.BeginSteps(part_);
}

void SteppedLife::End() {
  steps_.EndSteps();
  if (!IsOver() && HasPassed(part_, parts_[part_].points.back())) ++part_;
}

void SteppedLife::NotePassage(const CrashPoint& point) {
  if (steps_.is_on()) *Passed(part_, point) = true;
}

bool* SteppedLife::Passed(uint32_t part, const CrashPoint& point) const {
  const std::span<const CrashPoint> points = ListCrashPoints();
  return &passed_[part * points.size() + static_cast<size_t>(&point - points.data())];
}

bool SteppedLife::HasPassed(uint32_t part, std::string_view name) const {
  const std::span<const CrashPoint> points = ListCrashPoints();
  return std::any_of(points.begin(), points.end(),
                     [&](const CrashPoint& point) { return name == point.name && *Passed(part, point); });
}

std::string SteppedLife::ListMissed(uint32_t part) const {
  std::string missed;
  for (const std::string_view name : parts_[part].points) {
    if (!HasPassed(part, name)) missed.append(" ").append(name);
  }
  return missed;
}

// What the scripts use, in whole pages.
size_t SteppedLife::WritableSize(shm::RegionKind region, size_t size) {
  switch (region) {
    case shm::RegionKind::kPool: return std::min(size, 8 * shm::kBlockSize);
    case shm::RegionKind::kProducer: return 2 * kPage;
    case shm::RegionKind::kConsumer:
    case shm::RegionKind::kPartitions:
    case shm::RegionKind::kWorkerPage: return kPage;
    default: return size;
  }
}

}  // namespace dory::crash
