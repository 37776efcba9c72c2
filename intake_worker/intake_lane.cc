#include "intake_worker/intake_lane.h"

#include <algorithm>
#include <cassert>

#include "common/crash_point.h"
#include "shm/store.h"

namespace dory::intake {

using shm::Store;

uint64_t CountHeldBack(uint64_t ring_size, uint64_t largest, const std::vector<uint32_t>& datagram_limits,
                       uint64_t max_dgram_qlen) {
  uint64_t unread = 0;
  for (const uint32_t limit : datagram_limits) unread += (max_dgram_qlen + 1) * LargestRecord(limit);
  const uint64_t wanted = std::min(ring_size / 4, unread);
  // Whatever is held back: an empty ring can be written to.
  const uint64_t needed = 2 * LargestRecord(largest);
  return std::min(wanted, ring_size - std::min(ring_size, needed));
}

IntakeLane::IntakeLane(shm::Segment& segment, uint32_t lane, const Config& config, LaneSettings settings,
                       int data_doorbell)
    : lane_(lane),
      memory_(segment, lane),
      settings_(std::move(settings)),
      receiver_(memory_),
      receipts_(memory_),
      publisher_(memory_, config, settings_.limits, receipts_),
      streams_(memory_, receipts_, [this](const Burst& burst) { return PublishStream(burst); }),
      overflow_(memory_.producer, settings_.overflow_path),
      waker_(&memory_.consumer->data_sleep, data_doorbell),
      largest_record_(LargestRecord(memory_.slot_size)),
      asks_senders_(!config.clients.empty()) {}

void IntakeLane::Recover() {
  Mark(shm::Step::kStart);
  receiver_.RewritePointers();
  receiver_.AskSenders(asks_senders_);
  slots_locked_ = receiver_.LockSlots();
  [[maybe_unused]] const SlotRange pending = receiver_.Pending();  // asserts that they are neighbours
  receipts_.Recover();
  streams_.Recover();
  overflow_.Open();
  waker_.Wake();
  DORY_CRASH_POINT("start.end");
  Mark(shm::Step::kNone);
}

Outcome IntakeLane::PublishLeftovers() {
  const bool slots_first = DORY_IS_MUTANT("slots before the file") && !receiver_.Pending().empty();
  if (overflow_.HasMessages() && !slots_first) return PublishOverflow();
  if (receiver_.Pending().empty()) return streams_.PublishLeftovers();
  const WhenNoRoom when = settings_.reject_when_full ? WhenNoRoom::kReject : WhenNoRoom::kCut;
  return PublishSlots(when, 0) ? Outcome::kMore : Outcome::kNoRoom;
}

Outcome IntakeLane::PublishStream(const Burst& burst) {
  const WhenNoRoom when = settings_.reject_when_full ? WhenNoRoom::kReject : WhenNoRoom::kCut;
  if (PublishBurst(burst, when, settings_.held_back) > 0) return Outcome::kMore;
  return publisher_.lacked_receipt() ? Outcome::kNoReceipt : Outcome::kNoRoom;
}

size_t IntakeLane::PublishBurst(const Burst& burst, WhenNoRoom when, uint64_t held_back) {
  const size_t decided = publisher_.Publish(burst, when, held_back);
  waker_.WakeIfAsleep();
  DORY_CRASH_POINT("P7.stream_doorbell");
  return decided;
}

Outcome IntakeLane::PublishOverflow() {
  const std::span<const RawMessage> messages = overflow_.Read();
  if (messages.empty()) return Outcome::kMore;
  const size_t decided = publisher_.Publish({.source = shm::Source::kOverflow, .messages = messages},
                                            WhenNoRoom::kCut, 0);
  overflow_.RetireIfRead();
  waker_.WakeIfAsleep();
  return decided == 0 ? Outcome::kNoRoom : Outcome::kMore;
}

// P1.
uint64_t IntakeLane::CountReceivable() const {
  DORY_CRASH_POINT("P1.room");
  if (settings_.reject_when_full) return settings_.burst;
  return std::min<uint64_t>(settings_.burst, publisher_.SurelyFits(largest_record_, settings_.held_back));
}

Outcome IntakeLane::ReceiveOnce(uint32_t input, int fd) {
  Mark(shm::Step::kP1);
  const auto count = static_cast<uint32_t>(CountReceivable());
  if (count == 0) return Outcome::kNoRoom;
  Mark(shm::Step::kP2);
  const uint32_t received = receiver_.Receive(input, fd, count);
  if (received == 0) return Outcome::kEmpty;
  const bool reject = settings_.reject_when_full;
  if (!PublishSlots(reject ? WhenNoRoom::kReject : WhenNoRoom::kCut, reject ? settings_.held_back : 0)) {
    return Outcome::kNoRoom;
  }
  return received < count ? Outcome::kEmpty : Outcome::kMore;
}

bool IntakeLane::PublishSlots(WhenNoRoom when, uint64_t held_back) {
  SlotRange pending = receiver_.Pending();
  while (!pending.empty()) {
    const std::span<const RawMessage> messages = receiver_.Collect(pending, messages_.data());
    const size_t decided = publisher_.Publish(
        {.source = shm::Source::kDatagrams, .first = pending.first, .messages = messages}, when, held_back);
    pending.first += static_cast<uint32_t>(decided);
    if (decided == 0) break;
  }
  Mark(shm::Step::kP7);
  waker_.WakeIfAsleep();
  DORY_CRASH_POINT("P7.doorbell");
  Mark(shm::Step::kNone);
  return pending.empty();
}

Status IntakeLane::MoveSlotsToOverflow() {
  const SlotRange pending = receiver_.Pending();
  if (pending.empty()) return Status::Ok();
  return MoveToOverflow({.source = shm::Source::kDatagrams,
                         .first = pending.first,
                         .messages = receiver_.Collect(pending, messages_.data())});
}

Status IntakeLane::MoveToOverflow(const Burst& burst) {
  const Result<uint64_t> end = overflow_.Append(burst.messages);
  if (end.ok()) publisher_.CommitToOverflow(burst, end.value());
  return end.status();
}

void IntakeLane::MoveHeartbeat() { Store(memory_.page->heartbeat, memory_.page->heartbeat + 1); }

}  // namespace dory::intake
