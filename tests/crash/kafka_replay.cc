// kafka_replay: a start of the kafka worker after each single store of a life, and after each single store
// of that start.
//
// A life of the sweep's scenarios runs untouched, or after a kill, and every store to the segment is logged
// (store_log.h: nothing else can write there). Then the segment is taken back to what it was before that
// life, and forward store by store. At each it has to be sound; a start has to leave what check-buffer
// counts as it was, every message held once, or settled; and so has a start that died after each of its
// own stores, and was done again.
//
// With --mutants the same is done with deliberate faults of the start, and has to fail.

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
#include "tests/crash/replay.h"
#include "tests/crash/sweep_jobs.h"

namespace dory::kafka {
namespace {

using crash::Job;
using crash::StoreLog;
using Logs = std::array<std::array<PartitionState, kMostPartitions>, kSweepTopics>;

constexpr RegionKind kKafkaRegions[] = {RegionKind::kConsumer,   RegionKind::kKafkaBooks, RegionKind::kProducerIds,
                                        RegionKind::kPartitions, RegionKind::kBatches,    RegionKind::kChains,
                                        RegionKind::kPool,       RegionKind::kOutcomes,   RegionKind::kWorkerPage};
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

  // ---- what a Replay asks for

  const StoreLog& log() const { return log_; }
  std::span<const RegionKind> StartWrites() const { return kKafkaRegions; }

  std::span<std::byte> BytesOf(RegionKind region) {
    const bool of_intake = std::find(std::begin(kIntakeRegions), std::end(kIntakeRegions), region) != std::end(kIntakeRegions);
    return of_intake ? intake().WritableBytes(region, 0) : kafka::BytesOf(kafka(), region);
  }

  // A kill may come behind it: not within a message of the intake, whose own sweep that is.
  bool EndsStep(const crash::StoreEntry& store) const {
    const RegionKind region = store.region;
    if (region == RegionKind::kIntakeBooks || region == RegionKind::kRing) return false;
    return region != RegionKind::kProducer ||
           store.offset == offsetof(shm::ProducerPage, stage) + offsetof(shm::Stage, base);
  }

  std::string Inspect() const { return CountAll().problem; }
  void Remember() { before_ = CountAll().numbers; }

  void Start() {
    Memory memory(kafka(), 0);
    Recover(memory);
  }

  std::string JudgeStart(size_t store) const {
    const Count after = CountAll();
    if (!after.problem.empty()) return after.problem;
    if (after.numbers != before_) return "a start has changed the books";
    const shm::DiscardCell& cell = check().Get<shm::ConsumerPage>(RegionKind::kConsumer, 0)->cell;
    if (cell.done != cell.position) return "the cell is not done";
    const Inventory inventory(check());
    if (!inventory.problem().empty()) return inventory.problem();
    const std::string problem = JudgeFates(inventory, after.numbers[1], ListLogged(store));
    return problem.empty() ? ReceiptJudge(*this).JudgeStart(inventory, after.numbers[1]) : problem;
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

  // What has to be the same before and after a start.
  struct Count {
    std::string problem;
    std::vector<uint64_t> numbers;
  };

  Count CountAll() const {
    const Status sound = shm::CheckSound(check(), 0);
    if (!sound.ok()) return {sound.message(), {}};
    const shm::BufferCheck found = shm::CheckBuffer(check(), 0);
    if (!found.balances) return {"the books do not balance", {}};
    Count count{"", {found.buffered_counted, found.books.Appended()}};
    for (const shm::TopicBooks& topic : found.books.topics) count.numbers.push_back(topic.delivered);
    for (size_t i = 0; i < shm::kDiscardReasons; ++i) {
      count.numbers.push_back(found.books.DiscardedFor(static_cast<Discard>(i)));
    }
    return count;
  }

  // Each message that was appended is held, or settled; and what is in a log is held only where a repetition
  // will be known for one.
  std::string JudgeFates(const Inventory& inventory, uint64_t appended, const std::set<size_t>& logged) const {
    for (size_t i = 0; i < appended; ++i) {
      const ScriptMessage& message = scenario().messages[i];
      const auto held = inventory.messages().find(i);
      const bool is_held = held != inventory.messages().end();
      const bool may_go = message.fate != Fate::kLogged || scenario().discards_by_answer || scenario().unsure ||
                          scenario().discards_unsent.has_value() ||
                          (scenario().gives_up && message.topic == 2);
      if (!is_held && !logged.contains(i) && !may_go) return "message " + std::to_string(i) + " is lost";
      if (is_held && logged.contains(i) && !held->second.is_sent && !scenario().ambiguous) {
        return "message " + std::to_string(i) + " will be doubled";
      }
    }
    return "";
  }

  // The brokers' logs as they were when this was stored.
  std::set<size_t> ListLogged(size_t store) const {
    std::set<size_t> logged;
    for (const auto& topic : snapshots_->logs.at(log_[store].mark)) {
      for (const PartitionState& partition : topic) {
        for (size_t i = 0; i < partition.size; ++i) logged.insert(partition.log[i]);
      }
    }
    return logged;
  }

  StoreLog log_;
  Snapshots* snapshots_;
  std::vector<uint64_t> before_;
};

// ---- the program -------------------------------------------------------------------------------

constexpr unsigned long kKillEvery = 4;  // passages of a life whose successor is replayed

void RunJob(const Job& job, crash::Tally* tally) {
  Recorder recorder(kScenarios.at(job.scenario));
  crash::ReplayLives(recorder, kKillEvery * job.stride, tally);
}

int RunScenarios(unsigned long stride) {
  std::vector<Job> jobs;
  for (size_t i = 0; i < kScenarios.size(); ++i) {
    if (kScenarios[i].damage == Damage::kNone) jobs.push_back({kScenarios[i].name, i, "", stride * kScenarios[i].stride});
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
          {"", 0, "place after C4"},
          {"", 0, "order not cleared at the start"},
          {"", 0, "outcomes before C10"},
          {"", 3, "the cell's outcome before position"},
      },
      RunJob);
}

}  // namespace
}  // namespace dory::kafka

int main(int argc, char** argv) {
  const dory::Status status = dory::OpenLog("kafka_replay", "/dev/null", dory::LogLevel::kError);
  if (!status.ok()) return 2;
  const bool mutants = argc > 1 && std::strcmp(argv[1], "--mutants") == 0;
  return mutants ? dory::kafka::RunMutants() : dory::kafka::RunScenarios(dory::crash::ReadStride(argc, argv));
}
