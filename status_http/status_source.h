// Where the pages have the status from: the supervisor, asked over the control link when somebody wants
// it and what we have is not fresh.
//
// Order: one question is under way at most, so that one answer at most waits for us at the supervisor.
// Errors: who does not have an answer in time gets none; the question stays open, and its answer serves
//   those who come later.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/event_loop.h"
#include "status_http/json_fields.h"

namespace dory::status_http {

inline constexpr int64_t kFreshMs = 200;
// A status that took long (thousands of topics) is fresh for so many times as long: however many ask, the
// supervisor has most of its time for other things.
inline constexpr int64_t kFreshTimesCost = 4;
inline constexpr int64_t kAnswerLimitMs = 3000;

struct Snapshot {
  Json status;
  int64_t taken_at = 0;  // seconds since 1970
};

class StatusSource {
 public:
  // nullptr: dory did not answer in time.
  using Done = std::function<void(const std::shared_ptr<const Snapshot>& snapshot)>;

  // `ask` sends the question.
  StatusSource(EventLoop& loop, std::function<void()> ask)
      : ask_(std::move(ask)), limit_(loop, [this] { Finish(nullptr); }) {}

  // `done` is called at once where the last status is fresh.
  void Get(Done done);

  void OnStatusJson(const std::string& json);

 private:
  void Finish(const std::shared_ptr<const Snapshot>& snapshot);

  const std::function<void()> ask_;
  Timer limit_;
  bool asked_ = false;
  std::shared_ptr<const Snapshot> last_;
  int64_t asked_ms_ = 0;
  int64_t fresh_until_ms_ = 0;
  std::vector<Done> waiting_;
};

}  // namespace dory::status_http
