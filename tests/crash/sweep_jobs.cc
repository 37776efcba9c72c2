#include "tests/crash/sweep_jobs.h"

#include <sys/mman.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <thread>

namespace dory::crash {
namespace {

// Of each crash point of this program: whether a life has passed it.
bool* seen = nullptr;

template <typename T>
T* ShareArray(size_t count) {
  void* const memory = ::mmap(nullptr, std::max<size_t>(1, count) * sizeof(T), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) Die("mmap");
  return static_cast<T*>(memory);
}

void NotePassage(const CrashPoint& point) { seen[&point - ListCrashPoints().data()] = true; }

pid_t StartJob(const Job& job, RunJob run, Tally* tally) {
  const pid_t sweeper = ::fork();
  if (sweeper < 0) Die("fork");
  if (sweeper > 0) return sweeper;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setenv("DORY_MUTANT", job.mutant.c_str(), 1);
  run(job, tally);
  std::_Exit(0);
}

void AwaitOne(std::vector<pid_t>* running) {
  int status = 0;
  const pid_t ended = ::wait(&status);
  if (ended < 0 || status != 0) Die("a sweep did not end well");
  std::erase(*running, ended);
}

std::vector<Tally> SweepAll(const std::vector<Job>& jobs, RunJob run) {
  auto* const tallies = ShareArray<Tally>(jobs.size());
  seen = ShareArray<bool>(ListCrashPoints().size());
  ScratchFolder();
  ObserveCrashPoints(NotePassage);
  std::vector<pid_t> running;
  for (size_t i = 0; i < jobs.size(); ++i) {
    if (running.size() == std::max(1u, std::thread::hardware_concurrency())) AwaitOne(&running);
    running.push_back(StartJob(jobs[i], run, &tallies[i]));
  }
  while (!running.empty()) AwaitOne(&running);
  return {tallies, tallies + jobs.size()};
}

bool IsUnder(const CrashPoint& point, const std::vector<std::string>& folders) {
  return std::any_of(folders.begin(), folders.end(), [&](const std::string& folder) {
    return std::string(point.file).starts_with(folder + "/");
  });
}

// How many there are, and how many were never passed, each of which is named.
std::pair<size_t, size_t> CountPoints(const std::vector<std::string>& folders) {
  size_t all = 0;
  size_t missed = 0;
  for (const CrashPoint& point : ListCrashPoints()) {
    if (!IsUnder(point, folders)) continue;
    ++all;
    if (seen[&point - ListCrashPoints().data()]) continue;
    ++missed;
    std::printf("never passed: %s (%s)\n", point.name, point.file);
  }
  return {all, missed};
}

}  // namespace

unsigned long ReadStride(int argc, char** argv) {
  if (argc != 3 || std::strcmp(argv[1], "--every") != 0) return 1;
  char* end = nullptr;
  const unsigned long stride = std::strtoul(argv[2], &end, 10);
  if (stride == 0 || *end != '\0') Die(std::string("--every ") + argv[2] + ": a number above 0 is needed");
  return stride;
}

int SweepScenarios(const std::vector<Job>& jobs, RunJob run, const std::vector<std::string>& folders) {
  Tally all;
  const std::vector<Tally> tallies = SweepAll(jobs, run);
  for (size_t i = 0; i < jobs.size(); ++i) {
    std::printf("%-38s %6lu trials, %lu failed %s\n", jobs[i].name.c_str(), tallies[i].trials, tallies[i].failed,
                tallies[i].first_failure);
    all.trials += tallies[i].trials;
    all.passages += tallies[i].passages;
    all.pairs += tallies[i].pairs;
    all.failed += tallies[i].failed;
  }
  const auto [points, missed] = CountPoints(folders);
  if (points > 0) {
    std::printf("%zu crash points, %zu never passed; killed at %lu passages, and then once more in %lu pairs\n", points,
                missed, all.passages, all.pairs);
  }
  std::printf("%lu passed, %lu failed\n", all.trials - std::min(all.trials, all.failed), all.failed + missed);
  return all.failed + missed > 0 ? 1 : 0;
}

int SweepMutants(const std::vector<Job>& jobs, RunJob run) {
  const std::vector<Tally> tallies = SweepAll(jobs, run);
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

}  // namespace dory::crash
