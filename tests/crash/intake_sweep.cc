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

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "common/crash_point.h"
#include "common/log.h"
#include "tests/crash/intake_sweep_judge.h"
#include "tests/crash/intake_sweep_world.h"

namespace dory::intake {
namespace {

const std::vector<Scenario> kScenarios = {
    {"one burst", 16 * 1024, false, 64, {{false, 3}}},
    {"laps of a small ring", 704, false, 64, {{false, 3}}},
    {"rejected without room", 512, true, 64, {{false, 3}}},
    {"final drain", 704, false, 64, {{true, 3}, {false, 1}}},
    {"two final drains", 704, false, 2, {{true, 4}, {true, 1}, {false, 1}}},
};

// ---- trials ------------------------------------------------------------------------------------

enum class Death { kNone, kKilled, kFault };

class Trial {
 public:
  // kills[n]: at which passage the n-th child of the trial is killed; 0, and beyond: never.
  Trial(World& world, std::vector<unsigned long> kills) : world_(world), kills_(std::move(kills)) {}

  // Empty: nothing is wrong.
  std::string Run() {
    world_.Reset();
    for (const Life& life : world_.scenario().lives) {
      world_.BeginLife(life);
      const std::string problem = LiveThrough(life);
      if (!problem.empty()) return problem;
      world_.EndLife();
    }
    return Judge(world_).JudgeAll();
  }

  // Whether the last of the planned kills took place.
  bool all_killed() const { return killed_ == kills_.size(); }
  // Of the child after the one killed first: how long its recovery was.
  unsigned long recovered_at() const { return recovered_at_; }

 private:
  static constexpr unsigned kLifeLimitS = 20;

  std::string LiveThrough(const Life& life) {
    for (;;) {
      const Death death = RunChild(life.dying);
      if (death == Death::kFault) return "a life ended by a fault";
      if (death == Death::kNone) return "";
      const std::string problem = Judge(world_).InspectAfterDeath();
      if (!problem.empty() || life.dying) return problem;
    }
  }

  Death RunChild(bool dying) {
    const unsigned long kill_at = children_ < kills_.size() ? kills_[children_] : 0;
    const pid_t child = ::fork();
    if (child < 0) Die("fork");
    if (child == 0) {
      ::alarm(kLifeLimitS);  // a mutant may run in circles
      ArmCrashPoint(kill_at);
      world_.Live(dying);
      std::_Exit(0);
    }
    int status = 0;
    if (::waitpid(child, &status, 0) != child) Die("waitpid");
    ++children_;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      // A planned kill of 0 has taken place by not being one.
      if (kill_at == 0 && children_ <= kills_.size()) ++killed_;
      if (recovered_at_ == 0 && children_ > 1) recovered_at_ = world_.shared().recovered_at;
      return Death::kNone;
    }
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL || kill_at == 0) return Death::kFault;
    ++killed_;
    return Death::kKilled;
  }

  World& world_;
  std::vector<unsigned long> kills_;
  size_t children_ = 0;
  size_t killed_ = 0;
  unsigned long recovered_at_ = 0;
};

struct Tally {
  unsigned long trials = 0;
  unsigned long failed = 0;
  char first_failure[200] = "";
};

class Sweep {
 public:
  Sweep(const Scenario& scenario, bool stop_at_failure) : world_(scenario), stop_at_failure_(stop_at_failure) {}

  Tally Run() {
    RunTrial({});
    if (tally_.failed == 0 && !world_.WasUsedAsMeant()) Die(world_.scenario().name + ": does not do what it is there for");
    for (size_t before = 0; before < world_.scenario().lives.size() && !Stopped(); ++before) SweepFrom(before);
    return tally_;
  }

 private:
  static constexpr unsigned long kStepsBehindRecovery = 3;

  bool Stopped() const { return stop_at_failure_ && tally_.failed > 0; }

  // Kills after `before` children that run untouched.
  void SweepFrom(size_t before) {
    for (unsigned long first = 1; !Stopped(); ++first) {
      std::vector<unsigned long> kills(before, 0);
      kills.push_back(first);
      const Trial trial = RunTrial(kills);
      if (!trial.all_killed()) return;
      const unsigned long limit = trial.recovered_at() + kStepsBehindRecovery;
      for (unsigned long second = 1; second <= limit && !Stopped(); ++second) {
        kills.resize(before + 1);
        kills.push_back(second);
        if (!RunTrial(kills).all_killed()) break;
      }
    }
  }

  Trial RunTrial(const std::vector<unsigned long>& kills) {
    Trial trial(world_, kills);
    const std::string problem = trial.Run();
    ++tally_.trials;
    if (problem.empty()) return trial;
    if (++tally_.failed == 1) {
      std::snprintf(tally_.first_failure, sizeof(tally_.first_failure), "%s: %s", Describe(kills).c_str(),
                    problem.c_str());
    }
    return trial;
  }

  static std::string Describe(const std::vector<unsigned long>& kills) {
    std::string text = "killed at";
    for (const unsigned long kill : kills) text += " " + std::to_string(kill);
    return text;
  }

  World world_;
  bool stop_at_failure_;
  Tally tally_;
};

// ---- the program -------------------------------------------------------------------------------

struct Job {
  const Scenario* scenario;
  std::string mutant;  // empty: none
};

// Sweeps at once, each in a process of its own. A mutant's sweep ends with its first failure.
std::vector<Tally> SweepAll(const std::vector<Job>& jobs) {
  const size_t size = jobs.size() * sizeof(Tally);
  auto* tallies = static_cast<Tally*>(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  std::vector<pid_t> sweepers;
  for (size_t i = 0; i < jobs.size(); ++i) {
    const pid_t sweeper = ::fork();
    if (sweeper < 0) Die("fork");
    if (sweeper == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::setenv("DORY_MUTANT", jobs[i].mutant.c_str(), 1);
      tallies[i] = Sweep(*jobs[i].scenario, !jobs[i].mutant.empty()).Run();
      std::_Exit(0);
    }
    sweepers.push_back(sweeper);
  }
  for (const pid_t sweeper : sweepers) {
    int status = 0;
    if (::waitpid(sweeper, &status, 0) != sweeper || status != 0) Die("a sweep did not end well");
  }
  const std::vector<Tally> found(tallies, tallies + jobs.size());
  ::munmap(tallies, size);
  return found;
}

int RunScenarios() {
  unsigned long passed = 0;
  unsigned long failed = 0;
  std::vector<Job> jobs;
  for (const Scenario& scenario : kScenarios) jobs.push_back({&scenario, ""});
  const std::vector<Tally> tallies = SweepAll(jobs);
  for (size_t i = 0; i < kScenarios.size(); ++i) {
    const Tally& tally = tallies[i];
    std::printf("%-26s %6lu trials, %lu failed %s\n", kScenarios[i].name.c_str(), tally.trials, tally.failed,
                tally.first_failure);
    passed += tally.trials - tally.failed;
    failed += tally.failed;
  }
  std::printf("%lu passed, %lu failed\n", passed, failed);
  return failed > 0 ? 1 : 0;
}

// Each deliberate fault, and the scenario that must not let it pass.
int RunMutants() {
  const std::vector<Job> jobs = {
      {&kScenarios[0], "counters added"},
      {&kScenarios[0], "P6 before P5"},
      {&kScenarios[3], "whole array released"},
      {&kScenarios[1], "not decided without an append"},
      {&kScenarios[3], "out forgotten before unlink"},
      {&kScenarios[4], "slots before the file"},
      {&kScenarios[4], "ring beside the file"},
  };
  const std::vector<Tally> tallies = SweepAll(jobs);
  int caught = 0;
  for (size_t i = 0; i < jobs.size(); ++i) {
    const bool found = tallies[i].failed > 0;
    std::printf("%-30s %s %s\n", jobs[i].mutant.c_str(), found ? "caught," : "NOT CAUGHT", tallies[i].first_failure);
    caught += found;
  }
  const int missed = static_cast<int>(jobs.size()) - caught;
  std::printf("%d passed, %d failed\n", caught, missed);
  return missed > 0 ? 1 : 0;
}

}  // namespace
}  // namespace dory::intake

int main(int argc, char** argv) {
  const dory::Status status = dory::OpenLog("intake_sweep", "stderr", dory::LogLevel::kError);
  if (!status.ok()) return 2;
  const bool mutants = argc > 1 && std::strcmp(argv[1], "--mutants") == 0;
  return mutants ? dory::intake::RunMutants() : dory::intake::RunScenarios();
}
