// What the sweeps share: lives that are killed at their 1st, 2nd, 3rd ... passage of a crash point, and
// successors that are killed at every step of their recovery.
//
// A World holds the segment and the script of lives, and plays what is around the worker:
//
//     void Reset()                          a new segment, nothing has happened
//     size_t life_count()
//     void BeginLife(size_t life)           before its first child
//     bool IsOverByKill(size_t life)        a kill is that life's end; else a successor goes on with it
//     void Live(size_t life)                in a child: a start, and all that there is to do
//     void EndLife()
//     std::string InspectAfterDeath()       empty: nothing is wrong
//     std::string JudgeAll()                at the end
//     unsigned long recovered_at()          passages of the newest life until its recovery was done
//     std::string WasUsedAsMeant()          after a trial without kills: what did not happen
//
// Owner: the sweep's process; a life is a fork of it.

#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "common/crash_point.h"

namespace dory::crash {

[[noreturn]] inline void Die(const std::string& what) {
  std::fprintf(stderr, "sweep: %s\n", what.c_str());
  std::exit(2);
}

inline std::string MakeFolder(const std::string& prefix) {
  std::string folder = prefix + "XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) Die("mkdtemp");
  return folder;
}

// In memory, for the worlds of this process and of those that it forks; it goes when this one ends, however
// they ended. To be asked for before the first fork.
inline const std::string& ScratchFolder() {
  struct Scratch {
    const std::string path = MakeFolder("/dev/shm/dory-crash.");
    const pid_t owner = ::getpid();
    ~Scratch() {
      if (::getpid() == owner) std::filesystem::remove_all(path);
    }
  };
  static const Scratch scratch;
  return scratch.path;
}

struct Tally {
  unsigned long trials = 0;
  unsigned long passages = 0;  // of a sweep: trials whose first kill took place at one of its own
  unsigned long pairs = 0;     // and those with a second kill
  unsigned long failed = 0;
  char first_failure[240] = "";
};

enum class Death { kNone, kKilled, kFault };

template <typename World>
class Trial {
 public:
  // kills[n]: at which passage the n-th child of the trial is killed; 0, and beyond: never.
  Trial(World& world, std::vector<unsigned long> kills) : world_(world), kills_(std::move(kills)) {}

  // Empty: nothing is wrong.
  std::string Run() {
    world_.Reset();
    for (size_t life = 0; life < world_.life_count(); ++life) {
      world_.BeginLife(life);
      const std::string problem = LiveThrough(life);
      if (!problem.empty()) return problem;
      world_.EndLife();
    }
    return world_.JudgeAll();
  }

  // Whether the last of the planned kills took place.
  bool all_killed() const { return killed_ == kills_.size(); }
  // Of the child after the one killed first: how long its recovery was.
  unsigned long recovered_at() const { return recovered_at_; }

 private:
  static constexpr rlim_t kLifeLimitS = 10;  // of processor time: a mutant may run in circles

  std::string LiveThrough(size_t life) {
    for (;;) {
      const Death death = RunChild(life);
      if (death == Death::kFault) return fault_;
      if (death == Death::kNone) return "";
      const std::string problem = world_.InspectAfterDeath();
      if (!problem.empty() || world_.IsOverByKill(life)) return problem;
    }
  }

  Death RunChild(size_t life) {
    const unsigned long kill_at = children_ < kills_.size() ? kills_[children_] : 0;
    const pid_t child = ::fork();
    if (child < 0) Die("fork");
    if (child == 0) {
      const rlimit limit{kLifeLimitS, kLifeLimitS};
      ::setrlimit(RLIMIT_CPU, &limit);
      ArmCrashPoint(kill_at);
      world_.Live(life);
      std::_Exit(0);
    }
    int status = 0;
    if (::waitpid(child, &status, 0) != child) Die("waitpid");
    ++children_;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      // A planned kill of 0 has taken place by not being one.
      if (kill_at == 0 && children_ <= kills_.size()) ++killed_;
      if (recovered_at_ == 0 && children_ > 1) recovered_at_ = world_.recovered_at();
      return Death::kNone;
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && kill_at > 0) {
      ++killed_;
      return Death::kKilled;
    }
    fault_ = WIFSIGNALED(status) ? "a life ended by signal " + std::to_string(WTERMSIG(status))
                                 : "a life ended with status " + std::to_string(WEXITSTATUS(status));
    return Death::kFault;
  }

  World& world_;
  std::vector<unsigned long> kills_;
  size_t children_ = 0;
  size_t killed_ = 0;
  unsigned long recovered_at_ = 0;
  std::string fault_;
};

template <typename World>
class Sweep {
 public:
  // With every `stride`-th first kill, and each second one.
  Sweep(World& world, bool stop_at_failure, unsigned long stride)
      : world_(world), stop_at_failure_(stop_at_failure), stride_(stride) {}

  Tally Run() {
    RunTrial({});
    const std::string unused = world_.WasUsedAsMeant();
    NoteFailure("without a kill", unused);
    if (tally_.failed > 0) return tally_;
    for (size_t before = 0; before < world_.life_count() && !Stopped(); ++before) SweepFrom(before);
    return tally_;
  }

 private:
  static constexpr unsigned long kStepsBehindRecovery = 3;

  bool Stopped() const { return stop_at_failure_ && tally_.failed > 0; }

  // Kills after `before` children that run untouched.
  void SweepFrom(size_t before) {
    for (unsigned long first = 1; !Stopped(); first += stride_) {
      std::vector<unsigned long> kills(before, 0);
      kills.push_back(first);
      const Trial<World> trial = RunTrial(kills);
      if (!trial.all_killed()) return;
      ++tally_.passages;
      const unsigned long limit = trial.recovered_at() + kStepsBehindRecovery;
      for (unsigned long second = 1; second <= limit && !Stopped(); ++second) {
        kills.resize(before + 1);
        kills.push_back(second);
        if (!RunTrial(kills).all_killed()) break;
        ++tally_.pairs;
      }
    }
  }

  Trial<World> RunTrial(const std::vector<unsigned long>& kills) {
    Trial<World> trial(world_, kills);
    const std::string problem = trial.Run();
    ++tally_.trials;
    NoteFailure(Describe(kills), problem);
    return trial;
  }

  void NoteFailure(const std::string& where, const std::string& problem) {
    if (problem.empty() || ++tally_.failed > 1) return;
    std::snprintf(tally_.first_failure, sizeof(tally_.first_failure), "%s: %s", where.c_str(), problem.c_str());
  }

  static std::string Describe(const std::vector<unsigned long>& kills) {
    std::string text = "killed at";
    for (const unsigned long kill : kills) text += " " + std::to_string(kill);
    return text;
  }

  World& world_;
  bool stop_at_failure_;
  unsigned long stride_;
  Tally tally_;
};

}  // namespace dory::crash
