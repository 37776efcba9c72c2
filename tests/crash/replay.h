// A start after each single store of a life, and after each single store of that start; and from the middle
// of each store that takes many instructions, of either.
//
// A Recorder is a sweep's World whose lives write a StoreLog, and besides:
//
//     const StoreLog& log()
//     std::span<std::byte> BytesOf(RegionKind)       of the segment as this process has it mapped
//     std::span<const RegionKind> StartWrites()      the regions that a start may write
//     bool EndsStep(const StoreEntry&)               a kill may come behind it, and something was changed by it
//     std::string Inspect()                          of any state; empty: nothing is wrong
//     void Remember()                                what a start must not change
//     void Start()                                   the real one, in this process
//     std::string JudgeStart(size_t store)           behind it, where so many stores of the life were done

#pragma once

#include <sys/time.h>

#include <algorithm>
#include <csignal>
#include <span>
#include <string>
#include <vector>

#include "tests/crash/store_log.h"
#include "tests/crash/sweep.h"

namespace dory::crash {

template <typename Recorder>
class Replay {
 public:
  Replay(Recorder& recorder, Tally* tally) : recorder_(recorder), tally_(*tally) {}

  void Run() {
    const StoreLog& log = recorder_.log();
    for (size_t i = log.size(); i-- > 0;) {
      if (!log.Undo(i, recorder_.BytesOf(log[i].region))) return Fail("store " + std::to_string(i) + " is not in the segment");
    }
    for (store_ = 0; store_ < log.size() && tally_.failed == 0; ++store_) {
      if (store_ == 0 || recorder_.EndsStep(log[store_ - 1])) TryStart();
      if (IsTorn(log[store_])) {
        start_store_ = 0;
        recorder_.Remember();
        TryTorn(log, store_);
      }
      log.Redo(store_, recorder_.BytesOf(log[store_].region));
    }
  }

  void Fail(const std::string& problem) {
    if (problem.empty() || ++tally_.failed > 1) return;
    std::snprintf(tally_.first_failure, sizeof(tally_.first_failure), "%zu stores, and %zu of a start: %s", store_,
                  start_store_, problem.c_str());
  }

 private:
  // A start from here, and one from each store of it; then all is as it was.
  void TryStart() {
    start_store_ = 0;
    Fail(recorder_.Inspect());
    recorder_.Remember();
    Start(&start_);
    start_store_ = start_.size();
    while (start_store_ > 0 && tally_.failed == 0) {
      Undo(start_, --start_store_);
      if (IsTorn(start_[start_store_])) TryTorn(start_, start_store_);
      if (start_store_ == 0) return;
      if (!recorder_.EndsStep(start_[start_store_ - 1])) continue;
      Fail(recorder_.Inspect());
      Start(&again_);
      UndoAll(again_);
    }
  }

  // By a kill of this worker.
  bool IsTorn(const StoreEntry& store) const {
    const std::span<const shm::RegionKind> own = recorder_.StartWrites();
    return MayTear(store) && std::find(own.begin(), own.end(), store.region) != own.end();
  }

  // A start from where half of that store's bytes are there; then all is as it was.
  void TryTorn(const StoreLog& log, size_t store) {
    const StoreEntry& entry = log[store];
    const std::span<std::byte> bytes = recorder_.BytesOf(entry.region).subspan(entry.offset, entry.size);
    std::copy_n(log.NewBytes(store).begin(), entry.size / 2, bytes.begin());
    Fail(recorder_.Inspect());
    Start(&again_);
    UndoAll(again_);
    std::copy_n(log.OldBytes(store).begin(), entry.size, bytes.begin());
  }

  void Start(StoreLog* log) {
    ++tally_.trials;
    log->Clear();
    for (const shm::RegionKind region : recorder_.StartWrites()) log->Watch(region, recorder_.BytesOf(region), false);
    const itimerval limit{{}, {kStartLimitS, 0}};  // a mutant may run in circles
    ::setitimer(ITIMER_PROF, &limit, nullptr);
    recorder_.Start();
    log->EndWatching();
    Fail(recorder_.JudgeStart(store_));
  }

  void Undo(const StoreLog& log, size_t store) {
    if (!log.Undo(store, recorder_.BytesOf(log[store].region))) Fail("a store of the start is not in the segment");
  }

  void UndoAll(const StoreLog& log) {
    for (size_t i = log.size(); i-- > 0;) Undo(log, i);
  }

  static constexpr time_t kStartLimitS = 10;  // of processor time

  Recorder& recorder_;
  Tally& tally_;
  StoreLog start_;
  StoreLog again_;
  size_t store_ = 0;        // how many stores of the life are done
  size_t start_store_ = 0;  // and of the start
};

// A start that aborts, or does not end, is a failure like others.
template <typename Recorder>
class AbortGuard {
 public:
  AbortGuard(Replay<Recorder>* replay, Tally* tally, Tally* shared) {
    replay_ = replay;
    tally_ = tally;
    shared_ = shared;
    std::signal(SIGABRT, OnSignal);
    std::signal(SIGPROF, OnSignal);
  }
  ~AbortGuard() {
    const itimerval never{};
    ::setitimer(ITIMER_PROF, &never, nullptr);
    std::signal(SIGABRT, SIG_DFL);
  }
  AbortGuard(const AbortGuard&) = delete;
  AbortGuard& operator=(const AbortGuard&) = delete;

 private:
  static void OnSignal(int number) {
    replay_->Fail(number == SIGABRT ? "the start aborts" : "the start does not end");
    *shared_ = *tally_;
    std::_Exit(EXIT_SUCCESS);
  }

  static inline Replay<Recorder>* replay_;
  static inline Tally* tally_;
  static inline Tally* shared_;
};

// Lives that run untouched, after none or after a kill at every `kill_every`-th passage. What is found is in
// `*shared` even where this process ends by an abort of the start.
template <typename Recorder>
void ReplayLives(Recorder& recorder, unsigned long kill_every, Tally* shared) {
  Tally tally;
  for (unsigned long kill = 0; tally.failed == 0; kill += kill_every) {
    Trial<Recorder> trial(recorder, kill == 0 ? std::vector<unsigned long>{} : std::vector<unsigned long>{kill});
    const std::string problem = trial.Run();
    Replay<Recorder> replay(recorder, &tally);
    replay.Fail(problem);
    if (!problem.empty() || !trial.all_killed()) break;
    const AbortGuard<Recorder> guard(&replay, &tally, shared);
    replay.Run();
  }
  *shared = tally;
}

}  // namespace dory::crash
