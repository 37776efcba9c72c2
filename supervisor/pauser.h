// Holds all workers still while doryctl counts what is buffered: none writes the segment, none starts.
//
// A pause ends with Resume, with the session that asked for it, or when its time is over; a worker ends
// its own by the clock as well, so a supervisor that dies leaves nobody standing.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/event_loop.h"
#include "supervisor/worker.h"

namespace dory::supervisor {

inline constexpr int64_t kPausedAnswerLimitMs = 1000;
inline constexpr uint64_t kLongestPauseMs = 10'000;

class Pauser {
 public:
  using Done = std::function<void(const Status&)>;

  Pauser(EventLoop& loop, WorkerHost* host, const std::vector<std::unique_ptr<Worker>>& workers)
      : host_(host), workers_(workers), answer_limit_(loop, [this] { End(); }),
        end_(loop, [this] { End(); }) {}

  // `done` is called once: when all stand still, or with why they do not.
  void Pause(uint64_t session, uint64_t pause_ms, Done done);

  // False: this session's pause was over already.
  bool Resume(uint64_t session);

  void OnPaused(const Worker& worker);
  void OnWorkerChange(const Worker& worker);

 private:
  bool active() const { return session_ != 0; }
  Status CheckWorkers() const;
  void OnAllPaused();
  void End();

  WorkerHost* host_;
  const std::vector<std::unique_ptr<Worker>>& workers_;
  Timer answer_limit_;
  Timer end_;
  uint64_t session_ = 0;  // 0: none
  std::set<std::string> awaited_;
  Done done_;
};

}  // namespace dory::supervisor
