// The paths that there are, and who makes what stands there.
//
// Order: everything changes nothing, so GET and HEAD are the only methods.
// Errors: 404 for another path, 405 for another method, 503 where dory does not answer.

#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "status_http/http_server.h"
#include "status_http/status_source.h"

namespace dory::status_http {

class Site {
 public:
  explicit Site(StatusSource& source) : source_(source) {}

  void Answer(const HttpRequest& request, const HttpServer::Reply& reply);

 private:
  SharedAnswer Render(std::string_view path, const std::shared_ptr<const Snapshot>& snapshot);

  StatusSource& source_;
  // What was made of the last snapshot: who asks for the same gets the same.
  std::shared_ptr<const Snapshot> rendered_of_;
  std::map<std::string_view, SharedAnswer> rendered_;
};

}  // namespace dory::status_http
