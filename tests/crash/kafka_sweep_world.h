// The kafka worker's sweep: a small segment, an intake played by hand, brokers, and lives of the whole
// worker on a Machine.
//
// Owner: the sweep's process; a life is a fork of it, and shares the segment and `Shared`.

#pragma once

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/config.h"
#include "common/crash_point.h"
#include "kafka_worker/kafka_worker.h"
#include "shm/books.h"
#include "shm/report.h"
#include "shm/ring_writer.h"
#include "shm/segment.h"
#include "shm/store.h"
#include "tests/crash/kafka_sweep_broker.h"
#include "tests/crash/kafka_sweep_tickets.h"
#include "tests/crash/machine.h"
#include "tests/crash/sweep.h"

namespace dory::kafka {

using crash::Die;
using shm::RegionKind;

inline constexpr uint32_t kSweepSlotSize = 2048;
inline constexpr int64_t kSentAges = 5;  // milliseconds: how many timestamps there are
inline constexpr uint32_t kReserveBlocks = 66;  // of a Drain with such slots
inline constexpr size_t kResetBytes = 32 * 1024;  // of a region: more of it is not used

struct Shared {
  int64_t now_ns;
  size_t appended;
  unsigned long recovered_at;
  uint64_t most_blocks;   // that batches held at once
  bool waited;            // there was a waiting batch
  bool damaged_pool;
  SweepTickets tickets;
  BrokerState brokers;  // the last: its requests need no reset
};

class World : public crash::Machine {
 public:
  explicit World(const Scenario& scenario) : scenario_(scenario) {
    folder_ = crash::MakeFolder(crash::ScratchFolder() + "/");
    const uint32_t blocks = kReserveBlocks + scenario.free_blocks;
    const Result<int> fd = shm::CreateSegment(folder_, {.ring_size = scenario.ring_size,
                                                        .pool_size = blocks * shm::kBlockSize,
                                                        .lanes = 1,
                                                        .max_topics = kSweepTopics,
                                                        .slot_size = kSweepSlotSize,
                                                        .connections = 0,
                                                        .areas = 0,
                                                        .large_areas = 0,
                                                        .large_area_size = 0,
                                                        .tickets = kSweepTickets});
    if (!fd.ok()) Die(fd.status().message());
    segment_fd_.Reset(fd.value());
    check_ = Map(shm::Role::kCheck);
    kafka_ = Map(shm::Role::kKafka);
    intake_ = Map(shm::Role::kIntake);
    void* const memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) Die("mmap");
    shared_ = static_cast<Shared*>(memory);
    config_ = ParseConfigText("[kafka]\nbrokers = 127.0.0.1:9001, 127.0.0.1:9002\n" + scenario.kafka_options + SaslOptions() +
                                  "[topic:*]\n" + scenario.options,
                              "sweep").Take();
    NameTopics();
    GivePast();
    TakeSnapshot();
  }

  ~World() override {
    std::filesystem::remove_all(folder_);
    ::munmap(shared_, sizeof(Shared));
  }

  // ---- what a sweep asks for

  size_t life_count() const { return 1; }
  bool IsOverByKill(size_t) const { return false; }
  unsigned long recovered_at() const { return shared_->recovered_at; }
  void BeginLife(size_t) {}
  void EndLife() {}

  void Reset() {
    for (const auto& [region, bytes] : snapshot_) {
      std::memcpy(WritableBytes(region).data(), bytes.data(), bytes.size());
    }
    std::memset(static_cast<void*>(shared_), 0, offsetof(Shared, brokers) + offsetof(BrokerState, requests));
    shared_->now_ns = kBirthNs;
  }

  // In a child: one life of the worker, until everything is settled.
  void Live(size_t) {
    // Another address, as after an exec.
    ::mmap(nullptr, static_cast<size_t>(1 + ::getpid() % 61) << 16, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    brokers_ = std::make_unique<Brokers>(scenario_, &shared_->brokers);
    writer_ = std::make_unique<shm::RingWriter>(&Producer(), &Consumer(), intake_->WritableBytes(RegionKind::kRing, 0));
    crash::SetMachine(this);
    WorkerContext context;
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) Die("socketpair");
    context.name = "kafka-0";
    context.link = std::make_unique<ControlLink>(context.loop, ends[0], [](const std::string&) {},
                                                 [](const std::string&) {});
    context.descriptors = {{"data_doorbell", data_bell_.get()}, {"room_doorbell", room_bell_.get()}};
    context.config = config_;
    const std::unique_ptr<shm::Segment> segment = Map(shm::Role::kKafka);
    OnBirth(segment.get());
    KafkaWorker worker(context, *segment);
    shared_->recovered_at = CountCrashPoints();
    worker.Run();
  }

  // By kafka_sweep_judge.h.
  std::string InspectAfterDeath();
  std::string JudgeAll();
  std::string WasUsedAsMeant() const;

  // ---- what a life's machine does

  int64_t& NowNs() override { return shared_->now_ns; }
  int Connect(uint16_t port) override { return brokers_->Connect(port); }
  void OnWritten() override { brokers_->Receive(); }

  void OnWait() override {
    brokers_->Serve();
    NoteUse();
    Desk().TakeOutcomes();
    if (scenario_.damage != Damage::kNone && !shared_->damaged_pool) DamagePool();
    if (AppendSome()) shm::DoorbellWaker(&Consumer().data_sleep, data_bell_.get()).WakeIfAsleep();
  }

  void OnIdle(int wait_ms) override {
    if (IsDone()) {
      OnDone();
      std::_Exit(EXIT_SUCCESS);
    }
    if (wait_ms < 0 || shared_->now_ns > kBirthNs + kLongestNs) std::_Exit(kStuck);
  }

  // ---- what the judge looks at

  const Scenario& scenario() const { return scenario_; }
  const Shared& shared() const { return *shared_; }
  const shm::Segment& check() const { return *check_; }
  shm::Books Books() const { return shm::ReadBooks(*check_, 0); }
  TicketDesk Desk() { return {*check_, &shared_->tickets}; }
  Brokers MakeBrokers() { return {scenario_, &shared_->brokers}; }
  shm::Segment& intake() { return *intake_; }
  shm::Segment& kafka() { return *kafka_; }
  bool IsDone() const { return shared_->appended == scenario_.messages.size() && Books().Buffered() == 0; }

 protected:
  // A life has mapped the segment, and has not begun.
  virtual void OnBirth(shm::Segment*) {}
  // Everything is settled.
  virtual void OnDone() {}

 private:
  static constexpr int64_t kBirthNs = 1'000'000'000'000;
  static constexpr int64_t kLongestNs = 3'600'000'000'000;
  static constexpr int kStuck = 3;
  static constexpr int64_t kHalfSecondNs = 500'000'000;
  static constexpr size_t kBurst = 4;

  shm::ProducerPage& Producer() { return *intake_->GetWritable<shm::ProducerPage>(RegionKind::kProducer, 0); }
  shm::ConsumerPage& Consumer() { return *kafka_->GetWritable<shm::ConsumerPage>(RegionKind::kConsumer, 0); }
  shm::IntakeBooks& Intake() { return *intake_->GetWritable<shm::IntakeBooks>(RegionKind::kIntakeBooks, 0); }
  shm::IntakeTopicRow& TopicRow(size_t row) { return reinterpret_cast<shm::IntakeTopicRow*>(&Intake() + 1)[row]; }

  void NameTopics() {
    for (size_t row = 0; row < kSweepTopics; ++row) {
      TopicRow(row).name_size = 2;
      TopicRow(row).name[0] = 't';
      TopicRow(row).name[1] = static_cast<char>('0' + row);
    }
    Intake().topic_count = kSweepTopics;
  }

  // A producer id, and one partition with a sequence.
  void GivePast() {
    if (scenario_.first_sequence == 0) return;
    auto& ids = *kafka_->GetWritable<shm::ProducerIds>(RegionKind::kProducerIds, 0);
    ids.ids[0].id = kFirstProducer;
    ids.count = 1;
    auto& partitions = *kafka_->GetWritable<shm::PartitionRows>(RegionKind::kPartitions, 0);
    partitions.rows[0] = {0, 0, {scenario_.first_sequence, scenario_.first_epoch, 0}, -1, 0, {}, {}};
    partitions.count = 1;
  }

  std::string SaslOptions() const {
    if (!scenario_.wants_sasl) return "";
    const std::string file = folder_ + "/token";
    std::ofstream(file) << "token\n";
    std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return "security_protocol = SASL_PLAINTEXT\n[sasl]\nmechanism = OAUTHBEARER\ntoken_file = " + file + "\n";
  }

  std::span<std::byte> WritableBytes(RegionKind kind) {
    const bool of_intake = kind == RegionKind::kIntakeBooks || kind == RegionKind::kProducer || kind == RegionKind::kRing;
    const uint32_t index = kind == RegionKind::kReport ? shm::WorkerIndex(shm::Role::kKafka, 0) : 0;
    const std::span<std::byte> bytes = (of_intake ? intake_ : kafka_)->WritableBytes(kind, index);
    const bool is_whole = kind == RegionKind::kRing || kind == RegionKind::kBatches || kind == RegionKind::kReport;
    return is_whole ? bytes : bytes.first(std::min(bytes.size(), kResetBytes));
  }

  void TakeSnapshot() {
    for (const RegionKind kind : {RegionKind::kIntakeBooks, RegionKind::kProducer, RegionKind::kRing,
                                  RegionKind::kConsumer, RegionKind::kKafkaBooks, RegionKind::kProducerIds,
                                  RegionKind::kPartitions, RegionKind::kBatches, RegionKind::kChains,
                                  RegionKind::kOutcomes, RegionKind::kReport}) {
      const std::span<std::byte> bytes = WritableBytes(kind);
      snapshot_[kind].assign(bytes.begin(), bytes.end());
    }
  }

  std::unique_ptr<shm::Segment> Map(shm::Role role) const {
    Result<shm::Segment> segment = shm::Segment::Map(segment_fd_.get(), role, 0);
    if (!segment.ok()) Die(segment.status().message());
    return std::make_unique<shm::Segment>(segment.Take());
  }

  // Plays the intake: a burst of the script's next messages, where there is room.
  bool AppendSome() {
    const size_t before = shared_->appended;
    for (size_t room = CountArriving(); room > 0 && shared_->appended < scenario_.messages.size(); --room) {
      if (!AppendNext()) break;
    }
    return shared_->appended > before;
  }

  size_t CountArriving() const {
    switch (scenario_.pace) {
      case Pace::kBursts: return kBurst;
      case Pace::kSettled: return Books().Buffered() > 0 ? 0 : kBurst;
      case Pace::kSingly: return shared_->appended > 0 && Books().Delivered() == 0 ? 0 : 1;
      case Pace::kSlowly: return shared_->now_ns - kBirthNs < static_cast<int64_t>(shared_->appended) * kHalfSecondNs ? 0 : 1;
    }
    return 0;
  }

  bool AppendNext() {
    const ScriptMessage& script = scenario_.messages[shared_->appended];
    char number[5];
    std::snprintf(number, sizeof(number), "%04zu", shared_->appended);
    const std::string value = number + std::string(script.padding, 'v');
    shm::MessageView message{};
    message.header.topic_row = script.topic;
    message.header.kind = script.keyed ? shm::MessageKind::kPartitionKey : shm::MessageKind::kAnyPartition;
    message.header.partition_key = script.key;
    message.header.key_size = shm::kNullSize;
    message.header.value_size = static_cast<int32_t>(value.size());
    message.header.timestamp_ms = scenario_.timestamp_ms - static_cast<int64_t>(shared_->appended) % kSentAges;
    message.header.ticket = Desk().Choose(shared_->appended, script.fate);
    message.value = AsBytes(value);
    writer_->Rewind();
    if (!writer_->Fits(message.RecordSize(), 0)) return false;
    writer_->Write(message, shared_->now_ns, shared_->appended);
    const uint64_t end = writer_->write_position();
    Desk().Give(shared_->appended, message.header.ticket, end);
    if (script.fate == Fate::kDamaged) DamageRecord(end - shm::AlignRecord(message.RecordSize()));
    shm::Store(Producer().tail, end);
    shm::Store(TopicRow(script.topic).appended, TopicRow(script.topic).appended + 1);
    shm::Store(Producer().stage.base, end);
    ++shared_->appended;
    return true;
  }

  void DamageRecord(uint64_t position) {
    const std::span<std::byte> ring = intake_->WritableBytes(RegionKind::kRing, 0);
    std::byte& byte = ring[position % ring.size() + sizeof(shm::RecordHeader) + 8];
    shm::Store(byte, byte ^ std::byte{1});
  }

  // Into the value of the first record of the first such batch, or into the size in its header.
  void DamagePool() {
    const shm::PoolView pool(*check_, 0);
    for (shm::BatchId id = 0; id < pool.block_count(); ++id) {
      if (!IsToBeDamaged(pool.descriptor(id))) continue;
      const size_t offset = scenario_.damage == Damage::kWaiting         ? shm::kRecordOverhead + 1
                            : scenario_.damage == Damage::kWaitingHeader ? offsetof(shm::RecordHeader, size) + 2
                                                                         : 20;
      kafka_->WritableBytes(RegionKind::kPool, 0)[id * shm::kBlockSize + offset] ^= std::byte{1};
      shared_->damaged_pool = true;
      return;
    }
  }

  bool IsToBeDamaged(const shm::BatchDescriptor& batch) const {
    const auto state = static_cast<shm::BatchState>(batch.word.state);
    const bool waits = scenario_.damage == Damage::kWaiting || scenario_.damage == Damage::kWaitingHeader;
    if (batch.commit.count < 3 || (batch.kind == shm::BatchKind::kWaiting) != waits) return false;
    if (scenario_.damage != Damage::kWindow) return state == shm::BatchState::kOpen && batch.word.first == 0;
    return state == shm::BatchState::kSent && batch.word.count <= scenario_.most_records &&
           batch.word.first + batch.word.count < batch.commit.count;
  }

  void NoteUse() {
    const shm::PoolView pool(*check_, 0);
    uint64_t blocks = 0;
    for (shm::BatchId id = 0; id < pool.block_count(); ++id) {
      const shm::BatchDescriptor& batch = pool.descriptor(id);
      if (static_cast<shm::BatchState>(batch.word.state) == shm::BatchState::kFree) continue;
      blocks += std::max<uint64_t>(1, (batch.commit.bytes + shm::kBlockSize - 1) / shm::kBlockSize);
      shared_->waited |= batch.kind == shm::BatchKind::kWaiting;
    }
    shared_->most_blocks = std::max(shared_->most_blocks, blocks);
  }

  const Scenario& scenario_;
  Config config_;
  std::string folder_;
  FileDescriptor segment_fd_;
  FileDescriptor data_bell_{::eventfd(0, EFD_NONBLOCK)};
  FileDescriptor room_bell_{::eventfd(0, EFD_NONBLOCK)};
  std::unique_ptr<shm::Segment> check_;
  std::unique_ptr<shm::Segment> kafka_;
  std::unique_ptr<shm::Segment> intake_;
  std::map<RegionKind, std::vector<std::byte>> snapshot_;
  Shared* shared_;
  std::unique_ptr<Brokers> brokers_;        // of a life
  std::unique_ptr<shm::RingWriter> writer_;  // of a life
};

}  // namespace dory::kafka
