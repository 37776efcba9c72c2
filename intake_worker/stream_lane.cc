#include "intake_worker/stream_lane.h"

#include <algorithm>
#include <utility>

#include "intake_worker/assemble.h"

namespace dory::intake {

using shm::Reject;

void StreamLane::Recover() {
  table_.Recover();
  for (uint32_t slot = 0; slot < size(); ++slot) {
    if (table_.HasBytes(slot) && !HasEnded(slot)) leftovers_.push_back(slot);
  }
}

Reject StreamLane::UncleanOf(uint32_t slot) const {
  return table_[slot].is_tcp != 0 ? Reject::kUncleanTcp : Reject::kUncleanUnix;
}

Burst StreamLane::NextBurst(uint32_t slot) {
  const shm::Connection& connection = table_[slot];
  const ByteSpan bytes = table_.Bytes(slot);
  const Assembled found = Assemble(bytes, connection.limit, whole_);
  RawMessage message = {.bytes = {}, .input = connection.input, .uid = connection.uid, .limit = connection.limit,
                        .out = connection.out};
  size_t count = 0;
  for (; count < found.count; ++count) {
    message.bytes = whole_[count];
    message.out += whole_[count].size();
    messages_[count] = message;
  }
  if (found.fault) {
    message.bytes = bytes.subspan(found.end);
    message.out = connection.in;
    message.fault = found.fault;
    messages_[count++] = message;
  }
  return {.source = shm::Source::kConnection, .index = slot, .messages = {messages_.data(), count}};
}

// kEmpty: no whole message is left.
Outcome StreamLane::PublishAll(uint32_t slot) {
  for (;;) {
    const Burst burst = NextBurst(slot);
    if (burst.messages.empty()) return Outcome::kEmpty;
    const Outcome published = publish_(burst);
    if (published != Outcome::kMore) return published;
    if (HasEnded(slot)) return Outcome::kEnd;
  }
}

Outcome StreamLane::PublishLeftovers() {
  if (leftovers_.empty()) return Outcome::kEmpty;
  const uint32_t slot = leftovers_.front();
  const Outcome outcome = PublishAll(slot);
  GiveBackArea(slot);
  if (outcome == Outcome::kNoRoom) return outcome;
  leftovers_.pop_front();
  if (outcome == Outcome::kNoReceipt) Hold(slot);
  if (std::erase(ending_, slot) > 0) End(slot);
  return Outcome::kMore;
}

void StreamLane::Hold(uint32_t slot) {
  held_.push_back(slot);
  is_held_[slot] = true;
}

std::vector<uint32_t> StreamLane::PublishHeld() {
  std::vector<uint32_t> released;
  for (const uint32_t slot : std::exchange(held_, {})) {
    const Outcome outcome = PublishAll(slot);
    GiveBackArea(slot);
    if (outcome == Outcome::kNoReceipt) {
      held_.push_back(slot);
      continue;
    }
    is_held_[slot] = false;
    if (outcome == Outcome::kNoRoom) leftovers_.push_back(slot);
    released.push_back(slot);
  }
  return released;
}

bool StreamLane::Open(uint32_t slot, uint64_t generation, const ConnectionTable::Kind& kind) {
  receipts_.Leave(slot);
  if (table_.HasBytes(slot)) End(slot);
  if (table_.HasBytes(slot)) return false;
  receipts_.Open(slot);
  table_.Open(slot, generation, kind);
  return true;
}

StreamLane::Received StreamLane::ReadOnly(uint32_t slot, int fd) {
  AreaKind kind;
  const uint64_t next_size = Assemble(table_.Bytes(slot), table_[slot].limit, whole_).next_size;
  if (!table_.BindArea(slot, next_size, &kind)) return {Outcome::kNoArea, kind};
  return {table_.Receive(slot, fd)};
}

StreamLane::Received StreamLane::Receive(uint32_t slot, int fd) {
  const Received received = ReadOnly(slot, fd);
  if (received.outcome == Outcome::kNoArea) return received;
  const Outcome published = PublishAll(slot);
  GiveBackArea(slot);
  if (published == Outcome::kNoRoom) leftovers_.push_back(slot);
  if (published == Outcome::kNoReceipt) Hold(slot);
  return published == Outcome::kEmpty ? received : Received{published};
}

void StreamLane::End(uint32_t slot) {
  if (HasEnded(slot)) return;
  if (!NextBurst(slot).messages.empty() && !PublishUnasked(slot)) return;
  if (HasEnded(slot)) return;  // by what it had sent
  if (table_.HasBytes(slot)) {
    messages_[0] = {.bytes = table_.Bytes(slot), .input = table_[slot].input, .out = table_[slot].in,
                    .fault = UncleanOf(slot)};
    publish_({.source = shm::Source::kConnection, .index = slot, .messages = {messages_.data(), 1}});
  } else {
    table_.End(slot);
  }
  GiveBackArea(slot);
}

// Whole messages of a connection that nobody reads receipts of any more. False: they have no room, and are among the
// leftovers; it ends behind them.
bool StreamLane::PublishUnasked(uint32_t slot) {
  receipts_.Leave(slot);
  is_held_[slot] = false;
  std::erase(held_, slot);
  std::erase(leftovers_, slot);
  if (PublishAll(slot) != Outcome::kNoRoom) return true;
  leftovers_.push_back(slot);
  if (std::ranges::find(ending_, slot) == ending_.end()) ending_.push_back(slot);
  return false;
}

void StreamLane::EndOthers(const std::vector<bool>& live) {
  for (uint32_t slot = 0; slot < size(); ++slot) {
    if (live[slot]) continue;
    receipts_.Leave(slot);
    if (table_.HasBytes(slot)) End(slot);
  }
}

}  // namespace dory::intake
