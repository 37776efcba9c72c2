#include "status_http/http_server.h"

#include <microhttpd.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstring>
#include <utility>

#include "common/clock.h"
#include "common/log.h"

namespace dory::status_http {
namespace {

constexpr int64_t kCutOldEveryMs = 1000;

// Of every answer. The page takes nothing from elsewhere, and what it shows is never run.
constexpr std::pair<const char*, const char*> kFields[] = {
    {MHD_HTTP_HEADER_CONNECTION, "close"},
    {MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
    {"X-Content-Type-Options", "nosniff"},
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
     "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
};

void WriteLibraryLog(void*, const char* format, va_list arguments) {
  if (!LogsAt(LogLevel::kDebug)) return;
  char line[512];
  std::vsnprintf(line, sizeof(line), format, arguments);
  LogDebug("http: {}", std::string_view(line).substr(0, std::string_view(line).find_last_not_of('\n') + 1));
}

// No path of ours has an escape, and what is not decoded holds no surprise.
size_t KeepEscapes(void*, MHD_Connection*, char* text) { return std::strlen(text); }

void ReleaseAnswer(void* shared) { delete static_cast<SharedAnswer*>(shared); }

MHD_Result Queue(MHD_Connection* connection, const SharedAnswer& answer) {
  MHD_Response* const response = ::MHD_create_response_from_buffer_with_free_callback_cls(
      answer->body.size(), const_cast<char*>(answer->body.data()), ReleaseAnswer, new SharedAnswer(answer));
  if (response == nullptr) return MHD_NO;
  for (const auto& [name, value] : kFields) ::MHD_add_response_header(response, name, value);
  ::MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, std::string(answer->content_type).c_str());
  if (answer->code == kMethodNotAllowed) ::MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  const MHD_Result queued = ::MHD_queue_response(connection, answer->code, response);
  ::MHD_destroy_response(response);
  return queued;
}

}  // namespace

struct HttpServer::Exchange {
  SharedAnswer answer;
  bool suspended = false;
};

// What libmicrohttpd calls, from within MHD_run.
struct HttpServer::Callbacks {
  // Called when a request's fields are there, and again when its connection was resumed. A body is never
  // read: no page takes one.
  static MHD_Result OnAccess(void* cls, MHD_Connection* connection, const char* path, const char* method,
                             const char* /*version*/, const char* /*body*/, size_t* /*body_size*/, void** kept) {
    auto* const server = static_cast<HttpServer*>(cls);
    auto* exchange = static_cast<Exchange*>(*kept);
    if (exchange == nullptr) {
      *kept = exchange = new Exchange;
      server->on_request_({method, path}, [server, connection, exchange](SharedAnswer answer) {
        exchange->answer = std::move(answer);
        if (!std::exchange(exchange->suspended, false)) return;
        ::MHD_resume_connection(connection);
        server->turn_.StartOnce(0);
      });
    }
    if (exchange->answer) return Queue(connection, exchange->answer);
    exchange->suspended = true;
    ::MHD_suspend_connection(connection);
    return MHD_YES;
  }

  // Never of a suspended connection, so that whoever has the reply may call it.
  static void OnCompleted(void*, MHD_Connection*, void** kept, MHD_RequestTerminationCode) {
    delete static_cast<Exchange*>(std::exchange(*kept, nullptr));
  }

  static void OnConnection(void* cls, MHD_Connection* connection, void**, MHD_ConnectionNotificationCode code) {
    auto* const server = static_cast<HttpServer*>(cls);
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
      server->connections_.erase(connection);
      return;
    }
    server->connections_.emplace(connection, MonotonicMs());
    if (!server->cut_old_.active()) server->cut_old_.StartOnce(kCutOldEveryMs);
  }
};

HttpServer::HttpServer(EventLoop& loop, OnRequest on_request)
    : loop_(loop), on_request_(std::move(on_request)), turn_(loop, [this] { Turn(); }),
      cut_old_(loop, [this] { CutOld(); }) {}

HttpServer::~HttpServer() {
  watcher_.reset();
  if (daemon_ != nullptr) ::MHD_stop_daemon(daemon_);
}

Status HttpServer::Start(FileDescriptor listener) {
  daemon_ = ::MHD_start_daemon(
      MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, nullptr, nullptr, &Callbacks::OnAccess, this,
      MHD_OPTION_EXTERNAL_LOGGER, &WriteLibraryLog, nullptr,                 //
      MHD_OPTION_UNESCAPE_CALLBACK, &KeepEscapes, nullptr,                   //
      MHD_OPTION_LISTEN_SOCKET, listener.get(),                              //
      MHD_OPTION_CONNECTION_LIMIT, kMostConnections,                         //
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionMemory,                 //
      MHD_OPTION_CONNECTION_TIMEOUT, kSilenceLimitS,                         //
      MHD_OPTION_NOTIFY_COMPLETED, &Callbacks::OnCompleted, this,            //
      MHD_OPTION_NOTIFY_CONNECTION, &Callbacks::OnConnection, this,          //
      MHD_OPTION_END);
  if (daemon_ == nullptr) return Status::Error("libmicrohttpd does not start");
  (void)listener.Release();  // the daemon's now
  const MHD_DaemonInfo* const info = ::MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD);
  if (info == nullptr) return Status::Error("libmicrohttpd has no epoll descriptor");
  watcher_ = std::make_unique<IoWatcher>(loop_, info->epoll_fd, [this](int) { Turn(); });
  watcher_->Watch(kReadable);
  return Status::Ok();
}

void HttpServer::Turn() {
  ::MHD_run(daemon_);
  MHD_UNSIGNED_LONG_LONG wait_ms = 0;
  if (::MHD_get_timeout(daemon_, &wait_ms) == MHD_YES) {
    turn_.StartOnce(static_cast<int64_t>(wait_ms));
  } else {
    turn_.Stop();
  }
}

// A client that sends or takes a byte now and then is never silent: it is cut all the same. The library
// sees the end of its socket, and closes it.
void HttpServer::CutOld() {
  const int64_t now_ms = MonotonicMs();
  for (const auto& [connection, began_ms] : connections_) {
    if (now_ms - began_ms < kConnectionLifeMs) continue;
    const MHD_ConnectionInfo* const info = ::MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info != nullptr) ::shutdown(info->connect_fd, SHUT_RDWR);
  }
  if (!connections_.empty()) cut_old_.StartOnce(kCutOldEveryMs);
}

}  // namespace dory::status_http
