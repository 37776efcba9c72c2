// store_steps: the processor says that the log of stores, by which the replays go, misses nothing.
//
// A life is single-stepped through one burst of the intake, one drain, one send and one settle of the kafka
// worker. After each instruction, and each system call, the segment is held against what it was: it may
// change only as the log's newest entry says (store_witness.h). What is not compared can not be written:
// those pages are write-protected. After each change the segment has to be sound, and the books to balance.
//
// With --mutants the same is done with stores beside the seam, and has to fail.

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "common/log.h"
#include "tests/crash/intake_steps.h"
#include "tests/crash/kafka_steps.h"
#include "tests/crash/stepped_life.h"
#include "tests/crash/sweep_jobs.h"

namespace dory {
namespace {

using crash::Job;
using crash::SteppedLife;
using crash::StepFigures;
using crash::StoreWitness;
using crash::Tally;

// Numbers of scenarios: the kafka worker's scripts in their order.
enum : size_t { kKafka, kIntake = 100 };

constexpr rlim_t kLifeLimitS = 120;  // of processor time: a mutant may run in circles

template <typename Life>
pid_t StartLife(Life& life) {
  const pid_t child = ::fork();
  if (child < 0) crash::Die("fork");
  if (child > 0) return child;
  const rlimit limit{kLifeLimitS, kLifeLimitS};
  ::setrlimit(RLIMIT_CPU, &limit);
  crash::StepSwitch::Trace();
  ArmCrashPoint(0);
  life.Live(0);
  std::_Exit(EXIT_SUCCESS);
}

void Print(const char* name, const StepFigures& figures) {
  std::printf("%-21s %6zu steps, %3zu changed the segment (%zu by the kernel); %3zu entries, %zu of equal bytes, "
              "%zu of many instructions; %zu unmatched\n",
              name, figures.steps, figures.changes, figures.by_kernel, figures.entries, figures.equal,
              figures.long_ones, figures.unmatched);
}

void Fail(const std::string& problem, Tally* tally) {
  if (problem.empty() || ++tally->failed > 1) return;
  std::snprintf(tally->first_failure, sizeof(tally->first_failure), "%s", problem.c_str());
}

template <typename Life>
void StepThrough(Life& life, const Job& job, Tally* tally) {
  life.Reset();
  life.BeginLife(0);
  SteppedLife& stepped = life.stepped();
  const pid_t child = StartLife(life);
  StoreWitness witness(stepped.log(), life.ListWitnessed(), [&] { return life.Inspect(); });
  std::string problem = crash::TraceSteps(child, stepped.steps(), &witness);
  if (problem.empty()) problem = witness.End();
  life.EndLife();
  Fail(problem.empty() ? life.JudgeAll() : problem, tally);
  for (uint32_t part = 0; part < stepped.parts().size(); ++part) {
    const StepFigures& figures = witness.figures(part);
    const std::string missed = stepped.ListMissed(part);
    const std::string name = stepped.parts()[part].name;
    tally->trials += 1;
    if (!missed.empty()) Fail(name + ": not passed:" + missed, tally);
    if (job.mutant.empty()) Print(name.c_str(), figures);
  }
  std::fflush(stdout);
}

void RunJob(const Job& job, Tally* tally) {
  if (job.scenario == kIntake) {
    intake::IntakeSteps life;
    StepThrough(life, job, tally);
  } else {
    kafka::KafkaSteps life(kafka::kStepScripts.at(job.scenario - kKafka));
    StepThrough(life, job, tally);
  }
}

int RunAll() {
  std::vector<Job> jobs = {{"one burst", kIntake, ""}};
  for (size_t i = 0; i < kafka::kStepScripts.size(); ++i) {
    jobs.push_back({kafka::kStepScripts[i].scenario.name, kKafka + i, ""});
  }
  return crash::SweepScenarios(jobs, RunJob, {});
}

int RunMutants() {
  return crash::SweepMutants(
      {
          {"", kIntake, "private receive buffers"},
          {"", kKafka, "C5 beside the seam"},
          {"", kKafka, "C7 beside the seam"},
          {"", kKafka, "a write beside the seam"},
      },
      RunJob);
}

}  // namespace
}  // namespace dory

// What the intake finds instead of the system's.
extern "C" int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec*) {
  return dory::intake::stepping->ReceiveFor(fd, messages, count, flags);
}

int main(int argc, char** argv) {
  const dory::Status status = dory::OpenLog("store_steps", "/dev/null", dory::LogLevel::kError);
  if (!status.ok()) return 2;
  const bool mutants = argc > 1 && std::strcmp(argv[1], "--mutants") == 0;
  return mutants ? dory::RunMutants() : dory::RunAll();
}
