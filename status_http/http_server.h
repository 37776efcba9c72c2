// The HTTP server, and the only place that names libmicrohttpd: it reads requests, hands each on, and
// writes the answer when there is one. One request a connection.
//
// Owner: dory-status. libmicrohttpd runs within our event loop, without a thread; nothing here blocks.
// Errors: a request that is none, is too large or does not come in time costs its connection. There are
//   at most kMostConnections, none lives longer than kConnectionLifeMs, and who asks for more waits in
//   the kernel.

#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "common/event_loop.h"
#include "common/file_descriptor.h"
#include "common/status.h"
#include "status_http/http_message.h"

struct MHD_Connection;
struct MHD_Daemon;

namespace dory::status_http {

inline constexpr unsigned kMostConnections = 64;
inline constexpr size_t kConnectionMemory = 16 * 1024;  // a request's line and fields
inline constexpr unsigned kSilenceLimitS = 5;           // without a byte either way
inline constexpr int64_t kConnectionLifeMs = 20'000;    // whatever moves

class HttpServer {
 public:
  using Reply = std::function<void(SharedAnswer)>;
  // `reply` is called once, now or later.
  using OnRequest = std::function<void(const HttpRequest& request, Reply reply)>;

  HttpServer(EventLoop& loop, OnRequest on_request);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // `listener` is bound and listens. REQUIRES: not started yet.
  Status Start(FileDescriptor listener);

 private:
  struct Exchange;  // a request and its answer
  struct Callbacks;

  void Turn();
  void CutOld();

  EventLoop& loop_;
  const OnRequest on_request_;
  MHD_Daemon* daemon_ = nullptr;
  std::unique_ptr<IoWatcher> watcher_;
  Timer turn_;
  Timer cut_old_;
  std::map<MHD_Connection*, int64_t> connections_;  // and when each began
};

}  // namespace dory::status_http
