#include "shm/report_writer.h"

#include <algorithm>
#include <cassert>

#include "common/clock.h"
#include "common/crash_point.h"
#include "shm/store.h"

namespace dory::shm {

static_assert(offsetof(KafkaTopicRow, discarded) ==
              offsetof(KafkaTopicRow, possible_duplicates) + sizeof(uint64_t));

CounterRows IntakeCounters(const IntakeBooks* books) {
  const auto* const rows = reinterpret_cast<const std::byte*>(books + 1);
  return {rows + offsetof(IntakeTopicRow, rejected), sizeof(IntakeTopicRow), books->rejected, books,
          books->unsupported_versions};
}

CounterRows KafkaCounters(const KafkaTopicRow* books, const IntakeBooks* topics, uint32_t max_topics) {
  const auto* const rows = reinterpret_cast<const std::byte*>(books);
  return {rows + offsetof(KafkaTopicRow, possible_duplicates), sizeof(KafkaTopicRow),
          &books[max_topics].possible_duplicates, topics};
}

ReportWriter::ReportWriter(std::span<std::byte> region, uint32_t max_topics, const CounterRows& counters)
    : page_(reinterpret_cast<ReportPage*>(region.data())),
      bases_(reinterpret_cast<ReportCounters*>(region.data() + sizeof(ReportPage))),
      max_topics_(max_topics),
      counters_(counters) {
  assert(region.size() >= ReportSize(max_topics));
}

void ReportWriter::SetInterval(int64_t interval_ms) {
  interval_ns_ = interval_ms * 1'000'000;
  next_ns_ = 0;  // the next look finds out
}

void ReportWriter::Roll(int64_t now_ns) {
  const int64_t begin_ns = now_ns / interval_ns_ * interval_ns_;
  const uint64_t number = page_->number;
  // An earlier life has begun it; or windows are longer now, and this one takes its time.
  const bool is_begun = number > 0 && page_->windows[number % kReportWindows].begin_ns >= begin_ns;
  if (!is_begun) BeginWindow(number + 1, now_ns, begin_ns);
  next_ns_ = begin_ns + interval_ns_;
}

void ReportWriter::BeginWindow(uint64_t number, int64_t now_ns, int64_t begin_ns) {
  static const ReportWindow kEmpty{};
  ReportWindow& window = page_->windows[number % kReportWindows];
  Copy(&window, &kEmpty, sizeof(window));
  DORY_CRASH_POINT("R1.emptied");
  // The first one begins when the worker does.
  const int64_t age_ms = number == 1 ? 0 : (now_ns - begin_ns) / 1'000'000;
  Store(window.id, static_cast<uint64_t>(begin_ns / interval_ns_));
  Store(window.begin_ns, begin_ns);
  Store(window.start_ms, WallClockMs() - age_ms);
  if (DORY_IS_MUTANT("window named before its base")) Store(page_->number, number);
  DORY_CRASH_POINT("R1.described");
  CopyBase(number);
  DORY_CRASH_POINT("R2.base");
  Store(page_->number, number);
  DORY_CRASH_POINT("R3.named");
}

// Rows that there are not yet have counted nothing, and their bases were never written.
void ReportWriter::CopyBase(uint64_t number) {
  ReportCounters* const base = bases_ + (number % kReportWindows) * (uint64_t{max_topics_} + 1);
  const uint32_t rows = std::min(Load(counters_.topics->topic_count), max_topics_);
  for (uint32_t row = 0; row < rows; ++row) {
    Copy(&base[row], counters_.first + row * counters_.stride, sizeof(ReportCounters));
  }
  Copy(&base[max_topics_], counters_.no_topic, sizeof(ReportCounters));
  if (counters_.tallies == nullptr) return;
  ReportWindow& window = page_->windows[number % kReportWindows];
  for (size_t i = 0; i < kVersionTallies; ++i) Store(window.version_base[i], Load(counters_.tallies[i].count));
}

// The counter's own, or a free one; null: the table is full.
ReportSpan* ReportWriter::FindSpan(uint64_t key) {
  ReportSpan* const spans = window().spans;
  const uint64_t hash = (key >> 32) * kReportCounters + (key & UINT32_MAX);
  for (size_t i = 0; i < kReportSpans; ++i) {
    ReportSpan& span = spans[(hash + i) % kReportSpans];
    if (span.key == key || span.key == 0) return &span;
  }
  return nullptr;
}

void ReportWriter::NoteTimes(uint32_t row, uint32_t counter, int64_t first_ms, int64_t last_ms) {
  const uint64_t key = SpanKey(row, counter);
  ReportSpan* const span = FindSpan(key);
  if (span == nullptr) return;
  const bool is_new = span->key == 0;
  if (is_new && DORY_IS_MUTANT("span named before its times")) Store(span->key, key);
  DORY_CRASH_POINT("R.span_found");
  if (is_new || first_ms < span->first_ms) Store(span->first_ms, first_ms);
  if (is_new || last_ms > span->last_ms) Store(span->last_ms, last_ms);
  DORY_CRASH_POINT("R.times");
  if (is_new) Store(span->key, key);
  DORY_CRASH_POINT("R.span");
}

}  // namespace dory::shm
