// DORY_CRASH_POINT("P4.tail_stored"): a named place at which a test kills the process.
//
// Empty in release builds. In a build made with CRASH=1 each passage counts, and the environment says
// what happens: DORY_CRASH_AT=N (the Nth passage of any point) or DORY_CRASH_AT=name:N (the Nth of
// that one) ends the process by SIGKILL; DORY_CRASH_COUNT=FILE keeps the count of passages there.
// DORY_CRASH_AT_FILE=FILE names a file that says it, read at the process's start, so that each life can
// have another end.
// DORY_CRASH_GENERATION=G limits all this to the worker of that generation. A test that forks says it
// by ArmCrashPoint instead.
//
// DORY_IS_MUTANT("name"): a deliberate fault, taken where the environment says DORY_MUTANT=name; a suite
// that does not catch it is worth nothing. False in release builds.

#pragma once

#ifdef DORY_CRASH_POINTS
#include <span>

namespace dory {

struct CrashPoint {
  const char* name;
  const char* file;
};

void PassCrashPoint(const CrashPoint& point);
void SetCrashGeneration(unsigned long long generation);

// The process ends at the Nth passage from now on of any point (0: never), whatever the environment says.
void ArmCrashPoint(unsigned long passage);
// Passages since ArmCrashPoint.
unsigned long CountCrashPoints();

// Those of all objects that this program was linked from, passed or not.
std::span<const CrashPoint> ListCrashPoints();
// Called at each passage, before it may be the last.
void ObserveCrashPoints(void (*observer)(const CrashPoint& point));

bool IsMutant(const char* name);

}  // namespace dory
#define DORY_CRASH_POINT(name)                                                                        \
  do {                                                                                                \
    static ::dory::CrashPoint dory_point __attribute__((section("crash_points"), used)) = {name, __FILE__}; \
    ::dory::PassCrashPoint(dory_point);                                                               \
  } while (false)
#define DORY_IS_MUTANT(name) ::dory::IsMutant(name)
#else
#define DORY_CRASH_POINT(name) static_cast<void>(0)
#define DORY_IS_MUTANT(name) false
#endif
