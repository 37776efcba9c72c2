// Fetch: what stands in a partition's log from an offset on, up to the high watermark.
//
// Source: the Kafka protocol guide, API key 1; log start offsets (5) are KIP-107, sessions (7), of which we
// make none, KIP-227. Topics by name: ids come with version 13.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kafka_worker/protocol/request_header.h"
#include "kafka_worker/protocol/topics_array.h"

namespace dory::kafka::protocol {

struct FetchPlace {
  int32_t partition;
  int64_t offset;
  int32_t max_bytes;  // of records; the first batch of all comes whole, however large it is
};

struct FetchRequest {
  int32_t max_wait_ms = 0;  // for `min_bytes`
  int32_t min_bytes = 0;
  int32_t max_bytes = 0;
  std::vector<TopicOf<FetchPlace>> topics;
};

struct FetchedPartition {
  std::string_view topic;  // within the bytes that were decoded
  int32_t partition = -1;
  int16_t error_code = 0;
  int64_t high_watermark = -1;
  int64_t log_start_offset = -1;
  ByteSpan records;  // in the body: batches (batch.h), the last one may be cut short
};

struct FetchResponse {
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;  // of the whole; before version 7: 0
  std::vector<FetchedPartition> partitions;
};

Bytes EncodeFetchRequest(const RequestHeader& header, const FetchRequest& request);

// REQUIRES: `version` is in our range.
Result<FetchResponse> DecodeFetchResponse(int16_t version, ByteSpan body);

}  // namespace dory::kafka::protocol
