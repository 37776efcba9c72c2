#include "kafka_worker/possible_duplicates.h"

#include "common/crash_point.h"
#include "common/log.h"
#include "shm/store.h"

namespace dory::kafka {

void CountPossibleDuplicates(Memory& memory, const SentBatch& sent) {
  shm::BatchDescriptor& batch = memory.pool.writable(sent.batch);
  if (batch.unknown_outcome == 0) return;
  shm::KafkaTopicRow& books = memory.books[batch.topic_row];
  shm::Store(books.possible_duplicates, shm::Load(books.possible_duplicates) + batch.word.count);
  DORY_CRASH_POINT("C9.duplicates");
  shm::Store(batch.unknown_outcome, 0);
  DORY_CRASH_POINT("C9.known");
  LogError("{}/{}: {} messages are possible duplicates", sent.topic->name, sent.partition,
           uint64_t{batch.word.count});
}

}  // namespace dory::kafka
