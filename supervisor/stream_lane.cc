#include "supervisor/stream_lane.h"

#include <sys/socket.h>

#include <utility>

namespace dory::supervisor {
namespace {

constexpr int kIntakeShift = 36;  // 6.8e10 connections of one supervisor, 2.7e8 intakes of one segment

}  // namespace

StreamLane::StreamLane(EventLoop& loop, uint32_t slots, uint64_t last_intake,
                       std::function<void(uint32_t input)> on_closed)
    : loop_(loop), on_closed_(std::move(on_closed)), connections_(slots),
      next_generation_((last_intake + 1) << kIntakeShift) {
  for (uint32_t slot = slots; slot > 0; --slot) free_.push_back(slot - 1);
}

void StreamLane::Add(FileDescriptor fd, uint32_t input) {
  const uint32_t slot = free_.back();
  free_.pop_back();
  connections_[slot] = {std::move(fd), next_generation_++, input};
  if (hands_over_) HandOver(slot);
}

void StreamLane::HandOver(uint32_t slot) {
  const Connection& connection = connections_[slot];
  link_->Add({slot, connection.generation, connection.input, connection.fd.get()});
}

Result<FileDescriptor> StreamLane::OpenLink() {
  CloseLink();
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    return Status::Errno("socketpair");
  }
  const auto heard = [this](uint32_t slot, uint64_t generation) { OnClosed(slot, generation); };
  link_.emplace(loop_, FileDescriptor(ends[0]), HandOverSender::Callbacks{heard, [] {}});
  return FileDescriptor(ends[1]);
}

void StreamLane::HandOverAll() {
  if (!link_ || hands_over_) return;
  hands_over_ = true;
  for (uint32_t slot = 0; slot < connections_.size(); ++slot) {
    if (connections_[slot].fd.valid()) HandOver(slot);
  }
  link_->AddComplete();
}

void StreamLane::CloseLink() {
  hands_over_ = false;
  if (!link_) return;
  link_->ReadToEnd();
  link_.reset();
}

bool StreamLane::IsHandedOver() const { return open() == 0 || (hands_over_ && link_->idle()); }

// A predecessor's word about a connection that its successor closed as well comes too late.
void StreamLane::OnClosed(uint32_t slot, uint64_t generation) {
  if (slot >= connections_.size()) return;
  Connection& connection = connections_[slot];
  if (!connection.fd.valid() || connection.generation != generation) return;
  connection.fd.Reset();
  free_.push_back(slot);
  on_closed_(connection.input);
}

}  // namespace dory::supervisor
