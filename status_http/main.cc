// dory-status: the page and the reports over HTTP. Started by dory, never by hand.

#include <csignal>
#include <cstdlib>

#include "common/worker_context.h"

int main() {
  const std::unique_ptr<dory::WorkerContext> context = dory::BeginWorker("status", SIGKILL);
  context->handlers.on_link_end = [] { std::_Exit(dory::kExitAsked); };
  context->SendReady();
  context->loop.Run();
  return EXIT_SUCCESS;
}
