#include "intake_worker/admit.h"

#include <algorithm>

#include "common/clock.h"

namespace dory::intake {

using shm::Reject;

// A header's two sizes take 6 bytes from a client, and as varints 3 and 5 at most.
constexpr size_t kMostHeaderGrowth = 2;

Admission Admitter::Admit(const ParseResult& parsed, uint32_t input, uint32_t uid) {
  if (parsed.reject) return Refuse(parsed);
  Admission admission;
  admission.uid = uid;
  admission.row = topics_->FindOrAdd(parsed.message.topic);
  if (admission.row == shm::kNoIndex) {
    admission.reason = Reject::kTooManyTopics;
    admission.counter = books_->Rejected(admission.reason);
    return admission;
  }
  if (permissions_.AreAny() && !permissions_.Allow(input, admission.row, parsed.message.topic)) {
    return RefuseOf(admission.row, Reject::kNotAllowed);
  }
  const bool is_limited = clients_.AreAny();
  if (is_limited && !clients_.Allow(uid, admission.row, parsed.message.topic)) {
    return RefuseOf(admission.row, Reject::kNotAllowed);
  }
  if (!rates_.Allows(admission.row, topics_->OptionsOf(admission.row).rate_limit, now_ns_)) {
    return RefuseOf(admission.row, Reject::kRateLimit);
  }
  if (is_limited && !clients_.IsWithinRate(uid, now_ns_)) return RefuseOf(admission.row, Reject::kRateLimit);
  admission.admitted = true;
  admission.counter = books_->AppendedOf(admission.row);
  admission.record = MakeRecord(parsed.message, admission.row);
  return admission;
}

Admission Admitter::RefuseOf(uint32_t row, Reject reason) const {
  Admission refused;
  refused.row = row;
  refused.reason = reason;
  refused.counter = books_->RejectedOf(row, reason);
  return refused;
}

Admission Admitter::Refuse(const ParseResult& parsed) {
  Admission refused;
  refused.reason = *parsed.reject;
  refused.counter = books_->Rejected(refused.reason);
  if (*parsed.reject == Reject::kUnsupportedVersion) {
    refused.tally = books_->TallyOf(parsed.api_key, parsed.api_version);
  }
  return refused;
}

shm::MessageView Admitter::MakeRecord(const ParsedMessage& message, uint32_t row) {
  const TopicTable::Options& options = topics_->OptionsOf(row);
  shm::MessageView record{};
  record.key = message.key.value_or(ByteSpan());
  record.value = message.value.value_or(ByteSpan());
  shm::MessageHeader& header = record.header;
  header.topic_row = row;
  header.kind = message.kind;
  header.partition_key = message.partition_key;
  header.key_size = message.key ? static_cast<int32_t>(record.key.size()) : shm::kNullSize;
  const bool null_value =
      !message.value || (record.value.empty() && !message.knows_null && !options.keep_empty_value);
  header.value_size = null_value ? shm::kNullSize : static_cast<int32_t>(record.value.size());
  if (message.header_count > 0) {
    EncodeHeaders(message);
    record.headers = headers_;
    header.header_count = static_cast<uint16_t>(message.header_count);
    header.headers_size = static_cast<uint32_t>(headers_.size());
  }
  header.timestamp_ms = options.receive_timestamp ? WallClockOfBurst() : message.timestamp_ms;
  return record;
}

void Admitter::EncodeHeaders(const ParsedMessage& message) {
  headers_.resize(message.headers.size() + static_cast<size_t>(message.header_count) * kMostHeaderGrowth);
  std::byte* at = headers_.data();
  ForEachHeader(message, [&at](ByteSpan name, std::optional<ByteSpan> value) {
    at = StoreVarint(at, static_cast<int64_t>(name.size()));
    at = std::copy(name.begin(), name.end(), at);
    at = StoreVarint(at, value ? static_cast<int64_t>(value->size()) : shm::kNullSize);
    if (value) at = std::copy(value->begin(), value->end(), at);
  });
  headers_.resize(static_cast<size_t>(at - headers_.data()));
}

int64_t Admitter::WallClockOfBurst() {
  if (wall_clock_ms_ == 0) wall_clock_ms_ = WallClockMs();
  return wall_clock_ms_;
}

}  // namespace dory::intake
