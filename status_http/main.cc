// dory-status: the page and the reports over HTTP. Started by dory, never by hand.

#include <csignal>
#include <cstdlib>

#include "common/worker_context.h"
#include "status_http/status_worker.h"

int main() {
  const std::unique_ptr<dory::WorkerContext> context = dory::BeginWorker("status", SIGKILL);
  dory::status_http::StatusWorker worker(*context);
  worker.Run();
  return EXIT_SUCCESS;
}
