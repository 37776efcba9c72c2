// The sweep's judge: every message once and in order, or rejected, and books that say so.

#pragma once

#include <cstdio>
#include <filesystem>
#include <map>
#include <string>

#include "shm/soundness.h"
#include "tests/crash/intake_sweep_world.h"

namespace dory::intake {

class Judge {
 public:
  explicit Judge(World& world) : world_(world), books_(world.Books()) {}

  // What a reader of the books may ask at any instant. Empty: nothing is wrong.
  std::string InspectAfterDeath() {
    for (const auto& [row, count] : world_.CountAppended()) {
      if (books_.topics.at(row).appended != count) return "a reader's books: appended";
    }
    if (books_.Appended() != Sum(world_.CountAppended())) return "a reader's books: all appended";
    const std::string problem = JudgeReport();
    return problem.empty() ? shm::CheckSound(world_.check(), kSweepLane).message() : problem;
  }

  std::string JudgeAll() {
    world_.Consume(SIZE_MAX);
    if (world_.shared().damaged) return "damaged record";
    if (world_.shared().sent_late > 0) return "lost: a socket took it after its final drain";
    std::string problem = JudgeOrder();
    if (problem.empty()) problem = JudgeFates();
    if (problem.empty()) problem = JudgeReceipts();
    if (problem.empty()) problem = JudgeBooks();
    if (problem.empty()) problem = JudgeReport();
    if (problem.empty()) problem = JudgeSegment();
    return problem;
  }

 private:
  static uint64_t Sum(const std::map<uint32_t, uint64_t>& counts) {
    uint64_t sum = 0;
    for (const auto& [row, count] : counts) sum += count;
    return sum;
  }

  std::string JudgeOrder() {
    std::map<int, int> last;
    for (size_t i = 0; i < world_.shared().kept_count; ++i) {
      const Kept& kept = world_.shared().kept[i];
      int socket = 0;
      int number = 0;
      if (std::sscanf(kept.identity, "%d:%d:", &socket, &number) != 2) return "a value that nobody sent";
      if (kept.ordinal != i) return "ordinals";
      const auto [at, fresh] = last.emplace(socket, number);
      if (!fresh && number <= at->second) return "order, or doubled: " + std::string(kept.identity);
      at->second = number;
      ++kept_[kept.identity];
      ordinals_[kept.identity] = kept.ordinal;
      ++kept_of_topic_[books_.topics.at(kept.row).name];
    }
    return "";
  }

  std::string JudgeFates() {
    for (const std::vector<Sent>& messages : world_.sent()) {
      for (const Sent& message : messages) {
        const uint64_t kept = kept_.contains(message.identity) ? kept_[message.identity] : 0;
        if (message.fate) {
          ++rejected_[*message.fate];
        } else if (kept == 0 && (message.may_be_rejected || world_.scenario().reject_when_full)) {
          ++missing_;
        } else if (kept != 1) {
          return (kept == 0 ? "lost: " : "doubled: ") + message.identity.substr(0, 10);
        }
      }
    }
    return "";
  }

  // Each one that was asked for once, whole, and true. What a final drain takes asks for none.
  std::string JudgeReceipts() {
    for (size_t slot = 0; slot < world_.stream_count(); ++slot) {
      const bool may_be_missing = world_.scenario().lives[0].dying || World::IsLeft(slot);
      const ByteSpan bytes = AsBytes(std::string_view(world_.shared().receipts[slot].data(), world_.shared().receipt_bytes[slot]));
      if (bytes.size() % shm::kAnswerSize != 0) return "a receipt is torn";
      std::map<int64_t, int> given;
      for (ByteReader reader(bytes); reader.remaining() > 0;) {
        if (reader.Read<int32_t>() != static_cast<int32_t>(shm::kAnswerSize)) return "a receipt's size";
        const auto id = reader.Read<int64_t>();
        const auto code = reader.Read<int16_t>();
        const auto partition = reader.Read<int32_t>();
        const auto offset = reader.Read<int64_t>();
        const std::vector<Sent>& sent = world_.SentOnStream(slot);
        const auto message = std::ranges::find_if(sent, [id](const Sent& one) { return one.receipt_id == id; });
        if (message == sent.end()) return "a receipt that nobody asked for";
        if (!IsTrue(*message, code, partition, offset)) return "a receipt is wrong";
        if (++given[id] > 1) return "a receipt is given twice";
      }
      for (const Sent& message : world_.SentOnStream(slot)) {
        if (message.receipt_id && !given.contains(*message.receipt_id) && !may_be_missing) return "a receipt is missing";
      }
    }
    return "";
  }

  bool IsTrue(const Sent& message, int16_t code, int32_t partition, int64_t offset) {
    if (kept_.contains(message.identity)) {
      return code == shm::kDeliveredCode && partition == kSweepPartition && offset == ordinals_[message.identity];
    }
    if (partition != -1 || offset != -1) return false;
    if (message.fate) return code == shm::CodeOf(*message.fate);
    return code == shm::CodeOf(Reject::kTooManyTopics) || code == shm::CodeOf(Reject::kNoRoom);
  }

  std::string JudgeBooks() {
    for (const shm::TopicBooks& topic : books_.topics) {
      if (topic.appended != kept_of_topic_[topic.name]) return "books: appended of " + topic.name;
    }
    for (const Reject reason : {Reject::kMalformed, Reject::kUnsupportedVersion, Reject::kBadTopic, Reject::kTooLong,
                                Reject::kNotAllowed, Reject::kUncleanUnix}) {
      if (books_.RejectedFor(reason) != rejected_[reason]) return std::string("books: ") + shm::NameOf(reason);
    }
    const uint64_t no_room = books_.RejectedFor(Reject::kNoRoom);
    if (books_.RejectedFor(Reject::kTooManyTopics) + no_room != missing_) return "books: without room or row";
    if (no_room > 0 && !world_.scenario().reject_when_full) return "rejected though it was to wait";
    uint64_t tallied = 0;
    for (const shm::VersionTally& tally : world_.RawBooks().unsupported_versions) tallied += tally.count;
    if (tallied != rejected_[Reject::kUnsupportedVersion]) return "books: tallies of versions";
    uint64_t sent = 0;
    for (const std::vector<Sent>& messages : world_.sent()) sent += messages.size();
    return books_.Received() == sent ? "" : "books: received";
  }

  // Windows have what was counted in them, and beside it nothing but what messages had that were rejected.
  std::string JudgeReport() const {
    const shm::WorkerReport report = shm::ReadReport(world_.check(), shm::Role::kIntake, kSweepLane);
    uint64_t number = world_.ReportPage().number;
    for (const shm::WindowView& window : report) {
      if (SumBase(window) != world_.shared().rejected_at.at(number--)) return "report: the base of a window";
      for (size_t kind = 0; kind < shm::kPrefixKinds; ++kind) {
        for (const std::string& prefix : window.prefixes[kind]) {
          if (!WasSent(static_cast<shm::PrefixKind>(kind), prefix)) return "report: a prefix that nobody sent";
        }
      }
      for (const shm::ReportSpan& span : window.spans) {
        const int64_t sent_ms = ClientMessage{}.timestamp_ms;
        if (span.first_ms != sent_ms || span.last_ms != sent_ms) return "report: a timestamp that nobody sent";
      }
    }
    return "";
  }

  static uint64_t SumBase(const shm::WindowView& window) {
    uint64_t sum = 0;
    for (const uint64_t count : window.no_topic_base) sum += count;
    for (const shm::ReportCounters& row : window.base) {
      for (const uint64_t count : row) sum += count;
    }
    return sum;
  }

  // How a message begins; of a stream what lies behind it may follow.
  bool WasSent(shm::PrefixKind kind, const std::string& prefix) const {
    static const std::map<shm::PrefixKind, Reject> kFates = {{shm::PrefixKind::kMalformed, Reject::kMalformed},
                                                             {shm::PrefixKind::kTooLong, Reject::kTooLong},
                                                             {shm::PrefixKind::kUncleanUnix, Reject::kUncleanUnix}};
    if (kind == shm::PrefixKind::kBadTopic) return prefix == "no topic";
    for (const std::vector<Sent>& messages : world_.sent()) {
      for (const Sent& message : messages) {
        if (message.fate != kFates.at(kind)) continue;
        if (message.bytes.empty() ? prefix.empty() : prefix.starts_with(message.bytes)) return true;
        if (!prefix.empty() && message.bytes.starts_with(prefix)) return true;
      }
    }
    return false;
  }

  std::string JudgeSegment() const {
    if (!world_.OtherLaneIsAsItWas()) return "another lane was written to";
    const shm::ProducerPage& producer = world_.Producer();
    if (producer.stage.base != producer.tail || producer.stage.decided != 0) return "a burst is half finished";
    for (const mmsghdr& message : world_.Slots().messages) {
      if (message.msg_len != shm::kEmptySlot) return "a slot is not empty";
    }
    for (const shm::Connection& connection : world_.Connections()) {
      if (connection.in != connection.out) return "bytes of a connection are left";
      if (connection.message.msg_len != shm::kEmptySlot && connection.generation > 0) return "a read is not noted";
    }
    for (const shm::Ticket& ticket : world_.Tickets()) {
      if (ticket.done != ticket.number) return "a ticket is open";
    }
    for (const shm::Connection& connection : world_.Connections()) {
      if (connection.answer_area != 0) return "an answer area is taken";
    }
    if (producer.overflow_in != 0 || producer.overflow_out != 0) return "overflow positions";
    return std::filesystem::exists(world_.OverflowPath()) ? "the overflow file is left" : "";
  }

  World& world_;
  const shm::Books books_;
  std::map<std::string, uint64_t> kept_;
  std::map<std::string, int64_t> ordinals_;
  std::map<std::string, uint64_t> kept_of_topic_;
  std::map<Reject, uint64_t> rejected_;
  uint64_t missing_ = 0;
};

inline std::string World::InspectAfterDeath() { return Judge(*this).InspectAfterDeath(); }
inline std::string World::JudgeAll() { return Judge(*this).JudgeAll(); }

}  // namespace dory::intake
