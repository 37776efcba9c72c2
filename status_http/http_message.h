// What the HTTP server hands on, and what it gets back.

#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace dory::status_http {

inline constexpr unsigned kOk = 200;
inline constexpr unsigned kNotFound = 404;
inline constexpr unsigned kMethodNotAllowed = 405;
inline constexpr unsigned kUnavailable = 503;

struct HttpRequest {
  std::string method;
  std::string path;  // as it was sent, without the query
};

struct HttpAnswer {
  unsigned code = kOk;
  std::string_view content_type;
  std::string body;
};

// An answer is made once and may go to many clients, slow ones among them.
using SharedAnswer = std::shared_ptr<const HttpAnswer>;

}  // namespace dory::status_http
