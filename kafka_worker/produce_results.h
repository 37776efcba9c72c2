// Which result of an answer to Produce is which batch's. Brokers answer in an order of their own, and a bad one
// with partitions that nobody asked for, or twice.

#pragma once

#include <vector>

#include "kafka_worker/protocol/produce.h"
#include "kafka_worker/sent_batch.h"

namespace dory::kafka {

// The result of each batch, in their order; null: the answer says nothing of it. They lie in `response`.
// REQUIRES: `batches` as they were sent, by topic, then by partition.
std::vector<const protocol::ProducePartitionResult*> MatchResults(const std::vector<SentBatch>& batches,
                                                                  const protocol::ProduceResponse& response);

}  // namespace dory::kafka
