#include "common/hand_over.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "common/control.pb.h"
#include "common/log.h"

namespace dory {
namespace {

constexpr size_t kMaxFrame = 32 << 10;
constexpr size_t kClosedInFrame = 512;
constexpr int kFramesPerTurn = 16;  // then the loop's other watchers have theirs

struct Frame {
  std::array<char, kMaxFrame> bytes;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kHandOverGroup * sizeof(int))> control;
  iovec iov{bytes.data(), bytes.size()};
  msghdr message{nullptr, 0, &iov, 1, control.data(), control.size(), 0};
};

bool MustWait(ssize_t size) { return size < 0 && (errno == EAGAIN || errno == EINTR); }

std::vector<FileDescriptor> TakeDescriptors(msghdr* message) {
  std::vector<FileDescriptor> taken;
  for (cmsghdr* part = CMSG_FIRSTHDR(message); part != nullptr; part = CMSG_NXTHDR(message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      taken.emplace_back(fd);
    }
  }
  return taken;
}

}  // namespace

// ---- the intake's end --------------------------------------------------------------------------

HandOverReceiver::HandOverReceiver(EventLoop& loop, int fd, Callbacks callbacks)
    : fd_(fd), callbacks_(std::move(callbacks)), watcher_(loop, fd, [this](int directions) { OnReady(directions); }) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  watcher_.Watch(kReadable);
}

void HandOverReceiver::SendClosed(uint32_t slot, uint64_t generation) {
  const bool joins = !answers_.empty() && answers_.back().closed.size() < kClosedInFrame;
  if (!joins) answers_.emplace_back();
  answers_.back().closed.emplace_back(slot, generation);
  Flush();
}

void HandOverReceiver::OnReady(int directions) {
  if ((directions & kWritable) != 0) Flush();
  if ((directions & kReadable) != 0) Receive();
}

void HandOverReceiver::ReadAll() {
  while (Receive()) {
  }
}

// False: nothing was there.
bool HandOverReceiver::Receive() {
  Frame frame;
  const ssize_t size = ::recvmsg(fd_.get(), &frame.message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (MustWait(size)) return false;
  if (size <= 0) {
    watcher_.Watch(0);
    return false;
  }
  Take(std::string(frame.bytes.data(), static_cast<size_t>(size)), TakeDescriptors(&frame.message),
       (frame.message.msg_flags & MSG_CTRUNC) != 0);
  return true;
}

// What was cut off for want of descriptors was not taken. Anything else that does not fit is our own fault.
void HandOverReceiver::Take(const std::string& frame, std::vector<FileDescriptor> descriptors, bool truncated) {
  control::HandOver group;
  const bool sound = group.ParseFromString(frame);
  const auto count = static_cast<size_t>(group.connections_size());
  if (!sound || descriptors.size() > count || (descriptors.size() < count && !truncated)) {
    LogError("a group of {} connections with {} descriptors from dory", count, descriptors.size());
    std::abort();
  }
  answers_.push_back({static_cast<uint32_t>(descriptors.size()), {}});
  Flush();
  for (size_t i = 0; i < descriptors.size(); ++i) {
    const control::StreamConnection& entry = group.connections(static_cast<int>(i));
    callbacks_.on_connection({entry.slot(), entry.generation(), entry.input(), std::move(descriptors[i])});
  }
  if (group.complete() && descriptors.size() == count) callbacks_.on_complete();
}

void HandOverReceiver::Flush() {
  while (!answers_.empty()) {
    control::HandOverAnswer answer;
    if (answers_.front().taken) answer.set_taken(*answers_.front().taken);
    for (const auto& [slot, generation] : answers_.front().closed) {
      control::StreamConnection* const closed = answer.add_closed();
      closed->set_slot(slot);
      closed->set_generation(generation);
    }
    const std::string bytes = answer.SerializeAsString();
    const ssize_t size = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (MustWait(size)) return watcher_.Watch(kReadable | kWritable);
    if (size < 0) return watcher_.Watch(0);  // nobody is there to hear it
    answers_.pop_front();
  }
  watcher_.Watch(kReadable);
}

// ---- the supervisor's end ----------------------------------------------------------------------

HandOverSender::HandOverSender(EventLoop& loop, FileDescriptor fd, Callbacks callbacks, int64_t retry_ms)
    : fd_(std::move(fd)), callbacks_(std::move(callbacks)), watcher_(loop, fd_.get(), [this](int) { ReadSome(); }),
      retry_(loop, [this] { SendSome(); }), retry_ms_(retry_ms) {
  watcher_.Watch(kReadable);
}

void HandOverSender::Add(const Connection& connection) {
  queue_.push_back(connection);
  if (!retry_.active()) retry_.StartOnce(0);  // with those that are accepted in the same turn
}

void HandOverSender::AddComplete() {
  complete_queued_ = true;
  if (!retry_.active()) retry_.StartOnce(0);
}

void HandOverSender::SendSome() {
  if (awaits_answer_ || ended_ || idle()) return;
  const size_t size = std::min(queue_.size(), kHandOverGroup);
  const bool complete = complete_queued_ && size == queue_.size();
  if (!SendGroup(size, complete)) return retry_.StartOnce(retry_ms_);
  sent_ = size;
  complete_sent_ = complete;
  awaits_answer_ = true;
}

// False: not now. The socket is empty, so what fails is the number of descriptors in flight, or memory.
bool HandOverSender::SendGroup(size_t size, bool complete) {
  control::HandOver group;
  group.set_complete(complete);
  std::array<int, kHandOverGroup> descriptors;
  for (size_t i = 0; i < size; ++i) {
    control::StreamConnection* const entry = group.add_connections();
    entry->set_slot(queue_[i].slot);
    entry->set_generation(queue_[i].generation);
    entry->set_input(queue_[i].input);
    descriptors[i] = queue_[i].fd;
  }
  Frame frame;
  const std::string bytes = group.SerializeAsString();
  std::memcpy(frame.bytes.data(), bytes.data(), bytes.size());
  frame.iov.iov_len = bytes.size();
  frame.message.msg_controllen = size == 0 ? 0 : CMSG_SPACE(size * sizeof(int));
  if (size > 0) {
    frame.control.fill(0);
    cmsghdr* const part = CMSG_FIRSTHDR(&frame.message);
    *part = {CMSG_LEN(size * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    std::memcpy(CMSG_DATA(part), descriptors.data(), size * sizeof(int));
  }
  const ssize_t sent = ::sendmsg(fd_.get(), &frame.message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent >= 0 || errno == EPIPE || errno == ECONNRESET) return true;  // without a peer there is no answer
  LogWarning("{}", Status::Errno("connections wait to be handed over").message());
  return false;
}

void HandOverSender::ReadToEnd() {
  while (ReadSome()) {
  }
}

// Whether there may be more.
bool HandOverSender::ReadSome() {
  std::array<char, kMaxFrame> bytes;
  for (int turn = 0; turn < kFramesPerTurn && !ended_; ++turn) {
    const ssize_t size = ::recv(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (MustWait(size)) return false;
    if (size <= 0) {
      ended_ = true;
      watcher_.Watch(0);
      return false;
    }
    control::HandOverAnswer answer;
    if (answer.ParseFromArray(bytes.data(), static_cast<int>(size))) {
      OnAnswer(answer);
    } else {
      LogError("an answer of {} bytes that can't be read from an intake", size);
    }
  }
  return !ended_;
}

void HandOverSender::OnAnswer(const control::HandOverAnswer& answer) {
  if (answer.has_taken()) OnTaken(answer.taken());
  for (const control::StreamConnection& closed : answer.closed()) {
    callbacks_.on_closed(closed.slot(), closed.generation());
  }
}

void HandOverSender::OnTaken(size_t taken) {
  if (!awaits_answer_ || taken > sent_) return LogError("an intake took {} connections of {}", taken, sent_);
  awaits_answer_ = false;
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(taken));
  const bool was_short = std::exchange(short_, taken < sent_);
  if (short_ && !was_short) LogWarning("an intake is out of descriptors: it took {} connections of {}", taken, sent_);
  if (short_) return retry_.StartOnce(retry_ms_);
  if (complete_sent_) complete_queued_ = false;
  if (!idle()) return retry_.StartOnce(0);
  callbacks_.on_idle();
}

}  // namespace dory
