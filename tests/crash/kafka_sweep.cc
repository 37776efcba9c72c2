// kafka_sweep: kills the kafka worker at every crash point, and its successor at every step of the
// recovery.
//
// Each trial is one script on one small segment: messages come into the ring, a forked life of the whole
// worker moves them to two scripted brokers, and is killed by SIGKILL at its 1st, 2nd, 3rd ... passage of
// a crash point, until it runs untouched. Its successor is killed likewise. What had been written to a
// broker when the kill came is lost, arrives at once, or behind the successor's first request. The judge
// then wants every message once and in order in the brokers' logs, or discarded for the script's reasons,
// and books that say so; and counts what is buffered after each death.
//
// With --mutants the same is done with each deliberate fault, and has to fail.

#include <cstring>
#include <string>
#include <vector>

#include "common/log.h"
#include "tests/crash/kafka_sweep_judge.h"
#include "tests/crash/kafka_sweep_scenarios.h"
#include "tests/crash/kafka_sweep_world.h"
#include "tests/crash/sweep_jobs.h"

namespace dory::kafka {
namespace {

using crash::Job;
void RunJob(const Job& job, crash::Tally* tally) {
  Scenario scenario = kScenarios[job.scenario / 3];
  scenario.late = static_cast<Late>(job.scenario % 3);
  World world(scenario);
  *tally = crash::Sweep<World>(world, !job.mutant.empty(), job.stride).Run();
}

// Each scenario with two of the three fates of what was written, in turn, one of them with every second kill; or with
// all.
int RunScenarios(bool all, unsigned long stride) {
  static constexpr const char* kLate[] = {"lost", "late", "later"};
  std::vector<Job> jobs;
  for (size_t i = 0; i < 3 * kScenarios.size(); ++i) {
    if (!all && i / 3 % 3 == i % 3) continue;
    const unsigned long sparser = !all && (i / 3 + 1) % 3 == i % 3 ? 2 : 1;
    const unsigned long own = all ? 1 : kScenarios[i / 3].stride;
    jobs.push_back({kScenarios[i / 3].name + ", " + kLate[i % 3], i, "", stride * sparser * own});
  }
  return crash::SweepScenarios(jobs, RunJob, {"kafka_worker", "shm"});
}

// One trial, for a failure's sake: job N of those above, killed at K...
int RunTrial(size_t number, std::vector<unsigned long> kills) {
  Scenario scenario = kScenarios.at(number / 3);
  scenario.late = static_cast<Late>(number % 3);
  World world(scenario);
  crash::Trial<World> trial(world, std::move(kills));
  const std::string problem = trial.Run();
  std::printf("%s: %s\n", scenario.name.c_str(), problem.empty() ? "passed" : problem.c_str());
  return problem.empty() ? 0 : 1;
}

// By the number of their scenario, three times it: what was written before the kill is lost; + 1: it arrives.
int RunMutants() {
  return crash::SweepMutants(
      {
          {"", 0, "delivered added"},
          {"", 6, "resume from head alone"},
          {"", 9, "no discard.pos in head"},
          {"", 6, "cell not redone"},
          {"", 6, "no rule for first"},
          {"", 3, "next_sequence added"},
          {"", 3, "two batches of one partition SENT"},
          {"", 4, "SENT after the write"},
          {"", 0, "FREE before it is counted"},
          {"", 3, "C5 after leaving OPEN"},
          {"", 60, "a producer id of another cluster"},
          {"", 60, "acked_offset of another cluster"},
          {"", 63, "sent again without asking"},
          {"", 66, "the log is not believed"},
          {"", 66, "absent is taken for there"},
          {"", 65, "absent goes under the next epoch"},
          {"", 69, "a repetition is not counted"},
          {"", 72, "what was discarded gives its sequence back"},
          {"", 75, "left its sequence without asking"},
          {"", 78, "acked_offset of another topic"},
          {"", 0, "place after C4"},
          {"", 0, "outcome's number before its fields"},
          {"", 0, "outcomes before C10"},
          {"", 9, "the cell's outcome before position"},
          {"", 81, "total_after behind DISCARDED"},
          {"", 81, "refused whatever came of it"},
          {"", 84, "C5 after leaving OPEN"},
          {"", 84, "what was never sent is not counted"},
      },
      RunJob);
}

}  // namespace
}  // namespace dory::kafka

int main(int argc, char** argv) {
  const bool quiet = argc < 2 || std::strcmp(argv[1], "--trial") != 0;
  const dory::Status status = dory::OpenLog("kafka_sweep", quiet ? "/dev/null" : "stderr",
                                            quiet ? dory::LogLevel::kError : dory::LogLevel::kDebug);
  if (!status.ok()) return 2;
  if (argc > 2 && std::strcmp(argv[1], "--trial") == 0) {
    std::vector<unsigned long> kills;
    for (int i = 3; i < argc; ++i) kills.push_back(std::strtoul(argv[i], nullptr, 10));
    return dory::kafka::RunTrial(std::strtoul(argv[2], nullptr, 10), kills);
  }
  const bool mutants = argc > 1 && std::strcmp(argv[1], "--mutants") == 0;
  const bool all = argc > 1 && std::strcmp(argv[1], "--all") == 0;
  return mutants ? dory::kafka::RunMutants() : dory::kafka::RunScenarios(all, dory::crash::ReadStride(argc, argv));
}
