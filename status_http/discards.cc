#include "status_http/discards.h"

#include <fmt/core.h>

#include <string_view>
#include <vector>

#include "status_http/server_info.h"

namespace dory::status_http {
namespace {

constexpr const char* kRateLimit = "rate_limit";  // has a list of its own

// What is counted without a topic: key and text of the old report, our reason.
struct CountRow {
  const char* key;
  const char* text;
  const char* reason;
};

constexpr CountRow kCounts[] = {
    {"malformed_msg_count", "malformed msg count", "malformed"},
    {"unix_stream_unclean_disconnect_count", "UNIX stream unclean disconnect count", "unclean_disconnect_unix"},
    {"tcp_unclean_disconnect_count", "TCP unclean disconnect count", "unclean_disconnect_tcp"},
    {"unsupported_api_key_msg_count", "unsupported API key msg count", "unsupported_key"},
    {"unsupported_version_msg_count", "unsupported version msg count", "unsupported_version"},
    {"bad_topic_msg_count", "bad topic msg count", "bad_topic"},
};

// The beginnings of bad messages: key and text of the old report, our kind.
constexpr CountRow kRecentBefore[] = {
    {"recent_malformed", "recent malformed msg", "malformed"},
    {"unix_stream_unclean_disconnect", "recent UNIX stream unclean disconnect msg", "unclean_disconnect_unix"},
    {"tcp_unclean_disconnect", "recent TCP unclean disconnect msg", "unclean_disconnect_tcp"},
};
constexpr CountRow kTooLong = {"recent_too_long_msg", "recent too long msg", "too_long"};
constexpr CountRow kBadTopic = {"recent_bad_topic", "recent bad topic", "bad_topic"};

// What our own report wrote: without faults.
std::string DecodeBase64(std::string_view text) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t group = 0;
  int bits = 0;
  for (const char c : text.substr(0, text.find('='))) {
    group = group << 6 | static_cast<uint32_t>(kDigits.find(c) & 63);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(group >> bits & 0xff);
  }
  return bytes;
}

std::vector<std::string> ListPrefixes(const Json& window, const CountRow& row) {
  std::vector<std::string> list;
  for (const Json& prefix : Part(Part(window, "prefixes"), row.reason)) {
    if (prefix.is_string()) list.push_back(prefix.get<std::string>());
  }
  return list;
}

// A line of text stays one, whatever a client has called a topic.
std::string OnOneLine(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ') c = '?';
  }
  return text;
}

// ---- as text

void AddBlock(const std::string& lines, std::string* text) {
  if (!lines.empty()) *text += "\n" + lines;
}

// As the old report: the size of the bytes as they are shown.
void AddPrefixes(const Json& window, const CountRow& row, std::string* text) {
  std::string lines;
  for (const std::string& prefix : ListPrefixes(window, row)) {
    lines += fmt::format("    {}: {}[{}]\n", row.text, prefix.size(), prefix);
  }
  AddBlock(lines, text);
}

void AddBadTopics(const Json& window, std::string* text) {
  std::string lines;
  for (const std::string& prefix : ListPrefixes(window, kBadTopic)) {
    const std::string topic = DecodeBase64(prefix);
    lines += fmt::format("    {}: {}[{}]\n", kBadTopic.text, topic.size(), OnOneLine(topic));
  }
  AddBlock(lines, text);
}

std::string FormatEntry(const char* what, const Json& entry) {
  const std::string topic = OnOneLine(Text(entry, "topic"));
  const std::string reason = Text(entry, "reason");
  return fmt::format("    {}: {}[{}] begin [{}] end [{}] count {}{}\n", what, topic.size(), topic,
                     Part(entry, "first_timestamp").dump(), Part(entry, "last_timestamp").dump(),
                     Number(entry, "count"), reason.empty() ? "" : " reason " + reason);
}

// A blank line before each list that holds something, as before.
void AddLists(const Json& window, std::string* text) {
  for (const CountRow& row : kRecentBefore) AddPrefixes(window, row, text);
  std::string versions;
  for (const Json& kind : Part(window, "unsupported_versions")) {
    versions += fmt::format("    unsupported msg version: {} count: {}\n", Part(kind, "version").dump(),
                            Number(kind, "count"));
  }
  AddBlock(versions, text);
  AddBadTopics(window, text);
  AddPrefixes(window, kTooLong, text);
  std::string rate_limited;
  std::string discarded;
  for (const Json& entry : Part(window, "topics")) {
    if (Text(entry, "reason") == kRateLimit) {
      const std::string topic = Text(entry, "topic");
      rate_limited += fmt::format("    rate limit discard topic: {}[{}] count {}\n", topic.size(), OnOneLine(topic),
                                  Number(entry, "count"));
    } else {
      discarded += FormatEntry("discard topic", entry);
    }
  }
  std::string duplicates;
  for (const Json& entry : Part(window, "possible_duplicates")) {
    duplicates += FormatEntry("possible duplicate topic", entry);
  }
  for (const std::string& list : {rate_limited, discarded, duplicates}) AddBlock(list, text);
}

std::string FormatWindow(const Json& window, const char* title) {
  std::string text = fmt::format("\n{} reporting period:\n    report ID: {}\n    start time: {}\n", title,
                                 Number(window, "id"),
                                 FormatTime(static_cast<int64_t>(Number(window, "start_time"))));
  for (const CountRow& row : kCounts) {
    text += fmt::format("    {}: {}\n", row.text, Number(Part(window, "rejected_by"), row.reason));
  }
  AddLists(window, &text);
  return text;
}

// ---- as JSON

Json MakeEntry(const Json& entry) {
  Json json = {{"topic", Text(entry, "topic")},
               {"min_timestamp", Part(entry, "first_timestamp")},
               {"max_timestamp", Part(entry, "last_timestamp")},
               {"count", Number(entry, "count")}};
  const std::string reason = Text(entry, "reason");
  if (!reason.empty()) json["reason"] = reason;
  return json;
}

Json MakeVersions(const Json& window) {
  Json list = Json::array();
  for (const Json& kind : Part(window, "unsupported_versions")) {
    list.push_back({{"version", Part(kind, "version")},
                    {"count", Number(kind, "count")},
                    {"api_key", Part(kind, "api_key")}});
  }
  return list;
}

void AddTopics(const Json& window, Json* report) {
  Json rate_limited = Json::array();
  Json discarded = Json::array();
  for (const Json& entry : Part(window, "topics")) {
    if (Text(entry, "reason") == kRateLimit) {
      rate_limited.push_back({{"topic", Text(entry, "topic")}, {"count", Number(entry, "count")}});
    } else {
      discarded.push_back(MakeEntry(entry));
    }
  }
  Json duplicates = Json::array();
  for (const Json& entry : Part(window, "possible_duplicates")) duplicates.push_back(MakeEntry(entry));
  (*report)["rate_limit_discard"] = std::move(rate_limited);
  (*report)["discard_topic"] = std::move(discarded);
  (*report)["possible_duplicate_topic"] = std::move(duplicates);
}

// Topics that are none are shown as they came, as before; and as bytes, since they may be no text.
Json MakeWindow(const Json& window) {
  Json report = {{"id", Number(window, "id")}, {"start_time", Number(window, "start_time")}};
  for (const CountRow& row : kCounts) report[row.key] = Number(Part(window, "rejected_by"), row.reason);
  for (const CountRow& row : kRecentBefore) report[row.key] = ListPrefixes(window, row);
  report["unsupported_msg_version"] = MakeVersions(window);
  Json& bad_topics = report[kBadTopic.key] = Json::array();
  for (const std::string& prefix : ListPrefixes(window, kBadTopic)) bad_topics.push_back(DecodeBase64(prefix));
  report["recent_bad_topic_base64"] = ListPrefixes(window, kBadTopic);
  report[kTooLong.key] = ListPrefixes(window, kTooLong);
  AddTopics(window, &report);
  report["rejected_by"] = Part(window, "rejected_by");
  report["discarded_by"] = Part(window, "discarded_by");
  return report;
}

}  // namespace

std::string FormatDiscards(const Json& status, int64_t now) {
  const Json& report = Part(status, "discard_report");
  std::string text = FormatServerInfo(status, now) +
                     fmt::format("report interval in seconds: {}\n", Number(report, "interval_s")) +
                     FormatWindow(Part(report, "unfinished"), "current (unfinished)");
  if (report.contains("finished")) text += FormatWindow(report["finished"], "latest finished");
  return text;
}

Json MakeDiscards(const Json& status, int64_t now) {
  const Json& report = Part(status, "discard_report");
  Json json = MakeServerInfo(status, now);
  json["interval"] = Number(report, "interval_s");
  json["unfinished_report"] = MakeWindow(Part(report, "unfinished"));
  if (report.contains("finished")) json["finished_report"] = MakeWindow(report["finished"]);
  return json;
}

}  // namespace dory::status_http
