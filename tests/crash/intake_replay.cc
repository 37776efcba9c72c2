// intake_replay: a start of the intake after each single store of a life, and after each single store of
// that start; as kafka_replay does it for the kafka worker.
//
// The kernel's stores in recvmmsg are one, or two where they are in two regions: a SIGKILL acts when the call is
// done. At each store the segment is sound; a start, up to where it would read sockets, leaves every message that
// was taken from a socket decided once, or in its slot or area where the ring has no room, and the books say so.
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
#include "intake_worker/assemble.h"
#include "shm/soundness.h"
#include "shm/stream_area.h"
#include "tests/crash/intake_sweep_judge.h"
#include "tests/crash/intake_sweep_scenarios.h"
#include "tests/crash/intake_sweep_world.h"
#include "tests/crash/replay.h"
#include "tests/crash/sweep_jobs.h"

namespace dory::intake {
namespace {

using crash::Job;
using crash::StoreLog;

constexpr RegionKind kIntakeRegions[] = {RegionKind::kIntakeBooks, RegionKind::kReceive,    RegionKind::kProducer,
                                         RegionKind::kRing,        RegionKind::kWorkerPage, RegionKind::kConnections,
                                         RegionKind::kAreas,       RegionKind::kTickets};
constexpr size_t kWithoutStreams = 5;
constexpr size_t kWithoutReceipts = 7;

class Recorder final : public World {
 public:
  explicit Recorder(const Scenario& scenario) : World(scenario) {}

  // What the kernel does for a life; the log's mark is how many messages have left the sockets.
  int ReceiveFor(int fd, mmsghdr* messages, unsigned count, int flags) {
    const std::span<std::byte> connections = watched_connections_;
    auto* const at = reinterpret_cast<std::byte*>(messages);
    const bool of_stream = at >= connections.data() && at < connections.data() + connections.size();
    return of_stream ? ReceiveStream(fd, messages, flags) : ReceiveDatagrams(fd, messages, count, flags);
  }

  // The kernel's word of what it has taken.
  int SendFor(int fd, mmsghdr* message, int flags) {
    log_.BeginForeign(RegionKind::kConnections, std::as_writable_bytes(std::span(&message->msg_len, 1)));
    const auto sent = static_cast<int>(::syscall(SYS_sendmmsg, fd, message, 1, flags));
    log_.EndForeign(RegionKind::kConnections);
    return sent;
  }

  const StoreLog& log() const { return log_; }
  std::span<const RegionKind> StartWrites() const {
    if (Connections().empty()) return std::span(kIntakeRegions).first(kWithoutStreams);
    return std::span(kIntakeRegions).first(Tickets().empty() ? kWithoutReceipts : std::size(kIntakeRegions));
  }

  // The pointers of slots and connections are written anew by each start.
  bool EndsStep(const crash::StoreEntry& store) const {
    if (store.region == RegionKind::kWorkerPage || store.region == RegionKind::kAreas) return false;
    if (store.region == RegionKind::kTickets) return store.offset < shm::AnswerAreaOffset(check().geometry(), 0);
    if (store.region == RegionKind::kConnections) {
      const size_t within = store.offset % sizeof(shm::Connection);
      const bool is_position = within >= offsetof(shm::Connection, send_base) && within < offsetof(shm::Connection, answer);
      return within < offsetof(shm::Connection, message) || is_position ||
             within == offsetof(shm::Connection, message) + offsetof(mmsghdr, msg_len) ||
             within == offsetof(shm::Connection, answer) + offsetof(mmsghdr, msg_len);
    }
    if (store.region != RegionKind::kReceive || store.size > sizeof(uint64_t)) return true;
    const size_t first = offsetof(shm::ReceiveSlots, messages);
    if (store.offset < first) return true;
    const size_t within = (store.offset - first) % sizeof(mmsghdr);
    const bool is_message = store.offset < offsetof(shm::ReceiveSlots, buffers);
    return is_message && (within == offsetof(mmsghdr, msg_len) || within == offsetof(msghdr, msg_flags));
  }

  std::span<std::byte> BytesOf(RegionKind region) {
    const bool of_kafka = region == RegionKind::kConsumer || region == RegionKind::kOutcomes;
    return (of_kafka ? kafka() : intake()).WritableBytes(region, IndexOf(region));
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

  std::string Inspect() const { return shm::CheckSound(check(), kSweepLane).message(); }
  void Remember() {}
  void Start() { outcome_ = World::Start(); }

  std::string JudgeStart(size_t store) {
    const std::string sound = Inspect();
    if (!sound.empty()) return sound;
    const shm::Books books = Books();
    const uint64_t waiting = CountSlots() + CountInAreas();
    const bool may_wait = outcome_ == Outcome::kNoRoom || outcome_ == Outcome::kNoReceipt;
    if (waiting > 0 && !may_wait) return "a start has left messages in slots or areas";
    const uint64_t taken = log_[store == 0 ? 0 : store - 1].mark;  // of the store to come it may be the kernel's
    // An end inside a message is decided by whoever sees it, and a start does not.
    const uint64_t cut_off = books.RejectedFor(Reject::kUncleanUnix);
    if (books.Received() - cut_off + waiting != taken) {
      return "received " + std::to_string(books.Received()) + " and " + std::to_string(waiting) + " in slots are not " +
             std::to_string(taken) + " taken";
    }
    const std::string problem = JudgeReceipts();
    return problem.empty() ? JudgeRing(books) : problem;
  }

 protected:
  void OnBirth(shm::Segment* segment) override {
    log_.Clear();
    log_.SetMark(CountTaken());
    for (const RegionKind region : StartWrites()) log_.Watch(region, segment->WritableBytes(region, IndexOf(region)), true);
    watched_connections_ = {};
    if (!Connections().empty()) watched_connections_ = segment->WritableBytes(RegionKind::kConnections, kSweepLane);
    log_.Watch(RegionKind::kConsumer, kafka().WritableBytes(RegionKind::kConsumer, kSweepLane), false);
    if (!Tickets().empty()) log_.Watch(RegionKind::kOutcomes, kafka().WritableBytes(RegionKind::kOutcomes, kSweepLane), false);
  }

 private:
  shm::ConsumerPage& Consumer() { return *kafka().GetWritable<shm::ConsumerPage>(RegionKind::kConsumer, kSweepLane); }

  uint64_t CountSlots() const {
    return static_cast<uint64_t>(std::count_if(std::begin(Slots().messages), std::end(Slots().messages),
                                               [](const mmsghdr& message) { return message.msg_len != shm::kEmptySlot; }));
  }

  int ReceiveDatagrams(int fd, mmsghdr* messages, unsigned count, int flags) {
    log_.BeginForeign(RegionKind::kReceive);
    const auto received = static_cast<int>(::syscall(SYS_recvmmsg, fd, messages, count, flags, nullptr));
    if (received > 0) shared_with_lives().datagrams_taken += static_cast<uint32_t>(received);
    log_.SetMark(CountTaken());
    log_.EndForeign(RegionKind::kReceive);
    return received;
  }

  // The bytes first, as the kernel does: before msg_len they are nobody's.
  int ReceiveStream(int fd, mmsghdr* message, int flags) {
    const iovec buffer = message->msg_hdr.msg_iov[0];
    std::vector<std::byte> bytes(buffer.iov_len);
    const iovec copied = {bytes.data(), bytes.size()};
    mmsghdr copy = *message;
    copy.msg_hdr.msg_iov = const_cast<iovec*>(&copied);
    const auto received = static_cast<int>(::syscall(SYS_recvmmsg, fd, &copy, 1, flags, nullptr));
    if (received <= 0) return received;
    const std::span<std::byte> area(static_cast<std::byte*>(buffer.iov_base), std::max<size_t>(1, copy.msg_len));
    log_.BeginForeign(RegionKind::kAreas, area);
    std::memcpy(area.data(), bytes.data(), copy.msg_len);
    log_.EndForeign(RegionKind::kAreas);
    const auto at = std::as_writable_bytes(std::span(&message->msg_len, 1));
    log_.BeginForeign(RegionKind::kConnections, at);
    message->msg_len = copy.msg_len;
    log_.SetMark(CountTaken());
    log_.EndForeign(RegionKind::kConnections);
    return received;
  }

  // Messages that have left the sockets, whole; of streams by how many bytes have, a Size that is none among them.
  uint32_t CountTaken() const {
    uint32_t taken = shared().datagrams_taken;
    const std::span<const shm::Connection> connections = Connections();
    for (size_t slot = 0; slot < connections.size(); ++slot) {
      if (connections[slot].generation == 0) continue;
      uint64_t bytes = shm::FindReceived(connections[slot]).in;
      for (const Sent& message : SentOnStream(slot)) {
        const bool is_size = message.fate == Reject::kMalformed && message.bytes == NoSize().bytes;
        if (bytes < (is_size ? sizeof(int32_t) : message.bytes.size())) break;
        if (message.fate != Reject::kUncleanUnix) ++taken;
        bytes -= message.bytes.size();
      }
    }
    return taken;
  }

  // Whole messages that lie in areas.
  uint64_t CountInAreas() const {
    uint64_t count = 0;
    const std::span<const shm::Connection> connections = Connections();
    for (const shm::Connection& connection : connections) {
      if (connection.in == connection.out) continue;
      const shm::AreaBinding& binding = connection.binding[connection.current & 1];
      const uint64_t offset = shm::AreaOffset(check().geometry(), binding.area);
      const ByteSpan bytes = check().Bytes(RegionKind::kAreas, kSweepLane).subspan(offset + connection.out - binding.base,
                                                                         connection.in - connection.out);
      std::array<ByteSpan, 64> whole;
      const Assembled found = Assemble(bytes, connection.limit, whole);
      count += found.count + (found.fault ? 1 : 0);
    }
    return count;
  }

  // What a connection's client has been sent by now, and what is to be sent to it.
  std::string AnswersOf(size_t slot) const {
    const shm::Connection& connection = Connections()[slot];
    std::string bytes(shared().receipts[slot].data(), connection.sent);
    if (connection.answer_area == 0) return bytes;
    const uint64_t area = shm::AnswerAreaOffset(check().geometry(), connection.answer_area - 1);
    const ByteSpan all = check().Bytes(RegionKind::kTickets, kSweepLane).subspan(area, shm::kAnswerRoom);
    for (uint64_t at = connection.sent; at < connection.put; ++at) {
      bytes += static_cast<char>(all[(at - connection.answer_base) % shm::kAnswerRoom]);
    }
    return bytes;
  }

  // Each decided message that asks has an open ticket, or its receipt, once; others have neither.
  std::string JudgeReceipts() const {
    if (Tickets().empty()) return "";
    for (size_t slot = 0; slot < stream_count(); ++slot) {
      const shm::Connection& connection = Connections()[slot];
      const std::string bytes = AnswersOf(slot);
      if (bytes.size() % shm::kAnswerSize != 0) return "a receipt is torn";
      std::map<int64_t, int> found;
      for (size_t at = 0; at < bytes.size(); at += shm::kAnswerSize) {
        ++found[LoadBigEndian<int64_t>(AsBytes(bytes).data() + at + sizeof(int32_t))];
      }
      for (const shm::Ticket& ticket : Tickets()) {
        const bool is_of_it = ticket.connection == slot && ticket.generation == connection.generation;
        if (is_of_it && ticket.done != ticket.number) ++found[ticket.id];
      }
      uint64_t end = 0;
      for (const Sent& message : SentOnStream(slot)) {
        end += message.bytes.size();
        if (!message.receipt_id) continue;
        const int count = found[*message.receipt_id];
        const bool is_decided = connection.generation > 0 && end <= connection.out;
        if (count > 1 || (count > 0 && !is_decided)) return "a receipt more than was asked for";
        if (is_decided && count == 0 && !IsLeft(slot)) return "a receipt is missing";
      }
    }
    return "";
  }

  // Each message once, and as many of each topic as the books say.
  std::string JudgeRing(const shm::Books& books) {
    std::map<uint32_t, uint64_t> counts;
    std::set<std::string> values;
    uint64_t position = kafka().Get<shm::ConsumerPage>(RegionKind::kConsumer, kSweepLane)->head;
    const shm::RingReader reader(&Producer(), kafka().Bytes(RegionKind::kRing, kSweepLane));
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
  std::span<std::byte> watched_connections_;  // of the life
  Outcome outcome_ = Outcome::kEmpty;
};

constexpr unsigned long kKillEvery = 2;  // passages of a life whose successor is replayed

Recorder* recording = nullptr;  // in this process: a job's, and the lives forked from it

void RunJob(const Job& job, crash::Tally* tally) {
  Recorder recorder(kScenarios.at(job.scenario));
  recording = &recorder;
  crash::ReplayLives(recorder, kKillEvery * job.stride, tally);
}

// Those whose lives leave no file beside the segment. What fills large areas has too many bytes for the log.
int RunScenarios(unsigned long stride) {
  std::vector<Job> jobs;
  for (size_t i = 0; i < kScenarios.size(); ++i) {
    const unsigned long sparser = kScenarios[i].receipts ? 3 : 1;  // its lives are the longest
    if (!kScenarios[i].lives[0].dying && !kScenarios[i].large) jobs.push_back({kScenarios[i].name, i, "", stride * sparser});
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
          {"", 5, "read_base before msg_len"},
          {"", 9, "not answered before put"},
          {"", 9, "send_base before msg_len"},
          {"", 11, "senders forgotten at a start"},
      },
      RunJob);
}

}  // namespace
}  // namespace dory::intake

// What the intake finds instead of the system's.
extern "C" int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec*) {
  return dory::intake::recording->ReceiveFor(fd, messages, count, flags);
}

extern "C" int sendmmsg(int fd, mmsghdr* messages, unsigned, int flags) {
  return dory::intake::recording->SendFor(fd, messages, flags);
}

int main(int argc, char** argv) {
  const dory::Status status = dory::OpenLog("intake_replay", "stderr", dory::LogLevel::kError);
  if (!status.ok()) return 2;
  const bool mutants = argc > 1 && std::strcmp(argv[1], "--mutants") == 0;
  return mutants ? dory::intake::RunMutants() : dory::intake::RunScenarios(dory::crash::ReadStride(argc, argv));
}
