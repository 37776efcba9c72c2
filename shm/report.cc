#include "shm/report.h"

#include <algorithm>
#include <cstring>

#include "shm/store.h"

namespace dory::shm {
namespace {

std::vector<ReportSpan> ReadSpans(const ReportWindow& window) {
  std::vector<ReportSpan> spans;
  for (const ReportSpan& span : window.spans) {
    const uint64_t key = Load(span.key);
    if (key != 0) spans.push_back({key, Load(span.first_ms), Load(span.last_ms)});
  }
  return spans;
}

// One that is being overwritten is left out.
std::vector<std::string> ReadPrefixes(const ReportPrefix (&table)[kRecentPrefixes]) {
  std::vector<std::pair<uint64_t, std::string>> found;
  for (const ReportPrefix& prefix : table) {
    const uint64_t seen = Load(prefix.seen);
    if (seen == 0) continue;
    const auto* const bytes = reinterpret_cast<const char*>(prefix.bytes);
    std::string text(bytes, std::min<uint64_t>(Load(prefix.size), kPrefixRoom));
    if (Load(prefix.seen) == seen) found.emplace_back(seen, std::move(text));
  }
  std::sort(found.begin(), found.end(), std::greater<>());
  std::vector<std::string> texts;
  for (auto& [seen, text] : found) texts.push_back(std::move(text));
  return texts;
}

WindowView ReadWindow(const ReportPage& page, uint64_t number, uint32_t max_topics, uint32_t rows) {
  const ReportWindow& window = page.windows[number % kReportWindows];
  WindowView view;
  view.id = Load(window.id);
  view.begin_ns = Load(window.begin_ns);
  view.start_ms = Load(window.start_ms);
  const auto* const bases = reinterpret_cast<const ReportCounters*>(&page + 1) +
                            (number % kReportWindows) * (uint64_t{max_topics} + 1);
  view.base.assign(bases, bases + rows);
  view.no_topic_base = bases[max_topics];
  for (size_t i = 0; i < kVersionTallies; ++i) view.version_base[i] = Load(window.version_base[i]);
  view.spans = ReadSpans(window);
  for (size_t kind = 0; kind < kPrefixKinds; ++kind) view.prefixes[kind] = ReadPrefixes(window.prefixes[kind]);
  return view;
}

}  // namespace

const char* NameOf(PrefixKind kind) {
  static constexpr std::array<const char*, kPrefixKinds> kNames = {"malformed", "too_long", "bad_topic",
                                                                   "unclean_disconnect_unix", "unclean_disconnect_tcp"};
  return kNames[static_cast<size_t>(kind)];
}

// A window that is named again while it is read was overwritten: three windows later, so hardly ever.
WorkerReport ReadReport(const Segment& segment, Role worker, uint32_t lane) {
  const auto& page = *segment.Get<ReportPage>(RegionKind::kReport, WorkerIndex(worker, lane));
  const uint32_t max_topics = segment.geometry().max_topics;
  const uint32_t rows =
      std::min(Load(segment.Get<IntakeBooks>(RegionKind::kIntakeBooks, lane)->topic_count), max_topics);
  WorkerReport report;
  for (uint64_t number = 0; number != Load(page.number);) {
    number = Load(page.number);
    report.clear();
    for (uint64_t n = number; n > 0 && n + 2 > number; --n) {
      report.push_back(ReadWindow(page, n, max_topics, rows));
    }
  }
  return report;
}

}  // namespace dory::shm
