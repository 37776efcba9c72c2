// intake_sweep: kills the intake's lane at every crash point, and its successor at every step of the
// recovery.
//
// Each trial is a script of lives on one small segment. A life is a forked child that maps the segment,
// recovers, and moves what is in the sockets; it is killed by SIGKILL at its 1st, 2nd, 3rd ... passage
// of a crash point, until it runs untouched. Its successor is killed likewise. The judge then wants
// every message once, in the order of its socket, or rejected, and books that say so; and a reader of the
// books is asked after each death.
//
// A kill in a final drain is taken to be the end of that life: in truth what is still in the sockets
// would be gone with it, here it is read by the next life, so that all can be accounted for.
//
// With --mutants the same is done with each deliberate fault, and has to fail.

#include <cstring>
#include <string>
#include <vector>

#include "common/log.h"
#include "tests/crash/intake_sweep_judge.h"
#include "tests/crash/intake_sweep_scenarios.h"
#include "tests/crash/intake_sweep_world.h"
#include "tests/crash/sweep_jobs.h"

namespace dory::intake {
namespace {

using crash::Job;

void RunJob(const Job& job, crash::Tally* tally) {
  World world(kScenarios[job.scenario]);
  *tally = crash::Sweep<World>(world, !job.mutant.empty(), job.stride).Run();
}

int RunScenarios(unsigned long stride) {
  std::vector<Job> jobs;
  for (size_t i = kScenarios.size(); i-- > 0;) {  // the longest first
    const Scenario& scenario = kScenarios[i];
    const bool few_are_new = scenario.users || (scenario.receipts && scenario.lives[0].dying);  // of its steps
    const unsigned long sparser = few_are_new ? 2 : 1;
    jobs.push_back({scenario.name, i, "", stride * sparser});
  }
  return crash::SweepScenarios(jobs, RunJob, {"intake_worker"});
}

int RunMutants() {
  return crash::SweepMutants(
      {
          {"", 0, "counters added"},
          {"", 0, "P6 before P5"},
          {"", 0, "private receive buffers"},
          {"", 3, "whole array released"},
          {"", 1, "not decided without an append"},
          {"", 3, "out forgotten before unlink"},
          {"", 3, "final drain without SHUT_RD"},
          {"", 4, "slots before the file"},
          {"", 0, "window named before its base"},
          {"", 0, "prefix seen before its bytes"},
          {"", 2, "span named before its times"},
          {"", 4, "ring beside the file"},
          {"", 5, "read_base before msg_len"},
          {"", 7, "bound before it is copied"},
          {"", 9, "asked for before it is decided"},
          {"", 9, "not answered before put"},
          {"", 9, "done before put"},
          {"", 9, "send_base before msg_len"},
          {"", 11, "senders forgotten at a start"},
      },
      RunJob);
}

}  // namespace
}  // namespace dory::intake

int main(int argc, char** argv) {
  const dory::Status status = dory::OpenLog("intake_sweep", "stderr", dory::LogLevel::kError);
  if (!status.ok()) return 2;
  const bool mutants = argc > 1 && std::strcmp(argv[1], "--mutants") == 0;
  return mutants ? dory::intake::RunMutants() : dory::intake::RunScenarios(dory::crash::ReadStride(argc, argv));
}
