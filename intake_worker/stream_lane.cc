#include "intake_worker/stream_lane.h"

#include <algorithm>

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
  RawMessage message = {.bytes = {}, .input = connection.input, .limit = connection.limit, .out = connection.out};
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
    if (publish_(burst) == 0) return Outcome::kNoRoom;
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
  return Outcome::kMore;
}

void StreamLane::Open(uint32_t slot, uint64_t generation, const ConnectionTable::Kind& kind) {
  if (table_.HasBytes(slot)) End(slot);
  table_.Open(slot, generation, kind);
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
  return published == Outcome::kEmpty ? received : Received{published};
}

void StreamLane::End(uint32_t slot) {
  if (HasEnded(slot)) return;
  if (table_.HasBytes(slot)) {
    messages_[0] = {.bytes = table_.Bytes(slot), .input = table_[slot].input, .out = table_[slot].in,
                    .fault = UncleanOf(slot)};
    publish_({.source = shm::Source::kConnection, .index = slot, .messages = {messages_.data(), 1}});
  } else {
    table_.End(slot);
  }
  GiveBackArea(slot);
}

void StreamLane::EndOthers(const std::vector<bool>& live) {
  for (uint32_t slot = 0; slot < size(); ++slot) {
    if (!live[slot] && table_.HasBytes(slot)) End(slot);
  }
}

}  // namespace dory::intake
