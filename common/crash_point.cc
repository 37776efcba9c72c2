#include "common/crash_point.h"

#ifdef DORY_CRASH_POINTS

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

// The linker's names for the ends of the section that DORY_CRASH_POINT fills.
extern "C" {
extern const dory::CrashPoint __start_crash_points[] __attribute__((weak));
extern const dory::CrashPoint __stop_crash_points[] __attribute__((weak));
}

namespace dory {
namespace {

struct Plan {
  std::string name;         // empty: any point
  unsigned long at = 0;     // 0: never
  unsigned long passed = 0;
  unsigned long long only_generation = 0;  // 0: every one
  int count_fd = -1;
};

// "N" or "name:N".
void ReadEnd(const std::string& at, Plan* plan) {
  const size_t colon = at.rfind(':');
  if (colon != std::string::npos) plan->name = at.substr(0, colon);
  plan->at = std::strtoul(at.c_str() + (colon == std::string::npos ? 0 : colon + 1), nullptr, 10);
}

Plan ReadPlan() {
  Plan plan;
  if (const char* at = std::getenv("DORY_CRASH_AT")) ReadEnd(at, &plan);
  if (const char* path = std::getenv("DORY_CRASH_AT_FILE")) {
    std::string at;
    std::getline(std::ifstream(path), at);
    ReadEnd(at, &plan);
  }
  if (const char* generation = std::getenv("DORY_CRASH_GENERATION")) {
    plan.only_generation = std::strtoull(generation, nullptr, 10);
  }
  if (const char* path = std::getenv("DORY_CRASH_COUNT")) {
    plan.count_fd = ::open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  }
  return plan;
}

Plan plan = ReadPlan();
bool enabled = true;
void (*observe)(const CrashPoint& point) = nullptr;

}  // namespace

void SetCrashGeneration(unsigned long long generation) {
  enabled = plan.only_generation == 0 || plan.only_generation == generation;
}

void ArmCrashPoint(unsigned long passage) {
  plan = Plan{};
  plan.at = passage;
  enabled = true;
}

unsigned long CountCrashPoints() { return plan.passed; }

std::span<const CrashPoint> ListCrashPoints() { return {__start_crash_points, __stop_crash_points}; }

void ObserveCrashPoints(void (*observer)(const CrashPoint& point)) { observe = observer; }

bool IsMutant(const char* name) {
  const char* const mutant = std::getenv("DORY_MUTANT");
  return mutant != nullptr && std::strcmp(mutant, name) == 0;
}

void PassCrashPoint(const CrashPoint& point) {
  if (observe != nullptr) observe(point);
  if (!enabled) return;
  if (plan.count_fd >= 0) {
    const std::string line = std::string(point.name) + "\n";
    if (::write(plan.count_fd, line.data(), line.size()) < 0) std::abort();
  }
  if (!plan.name.empty() && plan.name != point.name) return;
  if (++plan.passed == plan.at) ::kill(::getpid(), SIGKILL);
}

}  // namespace dory

#endif  // DORY_CRASH_POINTS
