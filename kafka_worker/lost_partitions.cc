// A part of sender.h: partitions that a topic no longer has, since it was created anew with fewer.
//
// What they hold goes to partition `number mod count`: each batch as a whole, behind the older ones there. The
// pool has no partition keys, so that this is the partition of a batch's keys where the new count divides the old
// one, and else another one for what was buffered then; keys that were together stay so. What was SENT there and
// may have been in the log that is gone goes by on_ambiguous first (doc/decisions/0013).
//
// On crash: a batch goes by one store of its partition row. The next life sees the others where they were.

#include <algorithm>

#include "common/crash_point.h"
#include "kafka_worker/sender.h"
#include "shm/store.h"

namespace dory::kafka {

void Sender::EmptyLost(Topic& topic) {
  for (size_t i = topic.partition_count; i < topic.partitions.size(); ++i) {
    Partition& lost = topic.partitions[i];
    if (lost.state == Partition::State::kRetry) {
      callbacks_.on_partition_gone({&topic, static_cast<int32_t>(i), lost.batch, -1, false, false});
    }
    if (lost.state != Partition::State::kIdle) continue;  // an answer, or the end of a lookup, marks the topic dirty
    MoveQueue(topic, &Partition::keyed, i);
    MoveQueue(topic, &Partition::pinned, i);
  }
}

// Only the newest batch of a queue takes more records: it stands at the end, by `order`.
void Sender::MoveQueue(Topic& topic, BatchQueue Partition::*queue, size_t from) {
  BatchQueue& lost = topic.partitions[from].*queue;
  if (lost.empty()) return;
  const size_t to = from % topic.partition_count;
  Partition& target = topic.partitions[to];
  if (target.row == shm::kNoIndex) target.row = topics_.EnsurePartitionRow(topic.row, static_cast<int32_t>(to));
  if (target.row == shm::kNoIndex) return;  // it waits, as whatever needs a row does
  BatchQueue& taken = target.*queue;
  for (const BatchId id : lost) {
    shm::Store(memory_.pool.writable(id).partition_row, target.row);
    DORY_CRASH_POINT("C2.moved");
    taken.push_back(id);
  }
  lost.clear();
  TopicTable::NoteBusy(topic, to);
  std::sort(taken.begin(), taken.end(), [this](BatchId a, BatchId b) {
    return memory_.pool.descriptor(a).order < memory_.pool.descriptor(b).order;
  });
}

}  // namespace dory::kafka
