// The log: one line a thing that happened, to stderr, syslog or a file. spdlog is named in log.cc only.
//
//     LogWarning("broker {}: connection refused", id)   formats as std::format does
//
// Not for the data path. Payload and secrets never come here.

#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>

#include "common/config.h"
#include "common/status.h"

namespace dory {

// Where lines go and from which level; may be called again (reload). `program` stands in every line.
Status OpenLog(const std::string& program, const std::string& to, LogLevel level);

// Opens the log's file anew, after it was renamed.
void ReopenLog();

void WriteLog(LogLevel level, std::string_view line);
bool LogsAt(LogLevel level);

template <typename... Args>
void Log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (LogsAt(level)) WriteLog(level, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void LogDebug(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kDebug, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogInfo(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kInfo, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogWarning(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kWarning, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogError(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kError, format, std::forward<Args>(args)...);
}

}  // namespace dory
