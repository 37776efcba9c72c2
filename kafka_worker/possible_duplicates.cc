#include "kafka_worker/possible_duplicates.h"

#include <utility>

#include "common/crash_point.h"
#include "common/log.h"
#include "kafka_worker/discard_report.h"
#include "shm/store.h"

namespace dory::kafka {

void CountRepetition(Memory& memory, const SentBatch& sent) {
  bool& counted = sent.topic->partitions[static_cast<size_t>(sent.partition)].duplicates_counted;
  if (std::exchange(counted, true)) return;
  NoteWindowDuplicated(memory, sent.batch);
  const shm::BatchDescriptor& batch = memory.pool.descriptor(sent.batch);
  shm::KafkaTopicRow& books = memory.books[batch.topic_row];
  shm::Store(books.possible_duplicates, shm::Load(books.possible_duplicates) + batch.word.count);
  DORY_CRASH_POINT("C9.duplicates");
  LogError("{}/{}: {} messages are possible duplicates", sent.topic->name, sent.partition,
           uint64_t{batch.word.count});
}

void CountPossibleDuplicates(Memory& memory, const SentBatch& sent) {
  shm::BatchDescriptor& batch = memory.pool.writable(sent.batch);
  if (batch.unknown_outcome == 0) return;
  CountRepetition(memory, sent);
  shm::Store(batch.unknown_outcome, 0);
  DORY_CRASH_POINT("C9.known");
  sent.topic->partitions[static_cast<size_t>(sent.partition)].duplicates_counted = false;
}

}  // namespace dory::kafka
