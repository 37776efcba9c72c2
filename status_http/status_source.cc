#include "status_http/status_source.h"

#include <algorithm>
#include <utility>

#include "common/clock.h"
#include "common/log.h"

namespace dory::status_http {

void StatusSource::Get(Done done) {
  if (last_ && MonotonicMs() < fresh_until_ms_) return done(last_);
  waiting_.push_back(std::move(done));
  if (!limit_.active()) limit_.StartOnce(kAnswerLimitMs);
  if (std::exchange(asked_, true)) return;
  asked_ms_ = MonotonicMs();
  ask_();
}

void StatusSource::OnStatusJson(const std::string& json) {
  asked_ = false;
  Json status = Json::parse(json, nullptr, false);
  if (!status.is_object()) {
    LogError("a status that can't be read");
    return Finish(nullptr);
  }
  last_ = std::make_shared<Snapshot>(Snapshot{std::move(status), WallClockMs() / 1000});
  const int64_t now_ms = MonotonicMs();
  fresh_until_ms_ = now_ms + std::max(kFreshMs, kFreshTimesCost * (now_ms - asked_ms_));
  Finish(last_);
}

void StatusSource::Finish(const std::shared_ptr<const Snapshot>& snapshot) {
  limit_.Stop();
  std::vector<Done> waiting;
  waiting.swap(waiting_);
  for (const Done& done : waiting) done(snapshot);
}

}  // namespace dory::status_http
