// intake_replay: a start of the intake after each single store of a life, and after each single store of
// that start; as kafka_replay does it for the kafka worker.
//
// The kernel's stores in recvmmsg are one: a SIGKILL acts when the call is done. At each store the segment is
// sound; a start, up to where it would read sockets, leaves every message that was taken from a socket
// decided once, or in its slot where the ring has no room, and the books say so.
//
// With --mutants the same is done with deliberate faults, and has to fail.

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "common/log.h"
#include "shm/soundness.h"
#include "tests/crash/intake_sweep_judge.h"
#include "tests/crash/intake_sweep_scenarios.h"
#include "tests/crash/intake_sweep_world.h"
#include "tests/crash/replay.h"
#include "tests/crash/sweep_jobs.h"

namespace dory::intake {
namespace {

using crash::Job;
using crash::StoreLog;

constexpr RegionKind kIntakeRegions[] = {RegionKind::kIntakeBooks, RegionKind::kReceive, RegionKind::kProducer,
                                         RegionKind::kRing, RegionKind::kWorkerPage};

class Recorder final : public World {
 public:
  explicit Recorder(const Scenario& scenario) : World(scenario) {}

  // What the kernel does for a life; the log's mark is how many messages have left the sockets.
  int ReceiveFor(int fd, mmsghdr* messages, unsigned count, int flags) {
    log_.BeginForeign(RegionKind::kReceive);
    const auto received = static_cast<int>(::syscall(SYS_recvmmsg, fd, messages, count, flags, nullptr));
    if (received > 0) taken_ += static_cast<uint32_t>(received);
    log_.SetMark(taken_);
    log_.EndForeign(RegionKind::kReceive);
    return received;
  }

  const StoreLog& log() const { return log_; }
  std::span<const RegionKind> StartWrites() const { return kIntakeRegions; }

  // The pointers of the slots are written anew by each start.
  bool EndsStep(const crash::StoreEntry& store) const {
    if (store.region == RegionKind::kWorkerPage) return false;
    if (store.region != RegionKind::kReceive || store.size > sizeof(uint64_t)) return true;
    const size_t first = offsetof(shm::ReceiveSlots, messages);
    if (store.offset < first) return true;
    const size_t within = (store.offset - first) % sizeof(mmsghdr);
    const bool is_message = store.offset < offsetof(shm::ReceiveSlots, buffers);
    return is_message && (within == offsetof(mmsghdr, msg_len) || within == offsetof(msghdr, msg_flags));
  }

  std::span<std::byte> BytesOf(RegionKind region) {
    const bool of_kafka = region == RegionKind::kConsumer;
    return (of_kafka ? kafka() : intake()).WritableBytes(region, 0);
  }

  // The judge takes what is left in the ring; here it stays.
  std::string JudgeAll() {
    const uint64_t head = Consumer().head;
    const size_t kept = shared().kept_count;
    const std::string problem = World::JudgeAll();
    shm::Store(Consumer().head, head);
    ForgetKept(kept);
    return problem;
  }

  std::string Inspect() const { return shm::CheckSound(check(), 0).message(); }
  void Remember() {}
  void Start() { outcome_ = World::Start(); }

  std::string JudgeStart(size_t store) {
    const std::string sound = Inspect();
    if (!sound.empty()) return sound;
    const shm::Books books = Books();
    const uint64_t waiting = CountSlots();
    if (waiting > 0 && outcome_ != Outcome::kNoRoom) return "a start has left messages in slots";
    const uint64_t taken = log_[store == 0 ? 0 : store - 1].mark;  // of the store to come it may be the kernel's
    if (books.Received() + waiting != taken) {
      return "received " + std::to_string(books.Received()) + " and " + std::to_string(waiting) + " in slots are not " +
             std::to_string(taken) + " taken";
    }
    return JudgeRing(books);
  }

 protected:
  void OnBirth(shm::Segment* segment) override {
    taken_ = static_cast<uint32_t>(Books().Received() + CountUndecided());
    log_.Clear();
    log_.SetMark(taken_);
    for (const RegionKind region : kIntakeRegions) log_.Watch(region, segment->WritableBytes(region, 0), true);
    log_.Watch(RegionKind::kConsumer, kafka().WritableBytes(RegionKind::kConsumer, 0), false);
  }

 private:
  shm::ConsumerPage& Consumer() { return *kafka().GetWritable<shm::ConsumerPage>(RegionKind::kConsumer, 0); }

  uint64_t CountSlots() const {
    return static_cast<uint64_t>(std::count_if(std::begin(Slots().messages), std::end(Slots().messages),
                                               [](const mmsghdr& message) { return message.msg_len != shm::kEmptySlot; }));
  }

  // Those in slots that the books, as a reader sees them, do not have yet.
  uint64_t CountUndecided() const {
    const shm::Stage& stage = Producer().stage;
    uint64_t decided = 0;
    if (Producer().tail != stage.base || stage.decided != shm::kUndecided) {
      for (uint32_t slot = stage.first; slot < stage.end; ++slot) {
        decided += Slots().messages[slot].msg_len != shm::kEmptySlot;
      }
    }
    return CountSlots() - decided;
  }

  // Each message once, and as many of each topic as the books say.
  std::string JudgeRing(const shm::Books& books) {
    std::map<uint32_t, uint64_t> counts;
    std::set<std::string> values;
    uint64_t position = kafka().Get<shm::ConsumerPage>(RegionKind::kConsumer, 0)->head;
    const shm::RingReader reader(&Producer(), kafka().Bytes(RegionKind::kRing, 0));
    uint64_t first_ordinal = books.Appended();
    while (position != reader.Tail()) {
      const shm::RingRecord record = reader.ReadAt(position, reader.Tail());
      position = record.end;
      if (record.verdict == shm::RingRecord::Verdict::kPad) continue;
      if (record.verdict != shm::RingRecord::Verdict::kMessage) return "a record of the ring does not hold";
      first_ordinal = std::min<uint64_t>(first_ordinal, record.ordinal);
      ++counts[record.message.header.topic_row];
      if (!values.emplace(IdentityOf(record.message)).second) return "a message is in the ring twice";
    }
    for (size_t i = 0; i < shared().kept_count && shared().kept[i].ordinal < first_ordinal; ++i) {
      ++counts[shared().kept[i].row];
      if (!values.emplace(shared().kept[i].identity).second) return "a message was appended twice";
    }
    for (const auto& [row, count] : counts) {
      if (books.topics.at(row).appended != count) return "books: appended";
    }
    return values.size() == books.Appended() ? "" : "books: all appended";
  }

  StoreLog log_;
  uint32_t taken_ = 0;
  Outcome outcome_ = Outcome::kEmpty;
};

constexpr unsigned long kKillEvery = 2;  // passages of a life whose successor is replayed

Recorder* recording = nullptr;  // in this process: a job's, and the lives forked from it

void RunJob(const Job& job, crash::Tally* tally) {
  Recorder recorder(kScenarios.at(job.scenario));
  recording = &recorder;
  crash::ReplayLives(recorder, kKillEvery * job.stride, tally);
}

// Those whose lives leave no file beside the segment.
int RunScenarios(unsigned long stride) {
  std::vector<Job> jobs;
  for (size_t i = 0; i < kScenarios.size(); ++i) {
    if (!kScenarios[i].lives[0].dying) jobs.push_back({kScenarios[i].name, i, "", stride});
  }
  return crash::SweepScenarios(jobs, RunJob, {});
}

int RunMutants() {
  return crash::SweepMutants(
      {
          {"", 0, "counters added"},
          {"", 1, "P6 before P5"},
          {"", 1, "not decided without an append"},
          {"", 0, "private receive buffers"},
      },
      RunJob);
}

}  // namespace
}  // namespace dory::intake

// What the intake finds instead of the system's.
extern "C" int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec*) {
  return dory::intake::recording->ReceiveFor(fd, messages, count, flags);
}

int main(int argc, char** argv) {
  const dory::Status status = dory::OpenLog("intake_replay", "stderr", dory::LogLevel::kError);
  if (!status.ok()) return 2;
  const bool mutants = argc > 1 && std::strcmp(argv[1], "--mutants") == 0;
  return mutants ? dory::intake::RunMutants() : dory::intake::RunScenarios(dory::crash::ReadStride(argc, argv));
}
