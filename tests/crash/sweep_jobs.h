// Many sweeps at once, each in a process of its own; their tallies, their mutants, and the crash points
// that none of them passed.

#pragma once

#include <string>
#include <vector>

#include "tests/crash/sweep.h"

namespace dory::crash {

struct Job {
  std::string name;    // of the scenario
  size_t scenario;     // its number
  std::string mutant;  // the deliberate fault that has to be caught; empty: none
  unsigned long stride = 1;  // of the first kills every so many are tried
};

// What `--every N` on the command line says; 1 without it. Ends the process where N is no number above 0.
unsigned long ReadStride(int argc, char** argv);

// Called in the job's own process, which ends after it; `tally` is shared. As many run at once as there are
// processors.
using RunJob = void (*)(const Job& job, Tally* tally);

// Each of the scenarios. A failure is also a crash point of the sources under `folders`, where there are
// any, that no life passed. Returns the exit status.
int SweepScenarios(const std::vector<Job>& jobs, RunJob run, const std::vector<std::string>& folders);

// Each deliberate fault, and the scenario that must not let it pass. Returns the exit status.
int SweepMutants(const std::vector<Job>& jobs, RunJob run);

}  // namespace dory::crash
