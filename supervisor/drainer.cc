#include "supervisor/drainer.h"

#include <algorithm>

#include "common/clock.h"

namespace dory::supervisor {
namespace {

constexpr int64_t kPollMs = 20;

}  // namespace

void Drainer::Drain(uint64_t timeout_ms, Done done) {
  const auto limit_ms = static_cast<int64_t>(std::min<uint64_t>(timeout_ms, INT64_MAX / 2));
  waiting_.push_back({MonotonicMs() + limit_ms, std::move(done)});
  if (!active()) {
    host_->draining = true;
    Tell(true);
  }
  poll_.StartOnce(0);
}

bool Drainer::TakeBack() {
  if (!active()) return false;
  host_->draining = false;
  holding_.clear();
  Tell(false);
  Poll();
  return true;
}

void Drainer::Tell(bool drain) {
  control::ToWorker message;
  message.set_drain(drain);
  for (const auto& worker : workers_) worker->Send(message);
}

void Drainer::OnWorkerChange(const Worker& worker) {
  if (worker.state() != WorkerState::kUp) holding_.erase(worker.name());
}

bool Drainer::IsEmpty() const {
  const bool all_hold = std::all_of(workers_.begin(), workers_.end(), [this](const std::unique_ptr<Worker>& worker) {
    return worker->role() != shm::Role::kIntake || holding_.contains(worker->name());
  });
  return all_hold && count_buffered_() == 0;
}

void Drainer::Poll() {
  const bool over = !active() || IsEmpty();
  const int64_t now_ms = MonotonicMs();
  std::vector<Waiting> answered;
  std::erase_if(waiting_, [&](Waiting& waiting) {
    if (!over && now_ms < waiting.until_ms) return false;
    answered.push_back(std::move(waiting));
    return true;
  });
  for (const Waiting& waiting : answered) waiting.done(count_buffered_());
  if (!waiting_.empty()) poll_.StartOnce(kPollMs);
}

}  // namespace dory::supervisor
