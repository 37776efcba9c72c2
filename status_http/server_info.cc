#include "status_http/server_info.h"

#include <fmt/core.h>

#include <ctime>

namespace dory::status_http {

std::string FormatTime(int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  ::localtime_r(&time, &parts);
  char text[64];
  const size_t size = std::strftime(text, sizeof(text), "%a %b %e %H:%M:%S %Y", &parts);
  return fmt::format("{} {}", seconds, std::string_view(text, size));
}

std::string FormatServerInfo(const Json& status, int64_t now) {
  return fmt::format("pid: {}\nversion: {}\nsince: {}\nnow: {}\n", Number(status, "pid"), Text(status, "version"),
                     FormatTime(static_cast<int64_t>(Number(status, "started_at"))), FormatTime(now));
}

Json MakeServerInfo(const Json& status, int64_t now) {
  return {{"pid", Number(status, "pid")},
          {"version", Text(status, "version")},
          {"since", Number(status, "started_at")},
          {"now", now}};
}

}  // namespace dory::status_http
