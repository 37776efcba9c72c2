#include "intake_worker/overflow.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdio>
#include <cstring>

#include "common/crash_point.h"
#include "common/log.h"
#include "shm/store.h"

namespace dory::intake {

using shm::Load;
using shm::Store;

OverflowFile::OverflowFile(shm::ProducerPage* producer, std::string path)
    : producer_(producer), path_(std::move(path)) {}

void OverflowFile::Open() {
  if (IsPossible()) file_.Reset(::open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (IsPossible() && !Exists() && errno != ENOENT) {
    LogError("{}: {}", path_, std::strerror(errno));
    std::abort();  // not known whether messages lie there
  }
  if (!Exists() && Load(producer_->overflow_out) < Load(producer_->overflow_in)) {
    LogError("{} is gone: bytes [{}, {}) of it can't be published", path_, Load(producer_->overflow_out),
             Load(producer_->overflow_in));
  }
  RetireIfRead();
  if (!Exists()) ForgetPositions();
  if (HasMessages()) {
    LogInfo("{}: {} bytes are published before sockets are read", path_,
            producer_->overflow_in - producer_->overflow_out);
  }
}

bool OverflowFile::HasMessages() const { return Load(producer_->overflow_in) != Load(producer_->overflow_out); }

void OverflowFile::RetireIfRead() {
  if (!Exists() || HasMessages()) return;
  if (DORY_IS_MUTANT("out forgotten before unlink")) Store(producer_->overflow_out, 0);
  DORY_CRASH_POINT("overflow.read");
  if (::unlink(path_.c_str()) != 0) LogError("unlink of {}: {}", path_, std::strerror(errno));
  DORY_CRASH_POINT("overflow.unlinked");
  file_.Reset();
  ForgetPositions();
  buffer_ = {};
}

void OverflowFile::ForgetPositions() {
  Store(producer_->overflow_in, 0);
  DORY_CRASH_POINT("overflow.in_forgotten");
  Store(producer_->overflow_out, 0);
  DORY_CRASH_POINT("overflow.out_forgotten");
}

std::span<const RawMessage> OverflowFile::Read() {
  const uint64_t in = Load(producer_->overflow_in);
  const uint64_t out = Load(producer_->overflow_out);
  if (!Exists() || out > in || in - out < sizeof(Frame)) return SetAside("its positions do not hold");
  Frame frame;
  if (!FillBuffer(out, std::min<uint64_t>(in - out, kReadSize))) return SetAside("it is too short");
  std::memcpy(&frame, buffer_.data(), sizeof(frame));
  const uint64_t whole = sizeof(frame) + frame.size;
  if (whole > in - out) return SetAside("a message overruns it");
  if (whole > buffer_.size() && !FillBuffer(out, whole)) return SetAside("it is too short");
  CollectMessages(out);
  return messages_;
}

bool OverflowFile::FillBuffer(uint64_t at, uint64_t size) {
  buffer_.resize(size);
  return ::pread(file_.get(), buffer_.data(), size, static_cast<off_t>(at)) == static_cast<ssize_t>(size);
}

// All whole messages in the buffer, which begins at `out`.
void OverflowFile::CollectMessages(uint64_t out) {
  messages_.clear();
  size_t at = 0;
  Frame frame;
  while (buffer_.size() - at >= sizeof(frame)) {
    std::memcpy(&frame, buffer_.data() + at, sizeof(frame));
    if (frame.size > buffer_.size() - at - sizeof(frame)) break;
    const ByteSpan bytes = ByteSpan(buffer_).subspan(at + sizeof(frame), frame.size);
    at += sizeof(frame) + frame.size;
    messages_.push_back({.bytes = bytes,
                         .input = frame.input & ~kTruncatedBit,
                         .uid = frame.uid,
                         .truncated = (frame.input & kTruncatedBit) != 0,
                         .out = out + at});
  }
}

std::span<const RawMessage> OverflowFile::SetAside(const char* why) {
  const std::string aside = path_ + ".damaged";
  LogError("{}: {}: bytes [{}, {}) can't be published; set aside as {}", path_, why,
           Load(producer_->overflow_out), Load(producer_->overflow_in), aside);
  if (Exists() && std::rename(path_.c_str(), aside.c_str()) != 0) {
    LogError("rename of {}: {}", path_, std::strerror(errno));
  }
  file_.Reset();
  ForgetPositions();
  return {};
}

Result<uint64_t> OverflowFile::Append(std::span<const RawMessage> messages) {
  assert(IsPossible() && messages.size() <= shm::kSlotCount);
  if (!Exists()) file_.Reset(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!Exists()) return Status::Errno(path_);
  DORY_CRASH_POINT("overflow.created");
  std::array<Frame, shm::kSlotCount> frames;
  std::array<iovec, 2 * shm::kSlotCount> parts;
  size_t size = 0;
  for (size_t i = 0; i < messages.size(); ++i) {
    const RawMessage& message = messages[i];
    frames[i] = {static_cast<uint32_t>(message.bytes.size()),
                 message.input | (message.truncated ? kTruncatedBit : 0), message.uid};
    parts[2 * i] = {&frames[i], sizeof(Frame)};
    parts[2 * i + 1] = {const_cast<std::byte*>(message.bytes.data()), message.bytes.size()};
    size += sizeof(Frame) + message.bytes.size();
  }
  const uint64_t at = Load(producer_->overflow_in);
  const ssize_t written =
      ::pwritev(file_.get(), parts.data(), static_cast<int>(2 * messages.size()), static_cast<off_t>(at));
  DORY_CRASH_POINT("overflow.written");
  if (written != static_cast<ssize_t>(size)) {
    return written < 0 ? Status::Errno(path_) : Status::Error(path_ + ": no room for all of a burst");
  }
  return at + size;
}

}  // namespace dory::intake
