// dory-status as a worker: it asks for the status over its control link, serves the site, and listens.
//
// Order: READY comes before the first try to listen: an address that is taken is no fault of the worker.
// On crash: nothing is lost; the next one starts with nothing.
// Errors: where it can't listen it says so, in the log and to the supervisor, and tries again after 0.1,
//   0.2, 0.4 ... 5 s.

#pragma once

#include "common/event_loop.h"
#include "common/worker_context.h"
#include "status_http/http_server.h"
#include "status_http/site.h"
#include "status_http/status_source.h"

namespace dory::status_http {

inline constexpr int64_t kFirstRetryMs = 100;
inline constexpr int64_t kLongestRetryMs = 5000;

class StatusWorker {
 public:
  explicit StatusWorker(WorkerContext& context);

  // Until the supervisor ends it.
  void Run();

 private:
  void AskForStatus();
  void Listen();
  void TellTrouble(const std::string& trouble);
  void FillStatus(control::WorkerStatus* status) const;

  WorkerContext& context_;
  StatusSource source_;
  Site site_;
  HttpServer server_;
  Timer retry_;
  int64_t retry_ms_ = kFirstRetryMs;
  std::string trouble_;  // why it does not listen; empty: it does
};

}  // namespace dory::status_http
