// C2: where a message goes. A pure decision.
//
// AnyPartition: into the topic's own batch, which takes a partition when it is sent. PartitionKey:
// uint32(key) mod N over all partitions of the topic by id, so that keys never move while N stays, and
// a key below N names its partition. A topic that is partitioned by the Kafka key as other producers do it
// sends what has one to the partition that they would choose, of whatever kind it is; an empty key is one.

#pragma once

#include <cstddef>

#include "common/config.h"
#include "common/crc32.h"
#include "kafka_worker/key_hash.h"
#include "shm/layout.h"
#include "shm/record.h"

namespace dory::kafka {

struct Route {
  shm::BatchKind kind;
  size_t partition;  // of kind kKey
};

// REQUIRES: partition_count > 0.
inline Route ChooseRoute(const shm::MessageView& message, Partitioner partitioner, size_t partition_count) {
  const bool by_key = partitioner != Partitioner::kPartitionKey && message.header.key_size != shm::kNullSize;
  if (by_key) {
    const uint32_t hash = partitioner == Partitioner::kMurmur2 ? HashMurmur2(message.key) & INT32_MAX
                                                               : Crc32Extend(0, message.key);
    return {shm::BatchKind::kKey, hash % partition_count};
  }
  if (message.header.kind == shm::MessageKind::kAnyPartition) return {shm::BatchKind::kAny, 0};
  return {shm::BatchKind::kKey, message.header.partition_key % partition_count};
}

}  // namespace dory::kafka
