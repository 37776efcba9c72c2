#include "intake_worker/connection_table.h"

#include <sys/socket.h>

#include <cassert>

#include "common/crash_point.h"
#include "intake_worker/receive.h"
#include "shm/store.h"

namespace dory::intake {

using shm::AreaBinding;
using shm::Connection;
using shm::kEmptySlot;
using shm::Load;
using shm::Store;

// Of a message whose Size is not known: all of Size.
constexpr uint64_t kSizeOfSize = sizeof(int32_t);

ConnectionTable::ConnectionTable(const LaneMemory& memory)
    : connections_(memory.connections),
      areas_(memory.areas.data()),
      geometry_(memory.geometry),
      free_(memory.geometry) {}

void ConnectionTable::Recover() {
  for (uint32_t slot = 0; slot < size(); ++slot) {
    Connection& connection = connections_[slot];
    if (connection.generation == 0) continue;
    RewritePointers(connection);
    NoteReceived(connection);
    if (HasBytes(slot)) free_.TakeThis(static_cast<uint32_t>(BindingOf(connection).area), slot);
  }
}

void ConnectionTable::RewritePointers(Connection& connection) {
  PointTo(&connection.buffer, &connection.message.msg_hdr);
  DORY_CRASH_POINT("S.pointers");
}

ByteSpan ConnectionTable::Bytes(uint32_t slot) const {
  const Connection& connection = connections_[slot];
  if (connection.out == connection.in) return {};
  const AreaBinding& binding = BindingOf(connection);
  return {AddressOf(binding.area) + (connection.out - binding.base), connection.in - connection.out};
}

void ConnectionTable::Open(uint32_t slot, uint64_t generation, const Kind& kind) {
  Connection& connection = connections_[slot];
  assert(!HasBytes(slot) && generation > 0);
  Store(connection.input, kind.input);
  Store(connection.is_tcp, kind.is_tcp ? 1 : 0);
  Store(connection.limit, kind.limit);
  Store(connection.uid, kind.uid);
  Store(connection.message.msg_len, kEmptySlot);
  Store(connection.read_base, connection.in);
  DORY_CRASH_POINT("S.opening");
  RewritePointers(connection);
  Store(connection.generation, generation);
  DORY_CRASH_POINT("S.opened");
}

void ConnectionTable::End(uint32_t slot) {
  assert(!HasBytes(slot));
  Store(connections_[slot].ended, connections_[slot].generation);
  DORY_CRASH_POINT("S.ended");
}

// The binding first: it is not the valid one until `current` is stored.
void ConnectionTable::Bind(Connection& connection, AreaBinding binding) {
  AreaBinding& other = connection.binding[(connection.current + 1) & 1];
  Store(other.area, binding.area);
  DORY_CRASH_POINT("S1.area");
  Store(other.base, binding.base);
  DORY_CRASH_POINT("S1.base");
  Store(connection.current, connection.current + 1);
  DORY_CRASH_POINT("S1.current");
}

bool ConnectionTable::BindArea(uint32_t slot, uint64_t next_size, AreaKind* kind) {
  Connection& connection = connections_[slot];
  const uint64_t needed = std::max(next_size, kSizeOfSize);
  *kind = needed <= shm::kAreaSize ? AreaKind::kSmall : AreaKind::kLarge;
  if (!HasBytes(slot)) {
    const std::optional<uint32_t> area = free_.Take(*kind, slot);
    if (area) Bind(connection, {*area, connection.in});
    return area.has_value();
  }
  const AreaBinding& binding = BindingOf(connection);
  if (connection.out - binding.base + needed <= shm::AreaSize(geometry_, binding.area)) return true;
  return MoveTo(slot, *kind);
}

// To the beginning of an area: of its own where it does not overlap itself there, else of another one.
bool ConnectionTable::MoveTo(uint32_t slot, AreaKind kind) {
  Connection& connection = connections_[slot];
  const AreaBinding from = BindingOf(connection);
  const ByteSpan bytes = Bytes(slot);
  const bool within = free_.KindOf(from.area) == kind && bytes.size() <= connection.out - from.base;
  const std::optional<uint32_t> area = within ? static_cast<uint32_t>(from.area) : free_.Take(kind, slot);
  if (!area) return false;
  if (DORY_IS_MUTANT("bound before it is copied")) Bind(connection, {*area, connection.out});
  shm::Copy(AddressOf(*area), bytes.data(), bytes.size());
  DORY_CRASH_POINT("S1.copied");
  if (!DORY_IS_MUTANT("bound before it is copied")) Bind(connection, {*area, connection.out});
  if (!within) free_.Give(static_cast<uint32_t>(from.area), slot);
  return true;
}

Outcome ConnectionTable::Receive(uint32_t slot, int fd) {
  Connection& connection = connections_[slot];
  const AreaBinding& binding = BindingOf(connection);
  const uint64_t used = connection.in - binding.base;
  const uint64_t room = shm::AreaSize(geometry_, binding.area) - used;
  assert(room > 0);
  Store(connection.buffer.iov_base, AddressOf(binding.area) + used);
  Store(connection.buffer.iov_len, room);
  DORY_CRASH_POINT("S2.buffer");
  const int received = ::recvmmsg(fd, &connection.message, 1, MSG_DONTWAIT, nullptr);
  DORY_CRASH_POINT("S2.received");
  if (received < 0) return JudgeFailure("recvmmsg", slot, Outcome::kEmpty);
  const uint64_t bytes = Load(connection.message.msg_len);
  NoteReceived(connection);
  if (bytes == 0) return Outcome::kEnd;
  return bytes < room ? Outcome::kEmpty : Outcome::kMore;
}

// S3: sets, so that they may be done again.
void ConnectionTable::NoteReceived(Connection& connection) {
  const uint32_t received = Load(connection.message.msg_len);
  if (received != kEmptySlot) {
    Store(connection.in, connection.read_base + received);
    if (DORY_IS_MUTANT("read_base before msg_len")) Store(connection.read_base, connection.in);
    DORY_CRASH_POINT("S3.in");
    Store(connection.message.msg_len, kEmptySlot);
    DORY_CRASH_POINT("S3.msg_len");
  }
  Store(connection.read_base, connection.in);
  Store(connection.message.msg_hdr.msg_flags, 0);
  DORY_CRASH_POINT("S3.read_base");
}

void ConnectionTable::GiveBackArea(uint32_t slot) {
  if (!HasBytes(slot)) free_.Give(static_cast<uint32_t>(BindingOf(connections_[slot]).area), slot);
}

void ConnectionTable::Release(Connection* connection, uint64_t out, bool ends) {
  if (ends) {
    Store(connection->ended, connection->generation);
    DORY_CRASH_POINT("P5.connection_ended");
  }
  Store(connection->out, out);
  DORY_CRASH_POINT("P5.connection");
}

}  // namespace dory::intake
