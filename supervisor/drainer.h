// doryctl drain: inputs stay bound and unread, so that senders wait, while all that is buffered is
// delivered; it lasts until it is taken back, whether everything was delivered in its time or not.
//
// On crash: a worker that dies meanwhile has a successor that is born draining (Hello.drain). A
//   supervisor that dies has a successor that is not.

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

class Drainer {
 public:
  // `left` is how many messages are buffered once everything is delivered or the time is over.
  using Done = std::function<void(uint64_t left)>;

  Drainer(EventLoop& loop, WorkerHost* host, const std::vector<std::unique_ptr<Worker>>& workers,
          std::function<uint64_t()> count_buffered)
      : host_(host), workers_(workers), count_buffered_(std::move(count_buffered)), poll_(loop, [this] { Poll(); }) {}

  // Begins, or goes on where it has begun.
  void Drain(uint64_t timeout_ms, Done done);

  // False: nothing was being drained.
  bool TakeBack();

  bool active() const { return host_->draining; }
  void OnHolding(const Worker& worker) { holding_.insert(worker.name()); }
  void OnWorkerChange(const Worker& worker);

 private:
  struct Waiting {
    int64_t until_ms;
    Done done;
  };

  void Tell(bool drain);
  bool IsEmpty() const;
  void Poll();

  WorkerHost* host_;
  const std::vector<std::unique_ptr<Worker>>& workers_;
  std::function<uint64_t()> count_buffered_;
  Timer poll_;
  std::set<std::string> holding_;  // intakes that said that they read nothing
  std::vector<Waiting> waiting_;
};

}  // namespace dory::supervisor
