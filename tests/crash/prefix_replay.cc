// prefix_replay: a start of the kafka worker after each single store of a life, and after each single store
// of that start.
//
// A life of the sweep's scenarios runs untouched, or after a kill, and every store to the segment is logged
// (store_log.h: nothing else can write there). Then the segment is taken back to what it was before that
// life, and forward store by store. At each it has to be sound; a start has to leave what check-buffer
// counts as it was, every message held once, or settled; and so has a start that died after each of its
// own stores, and was done again.
//
// With --mutants the same is done with deliberate faults of the start, and has to fail.

#include <csignal>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "common/log.h"
#include "kafka_worker/start.h"
#include "shm/soundness.h"
#include "tests/crash/kafka_sweep_inventory.h"
#include "tests/crash/kafka_sweep_judge.h"
#include "tests/crash/kafka_sweep_scenarios.h"
#include "tests/crash/store_log.h"
#include "tests/crash/sweep_jobs.h"

namespace dory::kafka {
namespace {

using crash::Job;
using crash::StoreLog;
using Logs = std::array<std::array<PartitionState, kMostPartitions>, kSweepTopics>;

constexpr RegionKind kKafkaRegions[] = {RegionKind::kConsumer,   RegionKind::kKafkaBooks, RegionKind::kProducerIds,
                                        RegionKind::kPartitions, RegionKind::kBatches,    RegionKind::kChains,
                                        RegionKind::kPool,       RegionKind::kWorkerPage};
constexpr RegionKind kIntakeRegions[] = {RegionKind::kIntakeBooks, RegionKind::kProducer, RegionKind::kRing};

std::span<std::byte> BytesOf(shm::Segment& kafka, RegionKind region) {
  const uint32_t page = shm::WorkerIndex(shm::Role::kKafka, 0);
  return kafka.WritableBytes(region, region == RegionKind::kWorkerPage ? page : 0);
}

// ---- a life, and its log -----------------------------------------------------------------------

class Recorder final : public World {
 public:
  explicit Recorder(const Scenario& scenario) : World(scenario) {
    void* const memory = ::mmap(nullptr, sizeof(Snapshots), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) Die("mmap");
    snapshots_ = static_cast<Snapshots*>(memory);
  }
  ~Recorder() override { ::munmap(snapshots_, sizeof(Snapshots)); }

  void OnWait() override {
    World::OnWait();
    Logs& newest = snapshots_->logs.at(snapshots_->count - 1);
    if (std::memcmp(static_cast<const void*>(&newest), &shared().brokers.partitions, sizeof(Logs)) != 0) TakeSnapshot();
  }

  const StoreLog& log() const { return log_; }
  // The brokers' logs as they were when this was stored.
  const Logs& LogsAt(size_t store) const { return snapshots_->logs.at(log_[store].mark); }

  std::span<std::byte> BytesOf(RegionKind region) {
    const bool of_intake = std::find(std::begin(kIntakeRegions), std::end(kIntakeRegions), region) != std::end(kIntakeRegions);
    return of_intake ? intake().WritableBytes(region, 0) : kafka::BytesOf(kafka(), region);
  }

  // A kill may come behind it: not within a message of the intake, whose own sweep that is.
  bool EndsStep(size_t store) const {
    const RegionKind region = log_[store].region;
    if (region == RegionKind::kIntakeBooks || region == RegionKind::kRing) return false;
    return region != RegionKind::kProducer ||
           log_[store].offset == offsetof(shm::ProducerPage, stage) + offsetof(shm::Stage, base);
  }

 protected:
  void OnBirth(shm::Segment* segment) override {
    log_.Clear();
    snapshots_->count = 0;
    TakeSnapshot();
    for (const RegionKind region : kKafkaRegions) log_.Watch(region, kafka::BytesOf(*segment, region), true);
    for (const RegionKind region : kIntakeRegions) log_.Watch(region, intake().WritableBytes(region, 0), false);
  }

 private:
  struct Snapshots {
    size_t count;
    std::array<Logs, 400> logs;
  };

  void TakeSnapshot() {
    snapshots_->logs.at(snapshots_->count) = shared().brokers.partitions;
    log_.SetMark(static_cast<uint32_t>(snapshots_->count++));
  }

  StoreLog log_;
  Snapshots* snapshots_;
};

// ---- the replay --------------------------------------------------------------------------------

class Replay {
 public:
  Replay(Recorder& recorder, crash::Tally* tally) : recorder_(recorder), script_(recorder.scenario()), tally_(*tally) {}

  void Run() {
    const StoreLog& log = recorder_.log();
    for (size_t i = log.size(); i-- > 0;) {
      if (!log.Undo(i, recorder_.BytesOf(log[i].region))) return Fail("store " + std::to_string(i) + " is not in the segment");
    }
    for (store_ = 0; store_ < log.size() && tally_.failed == 0; ++store_) {
      if (store_ == 0 || recorder_.EndsStep(store_ - 1)) TryStart();
      log.Redo(store_, recorder_.BytesOf(log[store_].region));
    }
  }

  void Fail(const std::string& problem) {
    if (problem.empty() || ++tally_.failed > 1) return;
    std::snprintf(tally_.first_failure, sizeof(tally_.first_failure), "%zu stores, and %zu of a start: %s", store_,
                  start_store_, problem.c_str());
  }

 private:
  // What has to be the same before and after a start.
  struct Count {
    std::string problem;
    std::vector<uint64_t> numbers;
  };

  // A start from here, and one from each store of it; then all is as it was.
  void TryStart() {
    start_store_ = 0;
    const Count before = CountAll();
    Fail(before.problem);
    Start(&start_);
    Fail(JudgeStart(before));
    start_store_ = start_.size();
    while (start_store_ > 0 && tally_.failed == 0) {
      Undo(start_, --start_store_);
      if (start_store_ == 0) return;
      Fail(CountAll().problem);
      Start(&again_);
      Fail(JudgeStart(before));
      for (size_t i = again_.size(); i-- > 0;) Undo(again_, i);
    }
  }

  void Start(StoreLog* log) {
    ++tally_.trials;
    log->Clear();
    for (const RegionKind region : kKafkaRegions) log->Watch(region, BytesOf(recorder_.kafka(), region), false);
    Memory memory(recorder_.kafka(), 0);
    Recover(memory);
    log->EndWatching();
  }

  void Undo(const StoreLog& log, size_t store) {
    if (!log.Undo(store, BytesOf(recorder_.kafka(), log[store].region))) Fail("a store of the start is not in the segment");
  }

  Count CountAll() const {
    const Status sound = shm::CheckSound(recorder_.check(), 0);
    if (!sound.ok()) return {sound.message(), {}};
    const shm::BufferCheck check = shm::CheckBuffer(recorder_.check(), 0);
    if (!check.balances) return {"the books do not balance", {}};
    Count count{"", {check.buffered_counted, check.books.Appended()}};
    for (const shm::TopicBooks& topic : check.books.topics) count.numbers.push_back(topic.delivered);
    for (size_t i = 0; i < shm::kDiscardReasons; ++i) {
      count.numbers.push_back(check.books.DiscardedFor(static_cast<Discard>(i)));
    }
    return count;
  }

  std::string JudgeStart(const Count& before) const {
    const Count after = CountAll();
    if (!after.problem.empty()) return after.problem;
    if (after.numbers != before.numbers) return "a start has changed the books";
    const shm::DiscardCell& cell = recorder_.check().Get<shm::ConsumerPage>(RegionKind::kConsumer, 0)->cell;
    if (cell.done != cell.position) return "the cell is not done";
    const Inventory inventory(recorder_.check());
    if (!inventory.problem().empty()) return inventory.problem();
    return JudgeFates(inventory, after.numbers[1]);
  }

  // Each message that was appended is held, or settled; and what is in a log is held only where a repetition
  // will be known for one.
  std::string JudgeFates(const Inventory& inventory, uint64_t appended) const {
    const std::set<size_t> logged = ListLogged();
    for (size_t i = 0; i < appended; ++i) {
      const auto held = inventory.messages().find(i);
      const bool is_held = held != inventory.messages().end();
      const bool may_go = script_.messages[i].fate != Fate::kLogged || script_.discards_by_answer ||
                          (script_.gives_up && script_.messages[i].topic == 2);
      if (!is_held && !logged.contains(i) && !may_go) return "message " + std::to_string(i) + " is lost";
      if (is_held && logged.contains(i) && !held->second && !script_.ambiguous) {
        return "message " + std::to_string(i) + " will be doubled";
      }
    }
    return "";
  }

  std::set<size_t> ListLogged() const {
    std::set<size_t> logged;
    for (const auto& topic : recorder_.LogsAt(store_)) {
      for (const PartitionState& partition : topic) {
        for (size_t i = 0; i < partition.size; ++i) logged.insert(partition.log[i]);
      }
    }
    return logged;
  }

  Recorder& recorder_;
  const Scenario& script_;
  crash::Tally& tally_;
  StoreLog start_;
  StoreLog again_;
  size_t store_ = 0;        // how many stores of the life are done
  size_t start_store_ = 0;  // and of the start
};

// ---- the program -------------------------------------------------------------------------------

constexpr unsigned long kKillEvery = 4;  // passages of a life whose successor is replayed

Replay* replaying = nullptr;
crash::Tally* told = nullptr;

// An abort of the start is a failure like others.
void OnAbort(int) {
  replaying->Fail("the start aborts");
  std::printf("%s\n", told->first_failure);
  std::_Exit(1);
}

crash::Tally RunJob(const Job& job) {
  crash::Tally tally;
  Recorder recorder(kScenarios.at(job.scenario));
  for (unsigned long kill = 0; tally.failed == 0; kill += kKillEvery) {
    crash::Trial<Recorder> trial(recorder, kill == 0 ? std::vector<unsigned long>{} : std::vector<unsigned long>{kill});
    const std::string problem = trial.Run();
    Replay replay(recorder, &tally);
    replay.Fail(problem);
    if (!problem.empty() || !trial.all_killed()) break;
    replaying = &replay;
    told = &tally;
    std::signal(SIGABRT, OnAbort);
    replay.Run();
    std::signal(SIGABRT, SIG_DFL);
  }
  return tally;
}

int RunScenarios() {
  std::vector<Job> jobs;
  for (size_t i = 0; i < kScenarios.size(); ++i) {
    if (kScenarios[i].damage == Damage::kNone) jobs.push_back({kScenarios[i].name, i, ""});
  }
  return crash::SweepScenarios(jobs, RunJob, {});
}

// Each fault in a scenario of that number.
int RunMutants() {
  return crash::SweepMutants(
      {
          {"", 2, "resume from head alone"},
          {"", 3, "no discard.pos in head"},
          {"", 2, "cell not redone"},
          {"", 2, "no rule for first"},
          {"", 0, "delivered added"},
          {"", 0, "FREE before it is counted"},
          {"", 1, "SENT after the write"},
          {"", 0, "a write beside the seam"},
      },
      RunJob);
}

}  // namespace
}  // namespace dory::kafka

int main(int argc, char** argv) {
  const dory::Status status = dory::OpenLog("prefix_replay", "/dev/null", dory::LogLevel::kError);
  if (!status.ok()) return 2;
  const bool mutants = argc > 1 && std::strcmp(argv[1], "--mutants") == 0;
  return mutants ? dory::kafka::RunMutants() : dory::kafka::RunScenarios();
}
