// Asks the intakes and kafka workers that are up for their status, and waits for the answers, but not for
// long. dory-status is not asked: no answer ever waits for it.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/control.pb.h"
#include "common/event_loop.h"
#include "supervisor/worker.h"

namespace dory::supervisor {

inline constexpr int64_t kStatusLimitMs = 500;

struct GatheredStatus {
  std::map<std::string, control::WorkerStatus> answers;  // by the worker's name
  std::vector<std::string> silent;
};

class StatusGatherer {
 public:
  using Done = std::function<void(const GatheredStatus&)>;

  StatusGatherer(EventLoop& loop, const std::vector<std::unique_ptr<Worker>>& workers)
      : workers_(workers), limit_(loop, [this] { Finish(); }) {}

  // Who asks while a round is under way joins it.
  void Ask(Done done);

  // In a round that has not begun yet: who answers has taken all that it was told before.
  void AskAnew(Done done);
  void OnAnswer(const Worker& worker, const control::WorkerStatus& status);
  void OnWorkerChange(const Worker& worker);

 private:
  void Finish();

  const std::vector<std::unique_ptr<Worker>>& workers_;
  Timer limit_;
  uint64_t round_ = 0;
  std::set<std::string> awaited_;
  GatheredStatus gathered_;
  std::vector<Done> waiting_;
};

}  // namespace dory::supervisor
