// DORY_CRASH_POINT("P4.tail_stored"): a named place at which a test kills the process.
//
// Empty in release builds. In a build made with CRASH=1 each passage counts, and the environment says
// what happens: DORY_CRASH_AT=N (the Nth passage of any point) or DORY_CRASH_AT=name:N (the Nth of
// that one) ends the process by SIGKILL; DORY_CRASH_COUNT=FILE keeps the count of passages there.
// DORY_CRASH_GENERATION=G limits all this to the worker of that generation. A test that forks says it
// by ArmCrashPoint instead.
//
// DORY_IS_MUTANT("name"): a deliberate fault, taken where the environment says DORY_MUTANT=name; a suite
// that does not catch it is worth nothing. False in release builds.

#pragma once

#ifdef DORY_CRASH_POINTS
namespace dory {
void PassCrashPoint(const char* name);
void SetCrashGeneration(unsigned long long generation);

// The process ends at the Nth passage from now on of any point (0: never), whatever the environment says.
void ArmCrashPoint(unsigned long passage);
// Passages since ArmCrashPoint.
unsigned long CountCrashPoints();

bool IsMutant(const char* name);
}  // namespace dory
#define DORY_CRASH_POINT(name) ::dory::PassCrashPoint(name)
#define DORY_IS_MUTANT(name) ::dory::IsMutant(name)
#else
#define DORY_CRASH_POINT(name) static_cast<void>(0)
#define DORY_IS_MUTANT(name) false
#endif
