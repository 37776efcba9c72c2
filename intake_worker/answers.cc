#include "intake_worker/answers.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cassert>

#include "common/crash_point.h"
#include "intake_worker/receive.h"
#include "shm/store.h"

namespace dory::intake {

using shm::Connection;
using shm::kAnswerRoom;
using shm::kAnswerSize;
using shm::kEmptySlot;
using shm::Load;
using shm::Store;

Answers::Answers(const LaneMemory& memory)
    : connections_(memory.connections.first(memory.receipts.empty() ? 0 : memory.connections.size())),
      areas_(memory.receipts.data() + (memory.receipts.empty() ? 0 : shm::AnswerAreaOffset(memory.geometry, 0))) {
  for (uint32_t area = shm::AnswerAreaCount(memory.geometry); area-- > 0;) free_.push_back(area);
}

void Answers::Recover() {
  for (Connection& connection : connections_) {
    if (connection.answer_area == 0) continue;
    NoteSent(connection);
    std::erase(free_, static_cast<uint32_t>(connection.answer_area - 1));
  }
}

void Answers::TakeArea(uint32_t slot) {
  Connection& connection = connections_[slot];
  assert(!HoldsArea(slot) && HasFreeArea());
  Store(connection.put, connection.sent);
  Store(connection.send_base, connection.sent);
  Store(connection.answer_base, connection.sent);
  Store(connection.answer.msg_len, kEmptySlot);
  DORY_CRASH_POINT("A.area_empty");
  Store(connection.answer_area, uint64_t{free_.back()} + 1);
  DORY_CRASH_POINT("A.area");
  free_.pop_back();
}

bool Answers::HasRoomFor(uint32_t slot, uint32_t receipts) const {
  const Connection& connection = connections_[slot];
  return connection.put - connection.sent + receipts * kAnswerSize <= kAnswerRoom;
}

std::byte* Answers::AddressOf(const Connection& connection, uint64_t position) const {
  return areas_ + (connection.answer_area - 1) * shm::kAnswerAreaSize + PlaceOf(connection, position);
}

uint64_t Answers::Write(uint32_t slot, const Receipt& receipt) {
  const Connection& connection = connections_[slot];
  assert(HasRoomFor(slot, 1));
  std::array<std::byte, kAnswerSize> bytes;
  StoreBigEndian(bytes.data(), static_cast<int32_t>(kAnswerSize));
  StoreBigEndian(bytes.data() + 4, receipt.id);
  StoreBigEndian(bytes.data() + 12, receipt.code);
  StoreBigEndian(bytes.data() + 14, receipt.partition);
  StoreBigEndian(bytes.data() + 18, receipt.offset);
  shm::Copy(AddressOf(connection, connection.put), bytes.data(), bytes.size());
  DORY_CRASH_POINT("A1.written");
  return connection.put + kAnswerSize;
}

void Answers::SetPut(uint32_t slot, uint64_t put) {
  Store(connections_[slot].put, put);
  DORY_CRASH_POINT("A2.put");
}

// At most two parts: the area is used round and round.
void Answers::PointTo(Connection& connection) {
  const uint64_t size = connection.put - connection.sent;
  const uint64_t first = std::min(size, kAnswerRoom - PlaceOf(connection, connection.sent));
  Store(connection.answer_parts[0].iov_base, AddressOf(connection, connection.sent));
  Store(connection.answer_parts[0].iov_len, first);
  Store(connection.answer_parts[1].iov_base, AddressOf(connection, connection.sent + first));
  Store(connection.answer_parts[1].iov_len, size - first);
  intake::PointTo(connection.answer_parts, &connection.answer.msg_hdr);
  Store(connection.answer.msg_hdr.msg_iovlen, size > first ? 2 : 1);
  DORY_CRASH_POINT("A4.parts");
}

Outcome Answers::Send(uint32_t slot, int fd) {
  Connection& connection = connections_[slot];
  while (HasUnsent(slot)) {
    PointTo(connection);
    const int sent = ::sendmmsg(fd, &connection.answer, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    DORY_CRASH_POINT("A4.sent");
    if (sent < 0) return JudgeFailure("sendmmsg", slot, Outcome::kMore);
    NoteSent(connection);
  }
  return Outcome::kEmpty;
}

// A5.
void Answers::NoteSent(Connection& connection) {
  const uint32_t sent = Load(connection.answer.msg_len);
  if (sent != kEmptySlot) {
    Store(connection.sent, connection.send_base + sent);
    if (DORY_IS_MUTANT("send_base before msg_len")) Store(connection.send_base, connection.sent);
    DORY_CRASH_POINT("A5.sent");
    Store(connection.answer.msg_len, kEmptySlot);
    DORY_CRASH_POINT("A5.msg_len");
  }
  Store(connection.send_base, connection.sent);
  DORY_CRASH_POINT("A5.send_base");
}

void Answers::Drop(uint32_t slot) {
  if (slot >= connections_.size() || !HoldsArea(slot)) return;
  Connection& connection = connections_[slot];
  const auto area = static_cast<uint32_t>(connection.answer_area - 1);
  Store(connection.answer_area, 0);
  DORY_CRASH_POINT("A.dropped");
  free_.push_back(area);
}

}  // namespace dory::intake
