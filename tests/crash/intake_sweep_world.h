// The sweep's world: a small segment, the sockets of each life, and the kafka worker played by hand.
//
// Owner: the sweep's process; a life is a fork of it, and shares segment, sockets and `Shared`.

#pragma once

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "common/config.h"
#include "common/crash_point.h"
#include "common/file_descriptor.h"
#include "intake_worker/final_drain.h"
#include "intake_worker/intake_lane.h"
#include "shm/books.h"
#include "shm/receipts.h"
#include "shm/report.h"
#include "shm/ring_reader.h"
#include "shm/segment.h"
#include "shm/store.h"
#include "tests/crash/intake_sweep_messages.h"
#include "tests/crash/sweep.h"

namespace dory::intake {

using crash::Die;
using shm::RegionKind;

inline constexpr uint32_t kSweepTopics = 3;  // rows; a fourth topic has none
inline constexpr size_t kSocketsOfLife = 2;
inline constexpr uint32_t kSweepLanes = 2;
inline constexpr uint32_t kSweepLane = 1;  // lives are of this one; the other one has to stay as it is
inline constexpr int64_t kReportIntervalMs = 86'400'000;  // no window begins but where a life says so

struct Life {
  bool dying;  // ends with the final drain; else by having read all
  int messages;
  int streams = 0;  // new connections
};

inline constexpr uint32_t kSweepConnections = 4;
inline constexpr uint64_t kLargeArea = 128 * 1024;
inline constexpr int32_t kSweepPartition = 7;

struct Scenario {
  std::string name;
  uint64_t ring_size;
  bool reject_when_full;
  uint32_t burst;
  std::vector<Life> lives;
  bool large = false;  // some messages of streams fill areas
  bool receipts = false;  // some of them ask for receipts
  bool users = false;  // they are sent by two, and each may not name one topic
};

// Fewer than what is asked for: some messages wait for others' receipts.
inline constexpr uint32_t kSweepTickets = 4;

struct Kept {
  uint32_t row;
  uint32_t ordinal;
  char identity[200];
};

struct Shared {
  std::atomic<unsigned long> recovered_at;  // passages of a life until it began to read sockets
  std::atomic<size_t> kept_count;
  std::array<Kept, 256> kept;
  std::atomic<bool> damaged;
  std::atomic<bool> overflowed;
  std::atomic<uint32_t> datagrams_taken;  // from sockets, over all lives; counted by intake_replay
  std::array<uint64_t, 16> rejected_at;  // by the number of a window of the report: when it was about to begin
  std::array<std::array<char, 1024>, kSweepConnections> receipts;  // that clients have read, back to back
  std::array<size_t, kSweepConnections> receipt_bytes;
  std::atomic<unsigned> sent_late;  // taken from a client by a socket that nobody will read any more
};

class World {
 public:
  explicit World(const Scenario& scenario) : scenario_(scenario) {
    folder_ = crash::MakeFolder(crash::ScratchFolder() + "/");
    const Result<int> fd = shm::CreateSegment(folder_, {.ring_size = scenario.ring_size,
                                                        .pool_size = shm::kBlockSize,
                                                        .lanes = kSweepLanes,
                                                        .max_topics = kSweepTopics,
                                                        .slot_size = kSweepSlotSize,
                                                        .connections = HasStreams() ? kSweepConnections : 0,
                                                        .areas = 2,
                                                        .large_areas = 1,
                                                        .large_area_size = kLargeArea,
                                                        .tickets = scenario.receipts ? kSweepTickets : 0});
    if (!fd.ok()) Die(fd.status().message());
    segment_fd_.Reset(fd.value());
    check_ = Map(shm::Role::kCheck);
    kafka_ = Map(shm::Role::kKafka);
    intake_ = Map(shm::Role::kIntake);
    other_lane_ = Map(shm::Role::kCheck, 0);
    other_before_ = CopyOtherLane();
    shared_ = static_cast<Shared*>(::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    TakeSnapshot();
  }

  virtual ~World() {
    std::filesystem::remove_all(folder_);
    ::munmap(shared_, sizeof(Shared));
  }

  // A new segment, no messages, no file.
  void Reset() {
    for (const auto& [kind, bytes] : snapshot_) {
      std::memcpy(intake_->WritableBytes(kind, IndexOf(kind)).data(), bytes.data(), bytes.size());
    }
    std::memset(kafka_->WritableBytes(RegionKind::kConsumer, kSweepLane).data(), 0, sizeof(shm::ConsumerPage));
    if (scenario_.receipts) std::ranges::fill(kafka_->WritableBytes(RegionKind::kOutcomes, kSweepLane), std::byte{});
    ::unlink(OverflowPath().c_str());
    shared_->kept_count = 0;
    shared_->damaged = false;
    shared_->overflowed = false;
    shared_->datagrams_taken = 0;
    shared_->sent_late = 0;
    shared_->rejected_at = {};
    shared_->receipt_bytes = {};
    sockets_.clear();
    streams_.clear();
    stream_clients_.clear();
    stream_numbers_.clear();
    clients_.clear();
    sent_.clear();
  }

  size_t life_count() const { return scenario_.lives.size(); }
  bool IsOverByKill(size_t life) const { return scenario_.lives[life].dying; }
  unsigned long recovered_at() const { return shared_->recovered_at; }

  // The next life's sockets, full of its messages.
  void BeginLife(size_t number) {
    const Life& life = scenario_.lives[number];
    for (size_t i = 0; i < kSocketsOfLife; ++i) {
      int fds[2];
      if (::socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) != 0) Die("socketpair");
      const FileDescriptor& client = clients_.emplace_back(fds[0]);
      sockets_.emplace_back(fds[1]);
      PassCredentials(fds[1], scenario_.users);
      sent_.push_back(ComposeFor(sent_.size(), static_cast<int>(i), life.messages));
      if (scenario_.users) SendAsUsers(&sent_.back());
      if (!SendDatagrams(client.get(), sent_.back())) Die("sendmsg");
    }
    SendTooMany();
    for (int i = 0; i < life.streams; ++i) BeginStream(life);
  }

  // In a child: one life of the intake, from its start to its end.
  void Live(size_t number) {
    const bool dying = scenario_.lives[number].dying;
    // Another address, as after an exec.
    ::mmap(nullptr, static_cast<size_t>(1 + ::getpid() % 61) << 16, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const std::unique_ptr<shm::Segment> segment = Map(shm::Role::kIntake);
    OnBirth(segment.get());
    IntakeLane lane(*segment, kSweepLane, config_, Settings(), doorbell_.get());
    lane.Recover();
    if (scenario_.reject_when_full) Consume(1);
    if (dying) Consume(4);  // of an earlier life: there is room, but the file is not read
    for (Outcome outcome = Outcome::kMore; outcome != Outcome::kEmpty && !dying;) {
      outcome = lane.PublishLeftovers();
      if (outcome == Outcome::kNoRoom) Consume(2);
    }
    shared_->recovered_at = CountCrashPoints();
    for (uint32_t i = 0; i < sockets_.size() && !dying; ++i) {
      ReadSocket(lane, i);
      if (i == 0) BeginWindow(lane);
    }
    const std::vector<StreamSocket> streams = TakeStreams(lane);
    if (!dying) GiveReceipts(lane);
    for (const StreamSocket& stream : streams) {
      if (!dying) ReadStream(lane, stream);
      if (!dying && IsLeft(stream.slot)) lane.receipts().Leave(stream.slot);
    }
    if (!dying) GiveReceipts(lane);
    if (!dying) return;
    std::vector<InputSocket> inputs;
    for (uint32_t i = 0; i < sockets_.size(); ++i) inputs.push_back({i, sockets_[i].get()});
    DrainFinally(lane, inputs, [&streams] { return streams; }, {.room_ms = 0, .tcp_linger_ms = 0});
    for (const FileDescriptor& client : clients_) {
      if (::send(client.get(), "late", 4, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) ++shared_->sent_late;
    }
  }

  // Plays the kafka worker: takes records, and keeps what they were.
  void Consume(size_t at_most) {
    const shm::RingReader reader(&Producer(), kafka_->Bytes(RegionKind::kRing, kSweepLane));
    auto& consumer = *kafka_->GetWritable<shm::ConsumerPage>(RegionKind::kConsumer, kSweepLane);
    for (size_t i = 0; i < at_most && consumer.head != reader.Tail(); ++i) {
      const shm::RingRecord record = reader.ReadAt(consumer.head, reader.Tail());
      if (record.verdict == shm::RingRecord::Verdict::kMessage) Keep(record);
      if (record.verdict == shm::RingRecord::Verdict::kDamaged) shared_->damaged = true;
      shm::Store(consumer.head, record.end);
    }
  }

  // Messages of each topic's row that are in the ring, or were.
  std::map<uint32_t, uint64_t> CountAppended() {
    std::map<uint32_t, uint64_t> counts;
    for (size_t i = 0; i < shared_->kept_count; ++i) ++counts[shared_->kept[i].row];
    const shm::RingReader reader(&Producer(), kafka_->Bytes(RegionKind::kRing, kSweepLane));
    uint64_t position = kafka_->Get<shm::ConsumerPage>(RegionKind::kConsumer, kSweepLane)->head;
    while (position != reader.Tail()) {
      const shm::RingRecord record = reader.ReadAt(position, reader.Tail());
      if (record.verdict == shm::RingRecord::Verdict::kMessage) ++counts[record.message.header.topic_row];
      position = record.end;
    }
    return counts;
  }

  // Whether the ring was lapped, room was missing, the file was written.
  std::string WasUsedAsMeant() const {
    if (scenario_.reject_when_full) return Books().RejectedFor(Reject::kNoRoom) > 0 ? "" : "room was not missing";
    if (scenario_.lives[0].dying) return shared_->overflowed ? "" : "the overflow file was not written";
    const bool lapped = Producer().tail > scenario_.ring_size;
    return lapped == (scenario_.ring_size < 4'096) ? "" : "laps";
  }

  // By intake_sweep_judge.h.
  std::string InspectAfterDeath();
  std::string JudgeAll();

  void EndLife() {
    if (Producer().overflow_in > 0) shared_->overflowed = true;
    for (size_t slot = 0; slot < stream_clients_.size(); ++slot) ReadReceipts(slot);
    stream_clients_.assign(stream_clients_.size(), -1);
    clients_.clear();
  }

  // Of the lane's intake, in regions that there are one a worker.
  static uint32_t IndexOf(RegionKind kind) {
    const bool per_worker = kind == RegionKind::kReport || kind == RegionKind::kWorkerPage;
    return per_worker ? shm::WorkerIndex(shm::Role::kIntake, kSweepLane) : kSweepLane;
  }

  bool OtherLaneIsAsItWas() const { return CopyOtherLane() == other_before_; }

  const Scenario& scenario() const { return scenario_; }
  const Shared& shared() const { return *shared_; }
  const shm::Segment& check() const { return *check_; }
  const std::vector<std::vector<Sent>>& sent() const { return sent_; }
  size_t stream_count() const { return streams_.size(); }
  // One connection is found to be gone before it is answered.
  static bool IsLeft(size_t slot) { return slot == 2; }
  // What was sent on the connection of that slot.
  const std::vector<Sent>& SentOnStream(size_t slot) const { return sent_[stream_numbers_[slot]]; }
  shm::Books Books() const { return shm::ReadBooks(*check_, kSweepLane); }
  const shm::ProducerPage& Producer() const { return *check_->Get<shm::ProducerPage>(RegionKind::kProducer, kSweepLane); }
  const shm::ReportPage& ReportPage() const { return *check_->Get<shm::ReportPage>(RegionKind::kReport, IndexOf(RegionKind::kReport)); }
  const shm::ReceiveSlots& Slots() const { return *check_->Get<shm::ReceiveSlots>(RegionKind::kReceive, kSweepLane); }
  std::span<const shm::Connection> Connections() const {
    if (!HasStreams()) return {};
    return {check_->Get<shm::Connection>(RegionKind::kConnections, kSweepLane), kSweepConnections};
  }
  std::span<const shm::Ticket> Tickets() const {
    if (!scenario_.receipts) return {};
    return {reinterpret_cast<const shm::Ticket*>(check_->Get<shm::Tickets>(RegionKind::kTickets, kSweepLane) + 1), kSweepTickets};
  }
  const shm::IntakeBooks& RawBooks() const { return *check_->Get<shm::IntakeBooks>(RegionKind::kIntakeBooks, kSweepLane); }
  std::string OverflowPath() const { return folder_ + "/overflow.1"; }

 protected:
  // A life has mapped the segment, and has not begun.
  virtual void OnBirth(shm::Segment*) {}

  shm::Segment& intake() { return *intake_; }
  Shared& shared_with_lives() { return *shared_; }
  void ForgetKept(size_t behind) { shared_->kept_count = behind; }
  shm::Segment& kafka() { return *kafka_; }

  // A start in this process, up to where sockets would be read.
  Outcome Start() {
    IntakeLane lane(*intake_, kSweepLane, config_, Settings(), doorbell_.get());
    lane.Recover();
    Outcome outcome = Outcome::kMore;
    while (outcome == Outcome::kMore) outcome = lane.PublishLeftovers();
    lane.receipts().AnswerSettled();
    for (uint32_t slot = 0; slot < lane.streams().size(); ++slot) {
      if (lane.streams().IsHeld(slot) && outcome == Outcome::kEmpty) outcome = Outcome::kNoReceipt;
    }
    return outcome;
  }

 private:
  std::vector<std::byte> CopyOtherLane() const {
    std::vector<std::byte> all;
    for (const RegionKind kind : {RegionKind::kIntakeBooks, RegionKind::kProducer, RegionKind::kRing}) {
      const ByteSpan bytes = other_lane_->Bytes(kind, 0);
      all.insert(all.end(), bytes.begin(), bytes.end());
    }
    return all;
  }

  uint32_t UserOfStream(size_t slot) const {
    return scenario_.users ? kFirstUser + static_cast<uint32_t>(slot % 2) : kNoUid;
  }

  // The first socket takes one message that fills it, and refuses the next, which must not arrive then.
  void SendTooMany() {
    const size_t socket = sent_.size() - kSocketsOfLife;
    const int client = clients_[clients_.size() - kSocketsOfLife].get();
    const int least = 0;
    if (::setsockopt(client, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)) != 0) Die("SO_SNDBUF");
    int room = 0;
    socklen_t size = sizeof(room);
    if (::getsockopt(client, SOL_SOCKET, SO_SNDBUF, &room, &size) != 0) Die("SO_SNDBUF");
    const Sent& last = sent_[socket].emplace_back(Filling(static_cast<size_t>(room) - kDatagramOverhead));
    if (::send(client, last.bytes.data(), last.bytes.size(), MSG_DONTWAIT) < 0) Die("send");
    const Sent refused = Good(socket, static_cast<int>(sent_[socket].size()), "t0");
    if (::send(client, refused.bytes.data(), refused.bytes.size(), MSG_DONTWAIT) >= 0 || errno != EAGAIN) Die("not EAGAIN");
  }

  bool HasStreams() const {
    return std::any_of(scenario_.lives.begin(), scenario_.lives.end(), [](const Life& life) { return life.streams > 0; });
  }

  // A connection whose client sends all at once, and then ends it; in a dying life it stays.
  void BeginStream(const Life& life) {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0) Die("socketpair");
    const FileDescriptor& client = clients_.emplace_back(fds[0]);
    streams_.emplace_back(fds[1]);
    stream_clients_.push_back(client.get());
    const auto end = static_cast<StreamEnd>(streams_.size() % 3);  // one of each
    stream_numbers_.push_back(sent_.size());
    sent_.push_back(ComposeStream(sent_.size(), life.messages, scenario_.large, scenario_.receipts, end));
    if (scenario_.users) SendAsUsers(&sent_.back(), UserOfStream(streams_.size() - 1));
    std::string bytes;
    for (const Sent& message : sent_.back()) bytes += message.bytes;
    if (::send(client.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) Die("send");
    if (!life.dying) ::shutdown(client.get(), SHUT_WR);
  }

  // As the supervisor hands them over to each life. Slot and generation follow from the number.
  std::vector<StreamSocket> TakeStreams(IntakeLane& lane) {
    std::vector<StreamSocket> taken;
    for (uint32_t slot = 0; slot < streams_.size(); ++slot) {
      const bool is_new = !lane.streams().Knows(slot, slot + 1);
      if (is_new && !lane.streams().Open(slot, slot + 1, {.input = kSocketsOfLife, .limit = kLargeArea, .uid = UserOfStream(slot)})) {
        Die("no room for what is left");
      }
      if (!lane.streams().HasEnded(slot)) taken.push_back({slot, streams_[slot].get(), false});
    }
    return taken;
  }

  void ReadStream(IntakeLane& lane, const StreamSocket& stream) {
    for (;;) {
      switch (lane.streams().Receive(stream.slot, stream.fd).outcome) {
        case Outcome::kMore:
        case Outcome::kEmpty: break;
        case Outcome::kNoArea: Die("no area");
        case Outcome::kEnd: return lane.streams().End(stream.slot);
        case Outcome::kNoReceipt:
          GiveReceipts(lane);
          if (lane.streams().HasEnded(stream.slot)) return;
          break;
        case Outcome::kNoRoom:
          while (lane.PublishLeftovers() != Outcome::kEmpty) Consume(2);
      }
    }
  }

  // Until nobody waits for one.
  void GiveReceipts(IntakeLane& lane) {
    const auto is_held = [&lane](uint32_t slot) { return lane.streams().IsHeld(slot); };
    std::vector<uint32_t> slots(streams_.size());
    std::iota(slots.begin(), slots.end(), 0);
    do {
      Consume(SIZE_MAX);
      lane.receipts().AnswerSettled();
      for (const uint32_t slot : lane.receipts().TakeReady()) {
        if (lane.receipts().Send(slot, streams_[slot].get()) == Outcome::kEnd) lane.receipts().Leave(slot);
      }
      lane.streams().PublishHeld();
      while (lane.PublishLeftovers() != Outcome::kEmpty) Consume(2);
    } while (lane.receipts().AreAnyOpen() || lane.receipts().AreAnyReady() || std::ranges::any_of(slots, is_held));
  }

  // What the connection's client has been sent.
  void ReadReceipts(size_t slot) {
    if (stream_clients_[slot] < 0) return;
    auto& all = shared_->receipts[slot];
    size_t& size = shared_->receipt_bytes[slot];
    const ssize_t read = ::recv(stream_clients_[slot], all.data() + size, all.size() - size, MSG_DONTWAIT);
    if (read > 0) size += static_cast<size_t>(read);
  }

  // The kafka worker's: acknowledged at its ordinal.
  void SettleTicket(const shm::RingRecord& record) {
    const uint64_t ticket = record.message.header.ticket;
    if (ticket == 0) return;
    shm::Outcome& outcome = kafka_->GetWritable<shm::Outcome>(RegionKind::kOutcomes, kSweepLane)[ticket % kSweepTickets];
    shm::Store(outcome.place_number, ticket);
    shm::Store(outcome.code, shm::kDeliveredCode);
    shm::Store(outcome.partition, kSweepPartition);
    shm::Store(outcome.offset, record.ordinal);
    shm::Store(outcome.number, ticket);
  }

  // The next window of the discard report.
  void BeginWindow(IntakeLane& lane) {
    const uint64_t number = ReportPage().number;
    shared_->rejected_at.at(number + 1) = Books().Rejected();
    const int64_t begin_ns = ReportPage().windows[number % shm::kReportWindows].begin_ns;
    lane.RollReport(begin_ns + kReportIntervalMs * 1'000'000);
  }

  Config MakeConfig() const {
    const std::string clients = scenario_.users ? kClients : "";
    Config config = ParseConfigText("[kafka]\nbrokers = 127.0.0.1:9092\n[input:a]\ntype = unix_datagram\npath = /a\n"
                                    "[input:b]\ntype = unix_datagram\npath = /b\n"
                                    "[input:c]\ntype = unix_stream\npath = /c\n" + clients, "sweep").Take();
    config.report_interval_ms = kReportIntervalMs;
    return config;
  }

  void TakeSnapshot() {
    std::vector<RegionKind> kinds = {RegionKind::kIntakeBooks, RegionKind::kReceive, RegionKind::kProducer,
                                     RegionKind::kRing, RegionKind::kWorkerPage, RegionKind::kReport};
    if (HasStreams()) kinds.push_back(RegionKind::kConnections);
    if (scenario_.receipts) kinds.push_back(RegionKind::kTickets);
    for (const RegionKind kind : kinds) {
      const ByteSpan bytes = intake_->Bytes(kind, IndexOf(kind));
      snapshot_[kind].assign(bytes.begin(), bytes.end());
    }
  }

  std::unique_ptr<shm::Segment> Map(shm::Role role, uint32_t lane = kSweepLane) const {
    Result<shm::Segment> segment = shm::Segment::Map(segment_fd_.get(), role, lane);
    if (!segment.ok()) Die(segment.status().message());
    return std::make_unique<shm::Segment>(segment.Take());
  }

  LaneSettings Settings() const {
    LaneSettings settings;
    settings.limits.assign(sockets_.size(), kSweepSlotSize);
    settings.reject_when_full = scenario_.reject_when_full;
    settings.overflow_path = OverflowPath();
    settings.burst = scenario_.burst;
    return settings;
  }

  void ReadSocket(IntakeLane& lane, uint32_t index) {
    for (;;) {
      const Outcome outcome = lane.ReceiveOnce(index, sockets_[index].get());
      if (outcome == Outcome::kEmpty) return;
      if (outcome == Outcome::kNoRoom) Consume(2);
    }
  }

  void Keep(const shm::RingRecord& record) {
    Kept& kept = shared_->kept.at(shared_->kept_count);
    kept.row = record.message.header.topic_row;
    kept.ordinal = record.ordinal;
    const std::string identity = IdentityOf(record.message);
    std::memcpy(kept.identity, identity.c_str(), identity.size() + 1);
    ++shared_->kept_count;
    SettleTicket(record);
  }

  const Scenario& scenario_;
  Config config_ = MakeConfig();
  std::string folder_;
  FileDescriptor segment_fd_;
  FileDescriptor doorbell_{::eventfd(0, EFD_NONBLOCK)};
  std::unique_ptr<shm::Segment> check_;
  std::unique_ptr<shm::Segment> kafka_;
  std::unique_ptr<shm::Segment> intake_;
  std::map<RegionKind, std::vector<std::byte>> snapshot_;
  std::unique_ptr<shm::Segment> other_lane_;
  std::vector<std::byte> other_before_;
  Shared* shared_;
  std::vector<FileDescriptor> sockets_;
  std::vector<FileDescriptor> streams_;  // of all lives, by slot
  std::vector<size_t> stream_numbers_;   // of them, in sent_
  std::vector<int> stream_clients_;      // of them; -1: gone
  std::vector<FileDescriptor> clients_;  // of this life: the other ends
  std::vector<std::vector<Sent>> sent_;  // by socket
};

}  // namespace dory::intake
