// What has to be there of receipts in the kafka worker's sweep: after a death, after a start, and in the end.

#pragma once

#include <optional>
#include <string>

#include "shm/books.h"
#include "tests/crash/kafka_sweep_inventory.h"
#include "tests/crash/kafka_sweep_tickets.h"
#include "tests/crash/kafka_sweep_world.h"

namespace dory::kafka {

// Why the script wants it discarded; none: it does not.
inline std::optional<shm::Discard> PlannedDiscard(const Scenario& script, const ScriptMessage& message) {
  if (message.fate == Fate::kDamaged) return shm::Discard::kCorrupt;
  if (script.gives_up && message.topic == 2) return shm::Discard::kUnknownTopic;
  switch (message.fate) {
    case Fate::kHuge: return shm::Discard::kTooLarge;
    case Fate::kRefused: return shm::Discard::kRefused;
    case Fate::kFatal:
    case Fate::kCutOff: return shm::Discard::kAmbiguous;
    default: return std::nullopt;
  }
}

class ReceiptJudge {
 public:
  explicit ReceiptJudge(const World& world)
      : world_(world),
        script_(world.scenario()),
        tickets_(world.shared().tickets),
        outcomes_(world.check().Get<shm::Outcome>(RegionKind::kOutcomes, 0)) {}

  // Whatever state a kill has left: what has an outcome is settled.
  std::string InspectAfterDeath() const {
    if (script_.damage != Damage::kNone) return "";  // nobody knows whose records those are
    const Inventory inventory(world_.check(), Inventory::Of::kPlannedStart);
    for (const auto& [message, held] : inventory.messages()) {
      if (IsAnswered(message)) return Name(message) + " has an outcome and is held";
    }
    return "";
  }

  // Behind a start: what is held has its place, what is not has its outcome, and no place is another record's.
  std::string JudgeStart(const Inventory& inventory, uint64_t appended) const {
    for (size_t message = 0; message < appended; ++message) {
      const uint64_t ticket = tickets_.of_message[message];
      if (ticket == 0) continue;
      const auto held = inventory.messages().find(message);
      const bool is_held = held != inventory.messages().end();
      const bool is_right = is_held ? IsPlaced(ticket, held->second) : WasAnswered(message);
      if (!is_right) return Name(message) + (is_held ? " has not its place" : " has no outcome");
    }
    return FindStalePlace();
  }

  // In the end, when all outcomes were taken.
  std::string JudgeAll() const {
    for (size_t message = 0; message < script_.messages.size(); ++message) {
      if (tickets_.of_message[message] == 0) continue;
      const TakenOutcome& outcome = tickets_.outcomes[message];
      if (!outcome.taken) return Name(message) + " has no outcome";
      if (!IsTrue(message, outcome)) return Name(message) + " has another outcome: " + std::to_string(outcome.code);
    }
    return "";
  }

 private:
  static std::string Name(size_t message) { return "receipts: message " + std::to_string(message); }

  const shm::Outcome& SlotOf(uint64_t ticket) const { return outcomes_[ticket % kSweepTickets]; }

  bool IsAnswered(size_t message) const {
    const uint64_t ticket = tickets_.of_message[message];
    return ticket != 0 && SlotOf(ticket).number == ticket;
  }

  // The slot may have gone to a later ticket since. What was damaged in the ring has none.
  bool WasAnswered(size_t message) const {
    const shm::Outcome& slot = SlotOf(tickets_.of_message[message]);
    const uint64_t ticket = tickets_.of_message[message];
    return slot.number >= ticket || slot.place_number > ticket || script_.messages[message].fate == Fate::kDamaged;
  }

  bool IsPlaced(uint64_t ticket, const Inventory::Held& held) const {
    const shm::Outcome& slot = SlotOf(ticket);
    if (slot.number >= ticket) return false;
    const bool has_number = slot.place_number == ticket;
    if (held.batch == shm::kNoIndex) return !has_number || slot.order == 0;  // in the ring
    const shm::PoolView pool(world_.check(), 0);
    const shm::BatchDescriptor& batch = pool.descriptor(held.batch);
    if (!has_number) return false;
    if (batch.kind == shm::BatchKind::kWaiting && slot.order == 0) return true;  // on its way to another
    return slot.order == batch.order && slot.index == held.index;
  }

  std::string FindStalePlace() const {
    const shm::PoolView pool(world_.check(), 0);
    for (size_t slot = 0; slot < kSweepTickets; ++slot) {
      const shm::Outcome& place = outcomes_[slot];
      if (place.order == 0 || place.place_number <= place.number) continue;
      bool is_live = false;
      for (shm::BatchId id = 0; id < pool.block_count(); ++id) {
        const shm::BatchDescriptor& batch = pool.descriptor(id);
        const bool is_free = static_cast<shm::BatchState>(batch.word.state) == shm::BatchState::kFree;
        is_live |= !is_free && batch.order == place.order && place.index < batch.commit.count;
      }
      if (!is_live) return "receipts: slot " + std::to_string(slot) + " has a place in no batch";
    }
    return "";
  }

  // Where nobody could say, or damage let nobody ask again.
  bool MayBeDiscarded() const {
    return script_.discards_by_answer || script_.unsure || script_.damage != Damage::kNone;
  }

  bool IsTrue(size_t message, const TakenOutcome& outcome) const {
    const ScriptMessage& script = script_.messages[message];
    const std::optional<shm::Discard> planned = PlannedDiscard(script_, script);
    if (planned) return outcome.code == shm::CodeOf(*planned) && outcome.offset == -1;
    if (outcome.code == shm::kDeliveredCode) return IsAt(script.topic, outcome, message);
    if (script_.discards_unsent && outcome.code == shm::CodeOf(*script_.discards_unsent)) return outcome.offset == -1;
    return MayBeDiscarded() && outcome.code >= shm::CodeOf(shm::Discard::kCorrupt) && outcome.offset == -1;
  }

  bool IsAt(size_t topic, const TakenOutcome& outcome, size_t message) const {
    if (outcome.partition < 0 || outcome.partition >= int32_t{kMostPartitions} || outcome.offset < 0) return false;
    const PartitionState& state = world_.shared().brokers.partitions[topic][static_cast<size_t>(outcome.partition)];
    const size_t begin = outcome.offset < kOffsetsOfALog ? 0 : state.anew_at;
    const size_t at = begin + static_cast<size_t>(outcome.offset % kOffsetsOfALog);
    return at < state.size && state.log[at] == message;
  }

  const World& world_;
  const Scenario& script_;
  const SweepTickets& tickets_;
  const shm::Outcome* outcomes_;
};

}  // namespace dory::kafka
