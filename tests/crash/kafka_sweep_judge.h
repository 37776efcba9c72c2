// The kafka worker's judge: every message in the log once and in order, or discarded for what the script
// says, and books that say so.

#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "shm/check_buffer.h"
#include "shm/report_writer.h"
#include "shm/soundness.h"
#include "tests/crash/kafka_sweep_receipts.h"
#include "tests/crash/kafka_sweep_world.h"

namespace dory::kafka {

using shm::Discard;

class Judge {
 public:
  explicit Judge(World& world) : world_(world), script_(world.scenario()) {}

  // Of what a kill left. Empty: nothing is wrong.
  std::string InspectAfterDeath() {
    std::string problem = CheckBooks(nullptr);
    if (problem.empty()) problem = CheckOffsets();
    if (problem.empty()) problem = ReceiptJudge(world_).InspectAfterDeath();
    if (problem.empty()) problem = JudgeReport();
    return problem.empty() ? shm::CheckSound(world_.check(), 0).message() : problem;
  }

  std::string JudgeAll() {
    if (world_.shared().brokers.violation[0] != '\0') return world_.shared().brokers.violation;
    std::string problem = JudgeLogs();
    if (problem.empty()) problem = JudgeFates();
    if (problem.empty()) problem = JudgeBooks();
    if (problem.empty()) problem = JudgeReport();
    if (problem.empty()) problem = ReceiptJudge(world_).JudgeAll();
    return problem;
  }

 private:
  // Counts what is buffered, and holds it against the books.
  std::string CheckBooks(shm::BufferCheck* found) {
    const shm::BufferCheck check = shm::CheckBuffer(world_.check(), 0);
    for (const std::string& finding : check.findings) {
      const bool is_planned = (finding.starts_with("ring ") && Has(Fate::kDamaged)) ||
                              (finding.starts_with("batch ") && script_.damage != Damage::kNone);
      if (!is_planned) return finding;
    }
    if (!check.balances) return "the books do not balance";
    if (found != nullptr) *found = check;
    return "";
  }

  // The offset in a partition's row is of the same cluster as its sequence, and of the same topic as its id.
  std::string CheckOffsets() {
    const auto& ids = *world_.check().Get<shm::ProducerIds>(RegionKind::kProducerIds, 0);
    const auto& partitions = *world_.check().Get<shm::PartitionRows>(RegionKind::kPartitions, 0);
    for (uint64_t i = 0; i < partitions.count; ++i) {
      const shm::PartitionRow& row = partitions.rows[i];
      if (row.acked_offset < 0 || row.sequence.producer_index >= ids.count) continue;
      const bool is_other = ids.ids[row.sequence.producer_index % shm::kProducerIdRoom].cluster_id[0] == 'o';
      const bool is_anew = row.topic_id[0] == std::byte{2};
      const bool of_second = row.acked_offset >= kOffsetsOfALog;
      // A batch that was sent to the old topic may be acknowledged in the new one: the id says that it is not so.
      if ((is_other || is_anew) != of_second && !(of_second && TellsIds(script_))) return "an offset of another log";
    }
    return "";
  }

  bool Has(Fate fate) const {
    return std::any_of(script_.messages.begin(), script_.messages.end(),
                       [&](const ScriptMessage& message) { return message.fate == fate; });
  }

  // Where nobody could say, or damage let nobody ask again.
  bool IsUnsure() const { return script_.unsure || script_.damage != Damage::kNone; }

  std::string JudgeLogs() {
    for (size_t topic = 0; topic < kSweepTopics; ++topic) {
      for (size_t p = 0; p < kMostPartitions; ++p) {
        const std::string problem = JudgeLog(topic, p, world_.shared().brokers.partitions[topic][p]);
        if (!problem.empty()) return problem;
      }
    }
    return "";
  }

  std::string JudgeLog(size_t topic, size_t partition, const PartitionState& state) {
    std::map<bool, int> last = {{false, -1}, {true, -1}};
    for (size_t i = 0; i < state.size; ++i) {
      const int number = state.log[i];
      const ScriptMessage& message = script_.messages.at(static_cast<size_t>(number));
      const std::string name = "message " + std::to_string(number);
      if (message.topic != topic) return name + " in another topic";
      if (message.keyed && !MayStandIn(message, partition)) return name + " in another partition";
      const bool gone = i < state.anew_at;
      const bool first = logged_.insert(number).second;
      if (!first && (gone || gone_.erase(number) > 0)) continue;
      if (gone) gone_.insert(number);
      if (!first) {
        ++doubled_;
        if (!script_.ambiguous) return name + " doubled";
        continue;
      }
      if (TellsIds(script_)) continue;  // what comes from partitions that are gone is in no order to the rest
      if (number < last[message.keyed]) return name + " behind " + std::to_string(last[message.keyed]);
      last[message.keyed] = number;
    }
    return "";
  }

  // By its key, or by the partition that it waited for and that is gone.
  bool MayStandIn(const ScriptMessage& message, size_t partition) const {
    const size_t before = message.key % script_.partitions[message.topic];
    if (before == partition) return true;
    const size_t anew = script_.partitions_anew;
    return anew > 0 && (message.key % anew == partition || (before >= anew && before % anew == partition));
  }

  std::string JudgeFates() {
    for (size_t i = 0; i < script_.messages.size(); ++i) {
      const ScriptMessage& message = script_.messages[i];
      const bool logged = logged_.contains(static_cast<int>(i));
      const std::optional<Discard> planned = PlannedDiscard(script_, message);
      if (planned) {
        ++discarded_[*planned];
      } else if (logged) {
        ++delivered_[message.topic];
        continue;
      } else if (script_.discards_unsent) {
        ++discarded_[*script_.discards_unsent];
      } else {
        ++missing_;
        if (!script_.discards_by_answer && !IsUnsure()) return "lost: " + std::to_string(i);
      }
      if (logged) return "message " + std::to_string(i) + " in the log although it is not to be";
    }
    return "";
  }

  std::string JudgeBooks() {
    shm::BufferCheck check;
    const std::string problem = CheckBooks(&check);
    if (!problem.empty()) return problem;
    if (check.buffered_counted != 0) return "something is still buffered";
    if (check.books.Appended() != script_.messages.size()) return "books: appended";
    // What is discarded, possibly delivered, may be in the log.
    const uint64_t unsure = IsUnsure() ? check.books.DiscardedFor(Discard::kAmbiguous) : 0;
    uint64_t unplanned = 0;
    for (const shm::TopicBooks& topic : check.books.topics) {
      const uint64_t logged = delivered_[static_cast<size_t>(topic.name.at(1) - '0')];
      if (logged < topic.delivered || logged - topic.delivered > unsure) return "books: delivered of " + topic.name;
      missing_ += logged - topic.delivered;
    }
    for (size_t i = 0; i < shm::kDiscardReasons; ++i) {
      const auto reason = static_cast<Discard>(i);
      const uint64_t counted = check.books.DiscardedFor(reason);
      if (counted < discarded_[reason]) return std::string("books: ") + shm::NameOf(reason);
      unplanned += counted - discarded_[reason];
    }
    if (unplanned != missing_) return "books: discarded";
    if (script_.wants_sasl && missing_ != check.books.DiscardedFor(Discard::kNotAuthorized) + unsure) {
      return "books: not authorized";
    }
    if (check.books.PossibleDuplicates() < doubled_) return "books: possible duplicates";
    return "";
  }

  // No window begins with more than the next one, or than the books; timestamps are some that were sent.
  std::string JudgeReport() const {
    const shm::WorkerReport report = shm::ReadReport(world_.check(), shm::Role::kKafka, 0);
    const auto* const books = world_.check().Get<shm::KafkaTopicRow>(RegionKind::kKafkaBooks, 0);
    const shm::CounterRows now = shm::KafkaCounters(
        books, world_.check().Get<shm::IntakeBooks>(RegionKind::kIntakeBooks, 0), kSweepTopics);
    for (uint32_t row = 0; row < kSweepTopics; ++row) {
      shm::ReportCounters end;
      std::memcpy(end.data(), now.first + row * now.stride, sizeof(end));
      for (const shm::WindowView& window : report) {
        const shm::ReportCounters& base = window.base.at(row);
        for (size_t i = 0; i < end.size(); ++i) {
          if (base[i] > end[i]) return "report: a window that counted less than nothing";
        }
        end = base;
      }
    }
    for (const shm::WindowView& window : report) {
      for (const shm::ReportSpan& span : window.spans) {
        const bool was_sent = span.first_ms > script_.timestamp_ms - kSentAges && span.last_ms <= script_.timestamp_ms;
        if (!was_sent || span.first_ms > span.last_ms) return "report: a timestamp that nobody sent";
      }
    }
    return "";
  }

  World& world_;
  const Scenario& script_;
  std::set<int> logged_;
  std::set<int> gone_;  // of these, in the log of a topic that is gone
  uint64_t doubled_ = 0;
  uint64_t missing_ = 0;  // neither logged nor discarded by the script's will
  std::map<size_t, uint64_t> delivered_;
  std::map<Discard, uint64_t> discarded_;
};

inline std::string World::InspectAfterDeath() {
  MakeBrokers().Outlive(scenario_.late);
  const std::string problem = Judge(*this).InspectAfterDeath();
  Desk().TakeOutcomes();
  return problem;
}

inline std::string World::JudgeAll() {
  MakeBrokers().ServeLate();
  Desk().TakeOutcomes();
  return Judge(*this).JudgeAll();
}

// What the scenario is there for has happened.
inline std::string World::WasUsedAsMeant() const {
  for (const Fault& fault : scenario_.faults) {
    const uint32_t batches = shared_->brokers.partitions[fault.topic][fault.partition].batches;
    if (batches < fault.batch) return "of a partition with a fault only " + std::to_string(batches) + " batches came";
  }
  const bool lapped = check_->Get<shm::ProducerPage>(RegionKind::kProducer, 0)->tail > scenario_.ring_size;
  if (lapped != (scenario_.ring_size < 64 * 1024)) return "laps of the ring";
  const bool was_full = shared_->most_blocks >= scenario_.free_blocks;
  if (was_full != (scenario_.free_blocks < 32)) return "blocks of the pool: " + std::to_string(shared_->most_blocks);
  const bool waits = *std::max_element(scenario_.known_after.begin(), scenario_.known_after.end()) > 0;
  if (waits && !shared_->waited) return "no batch was waiting";
  if ((scenario_.look != Look::kNone) != (shared_->brokers.looks > 0)) return "looks into logs";
  if (scenario_.wants_sasl != (Books().DiscardedFor(Discard::kNotAuthorized) > 0)) return "refused for long enough";
  if (scenario_.damage != Damage::kNone && !shared_->damaged_pool) return "the pool was not damaged";
  if (shared_->tickets.last < 3) return "receipts were asked for";
  for (size_t topic = 0; scenario_.discards_unsent && topic < 2; ++topic) {
    const auto* const books = check_->Get<shm::KafkaTopicRow>(RegionKind::kKafkaBooks, 0);
    if (books[topic].discarded[static_cast<size_t>(*scenario_.discards_unsent)] == 0) {
      return "nothing unsent was discarded of topic " + std::to_string(topic);
    }
  }
  return "";
}

}  // namespace dory::kafka
