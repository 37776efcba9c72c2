// ListOffsets: where a partition's log begins, or its records of a time.
//
// For no partition at all (version 0) it is the smallest request that every broker before Kafka 4 answers, and
// so the sign of life of one that does not know ApiVersions. Before version 1 a time means the segments of the
// log, not its records.
// Source: the Kafka protocol guide, API key 2; KIP-79 for version 1. An offset is below the high watermark.

#pragma once

#include <string>
#include <vector>

#include "kafka_worker/protocol/request_header.h"
#include "kafka_worker/protocol/topics_array.h"

namespace dory::kafka::protocol {

inline constexpr int64_t kEarliestOffset = -2;  // instead of a time

struct OffsetQuery {
  int32_t partition;
  int64_t timestamp;  // ms since 1970, or kEarliestOffset
};

struct ListOffsetsRequest {
  std::vector<TopicOf<OffsetQuery>> topics;
};

struct PartitionOffset {
  std::string_view topic;  // within the bytes that were decoded
  int32_t partition = -1;
  int16_t error_code = 0;
  int64_t timestamp = -1;
  int64_t offset = -1;  // of the first record that is not older; -1: there is none
};

struct ListOffsetsResponse {
  int32_t throttle_time_ms = 0;  // before version 2: 0
  std::vector<PartitionOffset> partitions;
};

Bytes EncodeListOffsetsRequest(const RequestHeader& header, const ListOffsetsRequest& request);

// REQUIRES: `version` is in our range.
Result<ListOffsetsResponse> DecodeListOffsetsResponse(int16_t version, ByteSpan body);

}  // namespace dory::kafka::protocol
