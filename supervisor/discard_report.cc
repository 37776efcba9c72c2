#include "supervisor/discard_report.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "common/base64.h"

namespace dory::supervisor {
namespace {

using Json = nlohmann::ordered_json;
using shm::ReportCounters;
using shm::WindowView;
using shm::WorkerReport;

// What was counted of a topic for a reason.
struct Count {
  uint64_t count = 0;
  int64_t first_ms = INT64_MAX;
  int64_t last_ms = INT64_MIN;
};

using Names = std::pair<std::string, std::string>;  // topic, reason

// All workers' windows that began at one time.
struct Window {
  uint64_t id = 0;
  int64_t start_ms = INT64_MAX;
  std::map<std::string, uint64_t> rejected_by;
  std::map<std::string, uint64_t> discarded_by;
  std::map<Names, Count> topics;
  std::map<std::string, Count> duplicates;  // by topic
  std::map<std::pair<int16_t, int16_t>, uint64_t> versions;
  std::map<std::string, std::vector<std::string>> prefixes;
};

uint64_t Less(uint64_t now, uint64_t base) { return now > base ? now - base : 0; }

// Counters as the books have them, in the order of the report's.
ReportCounters CountersOf(const shm::TopicBooks& topic, bool of_intake) {
  if (of_intake) return topic.rejected;
  ReportCounters counters{topic.possible_duplicates};
  std::copy(topic.discarded.begin(), topic.discarded.end(), counters.begin() + 1);
  return counters;
}

// A worker's window: from its base to the next one's, or to the books.
struct Span {
  const WindowView* window;
  const WindowView* next;  // null: it is running
  const shm::Books* books;
  bool of_intake;
};

uint64_t BaseOf(const Span& span, const WindowView& window, uint32_t row, uint32_t counter) {
  if (row >= span.books->topics.size()) return window.no_topic_base[counter];
  return row < window.base.size() ? window.base[row][counter] : 0;
}

uint64_t CountIn(const Span& span, uint32_t row, uint32_t counter) {
  const size_t rows = span.books->topics.size();
  const shm::TopicBooks& topic = row < rows ? span.books->topics[row] : span.books->no_topic;
  const uint64_t end = span.next != nullptr ? BaseOf(span, *span.next, row, counter)
                                            : CountersOf(topic, span.of_intake)[counter];
  return Less(end, BaseOf(span, *span.window, row, counter));
}

class Sum {
 public:
  explicit Sum(Window* sum) : sum_(*sum) {}

  void Add(const Span& span) {
    sum_.id = std::max(sum_.id, span.window->id);
    sum_.start_ms = std::min(sum_.start_ms, span.window->start_ms);
    const auto rows = static_cast<uint32_t>(span.books->topics.size());
    for (uint32_t row = 0; row <= rows; ++row) AddRow(span, row, row < rows);
    AddTimes(span);
    if (!span.of_intake) return;
    AddVersions(span);
    for (size_t kind = 0; kind < shm::kPrefixKinds; ++kind) {
      std::vector<std::string>& list = sum_.prefixes[shm::NameOf(static_cast<shm::PrefixKind>(kind))];
      for (const std::string& prefix : span.window->prefixes[kind]) list.push_back(prefix);
    }
  }

 private:
  void AddRow(const Span& span, uint32_t row, bool has_topic) {
    const size_t first = span.of_intake ? 0 : 1;
    const size_t reasons = span.of_intake ? shm::kRejectReasons : shm::kDiscardReasons;
    for (size_t i = 0; i < reasons; ++i) {
      const uint64_t count = CountIn(span, row, static_cast<uint32_t>(first + i));
      if (count == 0) continue;
      const char* const reason = ReasonOf(span, i);
      (span.of_intake ? sum_.rejected_by : sum_.discarded_by)[reason] += count;
      if (has_topic) sum_.topics[{span.books->topics[row].name, reason}].count += count;
    }
    if (span.of_intake || !has_topic) return;
    const uint64_t count = CountIn(span, row, shm::kPossibleDuplicates);
    if (count > 0) sum_.duplicates[span.books->topics[row].name].count += count;
  }

  static const char* ReasonOf(const Span& span, size_t reason) {
    return span.of_intake ? shm::NameOf(static_cast<shm::Reject>(reason))
                          : shm::NameOf(static_cast<shm::Discard>(reason));
  }

  void AddTimes(const Span& span) {
    for (const shm::ReportSpan& times : span.window->spans) {
      const auto row = static_cast<uint32_t>(times.key >> 32);
      const auto counter = static_cast<uint32_t>(times.key) - 1;
      if (row >= span.books->topics.size() || counter >= shm::kReportCounters) continue;
      if (CountIn(span, row, counter) == 0) continue;  // noted, but then decided otherwise
      const std::string& topic = span.books->topics[row].name;
      const bool is_duplicate = !span.of_intake && counter == shm::kPossibleDuplicates;
      Count& count = is_duplicate ? sum_.duplicates[topic]
                                  : sum_.topics[{topic, ReasonOf(span, counter - (span.of_intake ? 0 : 1))}];
      count.first_ms = std::min(count.first_ms, times.first_ms);
      count.last_ms = std::max(count.last_ms, times.last_ms);
    }
  }

  void AddVersions(const Span& span) {
    const std::vector<shm::VersionCount>& tallies = span.books->unsupported_versions;
    for (size_t i = 0; i < tallies.size(); ++i) {
      const uint64_t end = span.next != nullptr ? span.next->version_base.at(i) : tallies[i].count;
      const uint64_t count = Less(end, span.window->version_base.at(i));
      if (count > 0) sum_.versions[{tallies[i].api_key, tallies[i].api_version}] += count;
    }
  }

  Window& sum_;
};

Json MakeCount(const Count& count) {
  const bool has_times = count.first_ms <= count.last_ms;
  return {{"count", count.count},
          {"first_timestamp", has_times ? count.first_ms : 0},
          {"last_timestamp", has_times ? count.last_ms : 0}};
}

Json MakeWindow(const Window& window) {
  Json json = {{"id", window.id},
               {"start_time", window.start_ms / 1000},
               {"rejected_by", window.rejected_by},
               {"discarded_by", window.discarded_by},
               {"topics", Json::array()},
               {"possible_duplicates", Json::array()},
               {"unsupported_versions", Json::array()},
               {"prefixes", Json::object()}};
  for (const auto& [names, count] : window.topics) {
    Json entry = {{"topic", names.first}, {"reason", names.second}};
    entry.update(MakeCount(count));
    json["topics"].push_back(entry);
  }
  for (const auto& [topic, count] : window.duplicates) {
    Json entry = {{"topic", topic}};
    entry.update(MakeCount(count));
    json["possible_duplicates"].push_back(entry);
  }
  for (const auto& [kind, count] : window.versions) {
    json["unsupported_versions"].push_back({{"api_key", kind.first}, {"version", kind.second}, {"count", count}});
  }
  for (const auto& [kind, prefixes] : window.prefixes) {
    Json& list = json["prefixes"][kind] = Json::array();
    for (const std::string& prefix : prefixes) list.push_back(EncodeBase64(AsBytes(prefix)));
  }
  return json;
}

}  // namespace

Json MakeDiscardReport(const std::vector<LaneReport>& lanes, int64_t interval_ms) {
  std::map<int64_t, Window> windows;  // by when they began
  const auto add = [&windows](const WorkerReport& report, const shm::Books& books, bool of_intake) {
    for (size_t i = 0; i < report.size(); ++i) {
      const WindowView* const next = i == 0 ? nullptr : &report[i - 1];
      Sum(&windows[report[i].begin_ns]).Add({&report[i], next, &books, of_intake});
    }
  };
  for (const LaneReport& lane : lanes) {
    add(*lane.intake, *lane.books, true);
    add(*lane.kafka, *lane.books, false);
  }
  Json json = {{"interval_s", interval_ms / 1000}};
  auto newest = windows.rbegin();
  if (newest == windows.rend()) return json;
  json["unfinished"] = MakeWindow(newest->second);
  if (++newest != windows.rend()) json["finished"] = MakeWindow(newest->second);
  return json;
}

}  // namespace dory::supervisor
