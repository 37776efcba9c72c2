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
#include <initializer_list>
#include <string>
#include <vector>

#include "common/log.h"
#include "tests/crash/kafka_sweep_judge.h"
#include "tests/crash/kafka_sweep_world.h"
#include "tests/crash/sweep_jobs.h"

namespace dory::kafka {
namespace {

using crash::Job;
using Messages = std::vector<ScriptMessage>;

// Both kinds, of so many topics, by turns.
Messages Mix(size_t count, uint32_t topics, size_t most_padding = 60, size_t least_padding = 0) {
  Messages messages;
  for (size_t i = 0; i < count; ++i) {
    const auto number = static_cast<uint32_t>(i);
    messages.push_back({.topic = number / 2 % topics, .keyed = i % 3 == 1, .key = number, .padding = least_padding + i * 37 % most_padding});
  }
  return messages;
}

Messages With(Messages messages, Fate fate, std::initializer_list<size_t> numbers) {
  for (const size_t number : numbers) messages.at(number).fate = fate;
  return messages;
}

constexpr int16_t kRequestTimedOut = 7;
constexpr int16_t kNotEnoughReplicas = 19;
constexpr int16_t kAppendedWithFewReplicas = 20;
constexpr int16_t kInvalidRequest = 42;
constexpr int16_t kOutOfOrder = 45;
constexpr int16_t kInvalidEpoch = 47;

const std::vector<Scenario> kScenarios = {
    {.name = "two topics", .messages = Mix(18, 2), .options = "batch_time = 20ms\n"},
    {.name = "sent at once", .messages = Mix(18, 2), .pace = Pace::kSingly, .options = "batching = off\n"},
    {.name = "waiting, corrupt, laps",
     .messages = With(Mix(24, 3, 400), Fate::kDamaged, {3, 4, 17}),
     .known_after = {2, 3, kNever},
     .gives_up = true,
     .ring_size = 2048,
     .options = "batch_time = 20ms\nunknown_topic_deadline = 3s\n"},
    {.name = "given up",
     .messages = Mix(16, 3),
     .pace = Pace::kSettled,
     .known_after = {0, 0, kNever},
     .gives_up = true,
     .options = "batch_time = 20ms\nunknown_topic_deadline = 1s\n"},
    {.name = "halved and refused by name",
     .messages = With(With(Mix(16, 1, 60, 1800), Fate::kHuge, {2, 9}), Fate::kRefused, {5, 6, 12}),
     .most_records = 3,
     .options = "batch_time = 20ms\n"},
    {.name = "refused without a name",
     .messages = With(Mix(10, 1), Fate::kRefused, {0, 7}),
     .names_refused = false,
     .options = "batch_time = 20ms\n"},
    {.name = "leaders, cuts and silence",
     .messages = Mix(20, 2),
     .faults = {{0, 0, 1, FaultKind::kMovesLeader, true},
                {0, 0, 3, FaultKind::kCuts, true},
                {0, 1, 1, FaultKind::kSaysNothing, true},
                {0, 1, 2, FaultKind::kMovesLeader},
                {1, 0, 1, FaultKind::kAnswers, false, kNotEnoughReplicas},
                {1, 0, 2, FaultKind::kAnswers, true, kRequestTimedOut},
                {1, 0, 3, FaultKind::kGarbles, true},
                {1, 0, 4, FaultKind::kAnswers, true, kAppendedWithFewReplicas}},
     .options = "batch_time = 20ms\n"},
    {.name = "server errors",
     .messages = With(Mix(10, 1), Fate::kFatal, {4, 7}),
     .options = "batch_time = 20ms\nserver_error_deadline = 1s\n"},
    {.name = "cut off alone",
     .messages = With(Mix(16, 2), Fate::kCutOff, {2}),
     .pace = Pace::kSlowly,
     .options = "batch_time = 20ms\n"},
    {.name = "sequences",
     .messages = Mix(16, 1),
     .pace = Pace::kSettled,
     .faults = {{0, 1, 1, FaultKind::kAnswers, false, kOutOfOrder}, {0, 1, 2, FaultKind::kAnswers, false, kInvalidEpoch}},
     .ambiguous = true,
     .first_sequence = INT32_MAX - 1,
     .first_epoch = 4,
     .options = "batch_time = 20ms\nbatch_messages = 3\n"},
    {.name = "epochs are used up",
     .messages = Mix(12, 1),
     .first_sequence = INT32_MAX - 1,
     .first_epoch = INT16_MAX,
     .options = "batch_time = 20ms\nbatch_messages = 3\n"},
    {.name = "forgotten producers",
     .messages = Mix(16, 1),
     .pace = Pace::kSettled,
     .faults = {{0, 0, 2, FaultKind::kForgets}, {0, 1, 2, FaultKind::kForgets}},
     .old_brokers = true,
     .ambiguous = true,
     .options = "batch_time = 20ms\nbatch_messages = 2\n"},
    {.name = "full pool",
     .messages = Mix(24, 1, 1200),
     .partitions = {8, 1, 1},
     .ring_size = 8192,
     .free_blocks = 4,
     .options = "batch_time = 20ms\n"},
    {.name = "wild write, odd answer",
     .messages = Mix(16, 1),
     .pace = Pace::kSettled,
     .faults = {{0, 1, 2, FaultKind::kAnswers, false, kInvalidRequest}},
     .ambiguous = true,
     .discards_by_answer = true,
     .damage = Damage::kOpen,
     .options = "batch_time = 20ms\n"},
    {.name = "wild write behind a halving",
     .messages = Mix(16, 1),
     .most_records = 3,
     .damage = Damage::kWindow,
     .options = "batch_time = 20ms\n"},
    {.name = "wild write, waiting",
     .messages = Mix(12, 2),
     .known_after = {2, 2, 0},
     .damage = Damage::kWaiting,
     .options = "batch_time = 20ms\n"},
};

crash::Tally RunJob(const Job& job) {
  Scenario scenario = kScenarios[job.scenario / 3];
  scenario.late = static_cast<Late>(job.scenario % 3);
  World world(scenario);
  return crash::Sweep<World>(world, !job.mutant.empty()).Run();
}

// Each scenario with two of the three fates of what was written, in turn; or with all.
int RunScenarios(bool all) {
  static constexpr const char* kLate[] = {"lost", "late", "later"};
  std::vector<Job> jobs;
  for (size_t i = 0; i < 3 * kScenarios.size(); ++i) {
    if (!all && i / 3 % 3 == i % 3) continue;
    jobs.push_back({kScenarios[i / 3].name + ", " + kLate[i % 3], i, ""});
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
  return mutants ? dory::kafka::RunMutants() : dory::kafka::RunScenarios(all);
}
