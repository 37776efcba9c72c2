#include "status_http/discards.h"

#include <fmt/core.h>

#include <functional>
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

// Nothing is known of these yet.
constexpr const char* kRecentBefore[] = {"recent_malformed", "unix_stream_unclean_disconnect",
                                         "tcp_unclean_disconnect"};
constexpr const char* kRecentAfter[] = {"recent_bad_topic", "recent_too_long_msg"};

struct TopicCount {
  std::string topic;
  std::string reason;
  uint64_t count;
};

// Everything that is counted by topic, from both sides: what intake rejected, what was discarded later.
std::vector<TopicCount> ListByTopic(const Json& status) {
  std::vector<TopicCount> list;
  for (const Json& topic : Part(status, "topics")) {
    for (const char* side : {"rejected_by", "discarded_by"}) {
      const Json& reasons = Part(topic, side);
      for (const auto& [reason, count] : reasons.items()) {
        list.push_back({Text(topic, "name"), reason, Number(reasons, reason.c_str())});
      }
    }
  }
  return list;
}

std::vector<TopicCount> ListDuplicates(const Json& status) {
  std::vector<TopicCount> list;
  for (const Json& topic : Part(status, "topics")) {
    const uint64_t count = Number(topic, "possible_duplicates");
    if (count > 0) list.push_back({Text(topic, "name"), "", count});
  }
  return list;
}

void AddLine(const char* what, const TopicCount& entry, std::string* text) {
  const std::string reason = entry.reason.empty() ? "" : " reason " + entry.reason;
  *text += fmt::format("    {}: {}[{}] begin [0] end [0] count {}{}\n", what, entry.topic.size(), entry.topic,
                       entry.count, reason);
}

// A blank line before each list that holds something, as before.
void AddLists(const Json& status, std::string* text) {
  std::string versions;
  for (const Json& kind : Part(status, "unsupported_versions")) {
    versions += fmt::format("    unsupported msg version: {} count: {}\n", Part(kind, "version").dump(),
                            Number(kind, "count"));
  }
  std::string rate_limited;
  std::string discarded;
  std::string duplicates;
  for (const TopicCount& entry : ListByTopic(status)) {
    if (entry.reason == kRateLimit) {
      rate_limited += fmt::format("    rate limit discard topic: {}[{}] count {}\n", entry.topic.size(), entry.topic,
                                  entry.count);
    } else {
      AddLine("discard topic", entry, &discarded);
    }
  }
  for (const TopicCount& entry : ListDuplicates(status)) AddLine("possible duplicate topic", entry, &duplicates);
  for (const std::string& list : {versions, rate_limited, discarded, duplicates}) {
    if (!list.empty()) *text += "\n" + list;
  }
}

Json MakeEntry(const TopicCount& entry) {
  Json json = {{"topic", entry.topic}, {"min_timestamp", 0}, {"max_timestamp", 0}, {"count", entry.count}};
  if (!entry.reason.empty()) json["reason"] = entry.reason;
  return json;
}

// The entries that `belongs` picks, as `make` writes them.
template <typename Belongs, typename Make>
Json MakeList(const std::vector<TopicCount>& entries, Belongs belongs, Make make) {
  Json list = Json::array();
  for (const TopicCount& entry : entries) {
    if (belongs(entry)) list.push_back(make(entry));
  }
  return list;
}

Json MakeVersions(const Json& status) {
  Json list = Json::array();
  for (const Json& kind : Part(status, "unsupported_versions")) {
    list.push_back({{"version", Part(kind, "version")},
                    {"count", Number(kind, "count")},
                    {"api_key", Part(kind, "api_key")}});
  }
  return list;
}

Json MakeReport(const Json& status) {
  const std::vector<TopicCount> by_topic = ListByTopic(status);
  const auto is_rate_limit = [](const TopicCount& entry) { return entry.reason == kRateLimit; };
  Json report = {{"id", 0}, {"start_time", Number(status, "counted_since")}};
  for (const CountRow& row : kCounts) report[row.key] = Number(Part(status, "rejected_by"), row.reason);
  for (const char* list : kRecentBefore) report[list] = Json::array();
  report["unsupported_msg_version"] = MakeVersions(status);
  for (const char* list : kRecentAfter) report[list] = Json::array();
  report["rate_limit_discard"] = MakeList(by_topic, is_rate_limit, [](const TopicCount& entry) -> Json {
    return {{"topic", entry.topic}, {"count", entry.count}};
  });
  report["discard_topic"] = MakeList(by_topic, std::not_fn(is_rate_limit), MakeEntry);
  report["possible_duplicate_topic"] =
      MakeList(ListDuplicates(status), [](const TopicCount&) { return true; }, MakeEntry);
  report["rejected_by"] = Part(status, "rejected_by");
  report["discarded_by"] = Part(status, "discarded_by");
  return report;
}

}  // namespace

std::string FormatDiscards(const Json& status, int64_t now) {
  std::string text = FormatServerInfo(status, now) +
                     "report interval in seconds: 0\n\ncurrent (unfinished) reporting period:\n    report ID: 0\n";
  text += fmt::format("    start time: {}\n", FormatTime(static_cast<int64_t>(Number(status, "counted_since"))));
  for (const CountRow& row : kCounts) {
    text += fmt::format("    {}: {}\n", row.text, Number(Part(status, "rejected_by"), row.reason));
  }
  AddLists(status, &text);
  return text;
}

Json MakeDiscards(const Json& status, int64_t now) {
  Json json = MakeServerInfo(status, now);
  json["interval"] = 0;
  json["unfinished_report"] = MakeReport(status);
  return json;
}

}  // namespace dory::status_http
