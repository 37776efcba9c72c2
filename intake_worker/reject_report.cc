#include "intake_worker/reject_report.h"

#include <optional>

#include "shm/books.h"

namespace dory::intake {
namespace {

using shm::PrefixKind;
using shm::Reject;

std::optional<PrefixKind> PrefixKindOf(Reject reason) {
  switch (reason) {
    case Reject::kMalformed:
      return PrefixKind::kMalformed;
    case Reject::kTooLong:
      return PrefixKind::kTooLong;
    case Reject::kBadTopic:
      return PrefixKind::kBadTopic;
    case Reject::kUncleanUnix:
      return PrefixKind::kUncleanUnix;
    case Reject::kUncleanTcp:
      return PrefixKind::kUncleanTcp;
    default:
      return std::nullopt;
  }
}

}  // namespace

RejectReport::RejectReport(const LaneMemory& memory, const Config& config)
    : writer_(memory.report, memory.max_topics,
              shm::IntakeCounters(reinterpret_cast<const shm::IntakeBooks*>(memory.books.data()))) {
  Configure(config);
}

void RejectReport::Configure(const Config& config) {
  writer_.SetInterval(config.report_interval_ms);
  prefixes_.SetSize(static_cast<size_t>(config.payload_prefix));
  log_.Configure(DiscardLogSettingsOf(config));
}

// Of a bad topic its name is kept: the old daemon showed no more.
void RejectReport::Note(const RawMessage& message, const ParseResult& parsed, const Admission& refusal) {
  if (refusal.row != shm::kNoIndex) {
    const int64_t timestamp_ms = parsed.message.timestamp_ms;
    writer_.NoteTimes(refusal.row, shm::ReportCounterOf(refusal.reason), timestamp_ms, timestamp_ms);
  }
  if (log_.is_on()) AddLine(message, parsed, refusal.reason);
  const std::optional<PrefixKind> kind = PrefixKindOf(refusal.reason);
  if (!kind) return;
  const ByteSpan kept = kind == PrefixKind::kBadTopic ? AsBytes(parsed.message.topic) : message.bytes;
  prefixes_.Note(&writer_.window(), *kind, kept);
}

// Of what is no message all bytes stand as the message.
void RejectReport::AddLine(const RawMessage& message, const ParseResult& parsed, Reject reason) {
  DiscardLine line{.timestamp_ms = parsed.message.timestamp_ms,
                   .reason = shm::NameOf(reason),
                   .topic = parsed.message.topic,
                   .message = message.bytes};
  if (!parsed.reject || reason == Reject::kBadTopic) {
    line.key = parsed.message.key.value_or(ByteSpan());
    line.message = parsed.message.value.value_or(ByteSpan());
  }
  log_.Add(line);
}

}  // namespace dory::intake
