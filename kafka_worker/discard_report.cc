#include "kafka_worker/discard_report.h"

#include <algorithm>

#include "kafka_worker/window.h"
#include "shm/books.h"

namespace dory::kafka {
namespace {

std::string_view NameOfTopic(const Memory& memory, uint32_t row) {
  const shm::IntakeTopicRow& topic = memory.TopicRow(row);
  return {topic.name, topic.name_size};
}

// `line` has what is the same for all records.
void NoteWindow(Memory& memory, shm::BatchId batch, uint32_t counter, DiscardLine line) {
  if (!BatchHolds(memory.pool, batch)) return;
  const uint32_t row = memory.pool.descriptor(batch).topic_row;
  line.topic = NameOfTopic(memory, row);
  int64_t first_ms = INT64_MAX;
  int64_t last_ms = INT64_MIN;
  ForEachOfWindow(memory.pool, batch, [&](const protocol::RecordView& record, int64_t timestamp_ms) {
    first_ms = std::min(first_ms, timestamp_ms);
    last_ms = std::max(last_ms, timestamp_ms);
    line.timestamp_ms = timestamp_ms;
    line.key = record.key.value_or(ByteSpan());
    line.message = record.value.value_or(ByteSpan());
    memory.discard_log.Add(line);
  });
  if (first_ms <= last_ms) memory.report.NoteTimes(row, counter, first_ms, last_ms);
}

}  // namespace

void NoteDiscarded(Memory& memory, const shm::MessageView& message, shm::Discard reason) {
  const shm::MessageHeader& header = message.header;
  memory.report.NoteTimes(header.topic_row, shm::ReportCounterOf(reason), header.timestamp_ms, header.timestamp_ms);
  memory.discard_log.Add({.timestamp_ms = header.timestamp_ms,
                          .reason = shm::NameOf(reason),
                          .topic = NameOfTopic(memory, header.topic_row),
                          .key = message.key,
                          .message = message.value});
}

void NoteWindowDiscarded(Memory& memory, shm::BatchId batch, shm::Discard reason) {
  NoteWindow(memory, batch, shm::ReportCounterOf(reason), {.reason = shm::NameOf(reason)});
}

void NoteWindowDuplicated(Memory& memory, shm::BatchId batch) {
  NoteWindow(memory, batch, shm::kPossibleDuplicates, {.is_duplicate = true, .reason = "possible_duplicate"});
}

}  // namespace dory::kafka
