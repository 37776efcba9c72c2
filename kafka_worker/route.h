// C2: where a message goes. A pure decision.
//
// AnyPartition: into the topic's own batch, which takes a partition when it is sent. PartitionKey:
// uint32(key) mod N over all partitions of the topic by id, so that keys never move while N stays, and
// a key below N names its partition.

#pragma once

#include <cstddef>

#include "shm/layout.h"
#include "shm/record.h"

namespace dory::kafka {

struct Route {
  shm::BatchKind kind;
  size_t partition;  // of kind kKey
};

// REQUIRES: partition_count > 0.
constexpr Route ChooseRoute(const shm::MessageHeader& message, size_t partition_count) {
  if (message.kind == shm::MessageKind::kAnyPartition) return {shm::BatchKind::kAny, 0};
  return {shm::BatchKind::kKey, message.partition_key % partition_count};
}

}  // namespace dory::kafka
