#include "intake_worker/admit.h"

#include "common/clock.h"

namespace dory::intake {

using shm::Reject;

Admission Admitter::Admit(const ParseResult& parsed) {
  if (parsed.reject) return Refuse(parsed);
  Admission admission;
  admission.row = topics_->FindOrAdd(parsed.message.topic);
  if (admission.row == shm::kNoIndex) {
    admission.counter = books_->Rejected(Reject::kTooManyTopics);
    return admission;
  }
  admission.admitted = true;
  admission.counter = books_->AppendedOf(admission.row);
  admission.record = MakeRecord(parsed.message, admission.row);
  return admission;
}

Admission Admitter::RefuseForRoom(const Admission& admission) const {
  Admission refused;
  refused.row = admission.row;
  refused.counter = books_->RejectedOf(admission.row, Reject::kNoRoom);
  return refused;
}

Admission Admitter::Refuse(const ParseResult& parsed) {
  Admission refused;
  refused.counter = books_->Rejected(*parsed.reject);
  if (*parsed.reject == Reject::kUnsupportedVersion) {
    refused.tally = books_->TallyOf(parsed.api_key, parsed.api_version);
  }
  return refused;
}

shm::MessageView Admitter::MakeRecord(const ParsedMessage& message, uint32_t row) {
  const TopicTable::Options& options = topics_->OptionsOf(row);
  shm::MessageView record{};
  record.key = message.key;
  record.value = message.value;
  shm::MessageHeader& header = record.header;
  header.topic_row = row;
  header.kind = message.kind;
  header.partition_key = message.partition_key;
  header.key_size = message.key.empty() ? shm::kNullSize : static_cast<int32_t>(message.key.size());
  const bool null_value = message.value.empty() && !options.keep_empty_value;
  header.value_size = null_value ? shm::kNullSize : static_cast<int32_t>(message.value.size());
  header.timestamp_ms = options.receive_timestamp ? WallClockOfBurst() : message.timestamp_ms;
  return record;
}

int64_t Admitter::WallClockOfBurst() {
  if (wall_clock_ms_ == 0) wall_clock_ms_ = WallClockMs();
  return wall_clock_ms_;
}

}  // namespace dory::intake
