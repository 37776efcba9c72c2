#include "common/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <sys/stat.h>
#include <syslog.h>

#include <memory>

namespace dory {
namespace {

constexpr const char* kLinePattern = "%Y-%m-%dT%H:%M:%S.%e%z %l ";

struct OpenedLog {
  std::shared_ptr<spdlog::logger> logger;
  std::string program;
  std::string to;
  LogLevel level = LogLevel::kInfo;
};

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace: return spdlog::level::trace;
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarning: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::shared_ptr<spdlog::sinks::sink> MakeSink(const std::string& program, const std::string& to) {
  if (to == "stderr") return std::make_shared<spdlog::sinks::stderr_sink_st>();
  if (to == "syslog") {
    return std::make_shared<spdlog::sinks::syslog_sink_st>(program, LOG_PID, LOG_DAEMON, false);
  }
  return std::make_shared<spdlog::sinks::basic_file_sink_st>(to, false);
}

Result<std::shared_ptr<spdlog::logger>> MakeLogger(const std::string& program, const std::string& to,
                                                   LogLevel level) {
  try {
    auto logger = std::make_shared<spdlog::logger>("dory", MakeSink(program, to));
    logger->set_pattern(kLinePattern + program + "[%P]: %v");
    logger->set_level(ToSpdlog(level));
    logger->flush_on(spdlog::level::trace);
    return logger;
  } catch (const spdlog::spdlog_ex& error) {
    return Status::Error("log " + to + ": " + error.what());
  }
}

OpenedLog& GetLog() {
  static OpenedLog log;
  if (!log.logger) {
    Result<std::shared_ptr<spdlog::logger>> logger = MakeLogger("dory", "stderr", LogLevel::kInfo);
    log.logger = logger.Take();
    log.program = "dory";
    log.to = "stderr";
  }
  return log;
}

}  // namespace

Status OpenLog(const std::string& program, const std::string& to, LogLevel level) {
  Result<std::shared_ptr<spdlog::logger>> logger = MakeLogger(program, to, level);
  if (!logger.ok()) return logger.status();
  GetLog() = OpenedLog{logger.Take(), program, to, level};
  return Status::Ok();
}

void ReopenLog() {
  const OpenedLog log = GetLog();
  const Status status = OpenLog(log.program, log.to, log.level);
  if (!status.ok()) LogError("{}", status.message());
}

void WriteLog(LogLevel level, std::string_view line) {
  GetLog().logger->log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

bool LogsAt(LogLevel level) { return level >= GetLog().level; }

}  // namespace dory
