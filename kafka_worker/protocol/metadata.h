// Metadata: brokers, and who leads which partition.
//
// Source: the Kafka protocol guide, API key 3; leader epochs (7) are KIP-320, topic ids (10) KIP-516,
// the error code of the whole (13) is KIP-1102.
// An answer may be large; replica lists are skipped, not kept. One of more brokers, topics or partitions than any
// cluster has is refused, and so is a partition number beyond those that we can know (kMostPartitions). Numbers may
// be left out: brokers with ZooKeeper do not list what has never had a leader.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kafka_worker/protocol/request_header.h"
#include "kafka_worker/protocol/topic_id.h"

namespace dory::kafka::protocol {

// From here on a request says whether topics may be created.
inline constexpr int16_t kFirstMetadataWithCreation = 4;

struct MetadataRequest {
  // Empty: no topic, not all; but version 0 has no word for none, and means all.
  std::vector<std::string_view> topics;
  bool allow_auto_topic_creation = false;   // sent from version 4 on; before it brokers always may
};

struct MetadataBroker {
  int32_t id;
  std::string_view host;
  int32_t port;
};

struct MetadataPartition {
  int32_t partition;
  int32_t leader;             // -1: none
  int32_t leader_epoch = -1;  // before version 7: -1
  int16_t error_code;
};

struct MetadataTopic {
  int16_t error_code = 0;
  std::string_view name;
  TopicId id{};  // before version 10, and with errors: none
  bool is_internal = false;  // before version 1: false
  std::vector<MetadataPartition> partitions;  // as the broker has them: not always sorted
};

// Names and hosts lie within the bytes that were decoded.
struct MetadataResponse {
  int32_t throttle_time_ms = 0;  // before version 3: 0
  std::vector<MetadataBroker> brokers;
  std::string cluster_id;      // before version 2, and where the broker has none: empty
  int32_t controller_id = -1;  // -1: none; before version 1 too
  std::vector<MetadataTopic> topics;
  int16_t error_code = 0;  // of the whole; before version 13: 0
};

Bytes EncodeMetadataRequest(const RequestHeader& header, const MetadataRequest& request);

// REQUIRES: `version` is in our range.
Result<MetadataResponse> DecodeMetadataResponse(int16_t version, ByteSpan body);

}  // namespace dory::kafka::protocol
