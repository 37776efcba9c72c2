// DescribeProducers: what a partition's leader remembers of the producers that wrote to it.
//
// Source: the Kafka protocol guide, API key 61; KIP-664. From Kafka 2.8 on; needs READ of the topic.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kafka_worker/protocol/request_header.h"
#include "kafka_worker/protocol/topics_array.h"

namespace dory::kafka::protocol {

struct DescribeProducersRequest {
  std::vector<TopicOf<int32_t>> topics;
};

struct ProducerState {
  int64_t producer_id;
  int32_t producer_epoch;
  int32_t last_sequence;  // of the last record that it took; -1: none
  int64_t last_timestamp;
};

struct PartitionProducers {
  std::string_view topic;  // within the bytes that were decoded
  int32_t partition = -1;
  int16_t error_code = 0;
  std::vector<ProducerState> producers;
};

struct DescribeProducersResponse {
  int32_t throttle_time_ms = 0;
  std::vector<PartitionProducers> partitions;
};

Bytes EncodeDescribeProducersRequest(const RequestHeader& header, const DescribeProducersRequest& request);

// REQUIRES: `version` is in our range.
Result<DescribeProducersResponse> DecodeDescribeProducersResponse(int16_t version, ByteSpan body);

}  // namespace dory::kafka::protocol
