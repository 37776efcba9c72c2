#include "supervisor/status_gatherer.h"

#include <utility>

namespace dory::supervisor {

void StatusGatherer::Ask(Done done) {
  waiting_.push_back(std::move(done));
  if (waiting_.size() > 1) return;
  control::ToWorker request;
  request.set_status_request(++round_);
  gathered_ = {};
  awaited_.clear();
  for (const auto& worker : workers_) {
    if (worker->state() != WorkerState::kUp || !worker->role()) continue;
    awaited_.insert(worker->name());
    worker->Send(request);
  }
  if (awaited_.empty()) return Finish();
  limit_.StartOnce(kStatusLimitMs);
}

void StatusGatherer::AskAnew(Done done) {
  if (waiting_.empty()) return Ask(std::move(done));
  Ask([this, done = std::move(done)](const GatheredStatus&) { Ask(done); });
}

void StatusGatherer::OnAnswer(const Worker& worker, const control::WorkerStatus& status) {
  if (waiting_.empty() || status.number() != round_) return;  // too late
  gathered_.answers[worker.name()] = status;
  if (awaited_.erase(worker.name()) > 0 && awaited_.empty()) Finish();
}

void StatusGatherer::OnWorkerChange(const Worker& worker) {
  if (waiting_.empty() || worker.state() == WorkerState::kUp) return;
  if (awaited_.erase(worker.name()) > 0 && awaited_.empty()) Finish();
}

void StatusGatherer::Finish() {
  limit_.Stop();
  gathered_.silent.assign(awaited_.begin(), awaited_.end());
  const GatheredStatus gathered = std::exchange(gathered_, {});
  for (const Done& done : std::exchange(waiting_, {})) done(gathered);  // who may ask again
}

}  // namespace dory::supervisor
