#include "status_http/status_worker.h"

#include <algorithm>
#include <cstdlib>

#include "common/control.pb.h"
#include "common/log.h"
#include "status_http/listener.h"

namespace dory::status_http {

StatusWorker::StatusWorker(WorkerContext& context)
    : context_(context), source_(context.loop, [this] { AskForStatus(); }), site_(source_),
      server_(context.loop,
              [this](const HttpRequest& request, const HttpServer::Reply& reply) { site_.Answer(request, reply); }),
      retry_(context.loop, [this] { Listen(); }) {}

void StatusWorker::Run() {
  context_.handlers.on_link_end = [] { std::_Exit(kExitAsked); };
  context_.handlers.on_status_json = [this](const std::string& json) { source_.OnStatusJson(json); };
  context_.handlers.fill_status = [this](control::WorkerStatus* status) { FillStatus(status); };
  context_.SendReady();
  Listen();
  context_.loop.Run();
}

void StatusWorker::AskForStatus() {
  control::FromWorker message;
  message.set_status_wanted(true);
  context_.link->Send(message);
}

void StatusWorker::Listen() {
  Result<FileDescriptor> listener = ListenOn(context_.config.http_listen);
  const Status status = listener.ok() ? server_.Start(listener.Take()) : listener.status();
  TellTrouble(status.message());
  if (status.ok()) {
    LogInfo("listens on http://{}/", FormatHostPort(context_.config.http_listen));
    return;
  }
  retry_.StartOnce(retry_ms_);
  retry_ms_ = std::min(2 * retry_ms_, kLongestRetryMs);
}

// Once, not with every try.
void StatusWorker::TellTrouble(const std::string& trouble) {
  if (trouble == trouble_) return;
  trouble_ = trouble;
  if (!trouble.empty()) LogWarning("can't listen, tries again: {}", trouble);
  control::FromWorker message;
  FillStatus(message.mutable_status());
  context_.link->Send(message);
}

void StatusWorker::FillStatus(control::WorkerStatus* status) const {
  if (!trouble_.empty()) status->add_warnings("dory-status can't listen, tries again: " + trouble_);
}

}  // namespace dory::status_http
