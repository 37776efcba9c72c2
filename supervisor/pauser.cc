#include "supervisor/pauser.h"

#include <algorithm>

namespace dory::supervisor {

Status Pauser::CheckWorkers() const {
  if (active()) return Status::Error("a check is under way already");
  for (const auto& worker : workers_) {
    const bool moves = worker->state() == WorkerState::kStarting || worker->state() == WorkerState::kStopping;
    if (moves && worker->role()) return Status::Error(worker->name() + " is " + std::string(NameOf(worker->state())) + "; try again");
  }
  return Status::Ok();
}

void Pauser::Pause(uint64_t session, uint64_t pause_ms, Done done) {
  const Status status = CheckWorkers();
  if (!status.ok()) return done(status);
  pause_ms = std::clamp<uint64_t>(pause_ms, 1, kLongestPauseMs);
  session_ = session;
  host_->spawns_held = true;
  done_ = std::move(done);
  control::ToWorker message;
  message.set_pause(pause_ms);
  awaited_.clear();
  for (const auto& worker : workers_) {
    if (worker->state() != WorkerState::kUp || !worker->role()) continue;
    awaited_.insert(worker->name());
    worker->Send(message);
  }
  end_.StartOnce(static_cast<int64_t>(pause_ms));  // from before the first worker's own clock
  answer_limit_.StartOnce(kPausedAnswerLimitMs);
  if (awaited_.empty()) OnAllPaused();
}

void Pauser::OnPaused(const Worker& worker) {
  if (awaited_.erase(worker.name()) > 0 && awaited_.empty()) OnAllPaused();
}

void Pauser::OnWorkerChange(const Worker& worker) {
  if (!active() || HasProcess(worker.state())) return;
  if (awaited_.erase(worker.name()) > 0 && awaited_.empty()) OnAllPaused();
}

void Pauser::OnAllPaused() {
  answer_limit_.Stop();
  if (done_) std::exchange(done_, nullptr)(Status::Ok());
}

bool Pauser::Resume(uint64_t session) {
  if (session_ != session) return false;
  End();
  return true;
}

void Pauser::End() {
  if (!active()) return;
  const std::string late = awaited_.empty() ? "" : *awaited_.begin();
  answer_limit_.Stop();
  end_.Stop();
  session_ = 0;
  host_->spawns_held = false;
  awaited_.clear();
  control::ToWorker message;
  message.set_resume(true);
  for (const auto& worker : workers_) worker->Send(message);
  if (done_) std::exchange(done_, nullptr)(Status::Error(late + " did not pause in time"));
}

}  // namespace dory::supervisor
