#include "intake_worker/receive.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "common/crash_point.h"
#include "common/log.h"
#include "shm/store.h"

namespace dory::intake {
namespace {

using shm::kEmptySlot;
using shm::kSlotCount;
using shm::Load;
using shm::Store;

// Writes each page's first byte as it is, so that the page exists and is ours to write.
void TouchPages(std::span<std::byte> bytes) {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  for (size_t at = 0; at < bytes.size(); at += page) Store(bytes[at], Load(bytes[at]));
}

void PointToBuffer(iovec* buffer, msghdr* header) {
  Store(header->msg_name, nullptr);
  Store(header->msg_namelen, 0);
  Store(header->msg_iov, buffer);
  Store(header->msg_iovlen, 1);
}

// What the kernel says of a datagram that was sent before its socket passed credentials. (The number alone would not
// do: it is 0 of a process in another container, too.)
bool IsOfNobody(const ucred& sender) {
  constexpr uint32_t kOverflowId = 65'534;
  return sender.pid == 0 && sender.uid == kOverflowId && sender.gid == kOverflowId;
}

}  // namespace

bool IsOurFault(int error) {
  return error == EBADF || error == ENOTSOCK || error == EFAULT || error == EINVAL;
}

Outcome JudgeFailure(const char* call, uint32_t connection, Outcome later) {
  if (errno == EAGAIN || errno == EINTR) return later;
  if (IsOurFault(errno)) {
    LogError("{} of connection {}: {}", call, connection, std::strerror(errno));
    std::abort();
  }
  return Outcome::kEnd;
}

void PointTo(iovec* buffer, msghdr* header) {
  PointToBuffer(buffer, header);
  Store(header->msg_control, nullptr);
  Store(header->msg_controllen, 0);
}

Receiver::Receiver(const LaneMemory& memory)
    : slots_(memory.slots), slot_bytes_(memory.slot_bytes), slot_size_(memory.slot_size) {}

void Receiver::RewritePointers() {
  for (uint32_t i = 0; i < kSlotCount; ++i) {
    Store(slots_->buffers[i].iov_base, slot_bytes_.data() + uint64_t{i} * slot_size_);
    Store(slots_->buffers[i].iov_len, slot_size_);
    PointToBuffer(&slots_->buffers[i], &slots_->messages[i].msg_hdr);
  }
  DORY_CRASH_POINT("start.pointers");
}

// Of a slot that holds a message msg_controllen says whether the kernel has said who sent it: it stays.
void Receiver::AskSenders(bool ask) {
  Store(slots_->header.control_size, ask ? static_cast<uint32_t>(sizeof(shm::SenderControl)) : 0);
  DORY_CRASH_POINT("start.control_size");
  for (uint32_t i = 0; i < kSlotCount; ++i) {
    msghdr& header = slots_->messages[i].msg_hdr;
    Store(header.msg_control, ask ? &slots_->controls[i] : nullptr);
    if (Load(slots_->messages[i].msg_len) == kEmptySlot) {
      Store(header.msg_controllen, slots_->header.control_size);
    } else if (DORY_IS_MUTANT("senders forgotten at a start")) {
      Store(header.msg_controllen, 0);
    }
  }
  DORY_CRASH_POINT("start.controls");
}

bool Receiver::LockSlots() {
  const std::span<std::byte> all(reinterpret_cast<std::byte*>(slots_), shm::kSlotsOffset + slot_bytes_.size());
  if (::mlock(all.data(), all.size()) == 0) return true;
  if (::madvise(all.data(), all.size(), MADV_POPULATE_WRITE) != 0) TouchPages(all);
  return false;
}

SlotRange Receiver::Pending() const {
  const auto is_empty = [this](uint32_t slot) { return Load(slots_->messages[slot].msg_len) == kEmptySlot; };
  SlotRange range;
  while (range.first < kSlotCount && is_empty(range.first)) ++range.first;
  range.end = range.first;
  while (range.end < kSlotCount && !is_empty(range.end)) ++range.end;
  for (uint32_t slot = range.end; slot < kSlotCount; ++slot) assert(is_empty(slot));
  return range.empty() ? SlotRange{} : range;
}

uint32_t Receiver::Receive(uint32_t input, int fd, uint32_t count) {
  assert(count > 0 && count <= kSlotCount);
  Store(slots_->header.input, input);
  DORY_CRASH_POINT("P2.input");
  const bool is_private = DORY_IS_MUTANT("private receive buffers");
  mmsghdr private_headers[kSlotCount];
  if (is_private) std::memcpy(private_headers, slots_->messages, sizeof(private_headers));
  const int received = ::recvmmsg(fd, is_private ? private_headers : slots_->messages, count, MSG_DONTWAIT, nullptr);
  DORY_CRASH_POINT("P2.received");
  if (is_private) std::memcpy(slots_->messages, private_headers, sizeof(private_headers));
  if (received >= 0) return static_cast<uint32_t>(received);
  if (IsOurFault(errno)) {
    LogError("recvmmsg of input {}: {}", input, std::strerror(errno));
    std::abort();
  }
  if (errno != EAGAIN && errno != EINTR) LogWarning("recvmmsg of input {}: {}", input, std::strerror(errno));
  return 0;
}

uint32_t Receiver::SenderOf(uint32_t slot) const {
  const shm::SenderControl& control = slots_->controls[slot];
  if (slots_->messages[slot].msg_hdr.msg_controllen < sizeof(control)) return kNoUid;
  const bool says_who = control.level == SOL_SOCKET && control.type == SCM_CREDENTIALS;
  return says_who && !IsOfNobody(control.sender) ? control.sender.uid : kNoUid;
}

std::span<const RawMessage> Receiver::Collect(SlotRange slots, RawMessage* messages) const {
  const uint32_t input = Load(slots_->header.input);
  for (uint32_t slot = slots.first; slot < slots.end; ++slot) {
    const mmsghdr& header = slots_->messages[slot];
    const uint32_t size = Load(header.msg_len);
    assert(size <= slot_size_);
    messages[slot - slots.first] = {.bytes = {SlotBytes(slot), size},
                                    .input = input,
                                    .uid = SenderOf(slot),
                                    .truncated = (header.msg_hdr.msg_flags & MSG_TRUNC) != 0};
  }
  return {messages, slots.end - slots.first};
}

void Receiver::Release(shm::ReceiveSlots* slots, SlotRange range) {
  if (DORY_IS_MUTANT("whole array released")) range = {0, kSlotCount};
  for (uint32_t slot = range.first; slot < range.end; ++slot) {
    mmsghdr& message = slots->messages[slot];
    Store(message.msg_hdr.msg_controllen, slots->header.control_size);
    Store(message.msg_hdr.msg_flags, 0);
    DORY_CRASH_POINT("P5.slot_flags");
    Store(message.msg_len, kEmptySlot);
    DORY_CRASH_POINT("P5.slot");
  }
}

}  // namespace dory::intake
