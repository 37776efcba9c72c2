// Produce: the batches of many partitions in one request, whose record bytes never pass through here.
//
// Source: the Kafka protocol guide, API key 0; record errors (8) are KIP-467, flexible (9) KIP-482,
// leader hints (10) KIP-951, topic ids in place of names (13) KIP-516. Versions 0 to 2 carry message sets (message_set.h) in the batches' place.
//
// The encoder writes everything but the records, and says where they belong:
//
//     buffer   | request, topic, partition, batch header | tags, partition, batch header | tags |
//                                                        ^ splices()[0]                  ^ splices()[1]
//
// so that a caller's writev takes the buffer up to a splice, the records from where they lie, the
// buffer from there to the next splice, and so on to its end.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kafka_worker/protocol/batch.h"
#include "kafka_worker/protocol/message_set.h"
#include "kafka_worker/protocol/request_header.h"
#include "kafka_worker/protocol/topic_id.h"

namespace dory::kafka::protocol {

// One request at a time; its memory is kept for the next.
// Order: Begin, then for each topic BeginTopic and its AddPartitions, then Finish.
class ProduceEncoder {
 public:
  struct Splice {
    size_t offset;  // in buffer(): so much of it comes before the records
    size_t bytes;   // of records
  };

  // REQUIRES: header.version in our range; exactly `topic_count` BeginTopics follow.
  void Begin(const RequestHeader& header, int16_t acks, int32_t timeout_ms, size_t topic_count);

  // By its name, and from version 13 on by its id.
  // REQUIRES: exactly `partition_count` AddPartitions follow.
  void BeginTopic(std::string_view name, const TopicId& id, size_t partition_count);

  // Writes the batch header; its batch.records_bytes of records follow at the returned offset.
  size_t AddPartition(int32_t partition, const BatchHeader& batch);

  // Before version 3: the message that wraps a compressed message set. Writes all but its value, which
  // follows at the returned offset.
  size_t AddWrapper(int32_t partition, const MessageWrapper& wrapper, std::span<const ByteSpan> value);

  // For what is already whole somewhere else, a batch or a message set: `bytes` follow at the returned
  // offset.
  size_t AddWholeBatch(int32_t partition, size_t bytes);

  // Stores the size; returns how many bytes the whole request has, splices and size field included.
  size_t Finish();

  ByteSpan buffer() const { return buffer_; }
  std::span<const Splice> splices() const { return splices_; }
  // Bytes of the request so far, splices included: for a caller who keeps below a limit.
  size_t size() const { return buffer_.size() + spliced_bytes_; }

 private:
  Writer MakeWriter() { return Writer(&buffer_, flexible_); }
  size_t EndPartition(size_t spliced_bytes);

  Bytes buffer_;
  std::vector<Splice> splices_;
  size_t spliced_bytes_ = 0;
  size_t topics_due_ = 0;
  size_t partitions_due_ = 0;  // of the topic at hand
  int16_t version_ = 0;
  bool flexible_ = false;
};

struct ProducePartitionResult {
  int32_t partition = 0;
  int16_t error_code = 0;
  int64_t base_offset = -1;
  int64_t log_append_time_ms = -1;  // -1: the topic keeps the producer's timestamps; before version 2 too
  int64_t log_start_offset = -1;    // before version 5: -1
  int32_t first_refused = -1;       // of the records that it names: from version 8 on; counted from the batch's first
  std::string_view error_message;   // null: empty
  int32_t leader_id = -1;           // from version 10 on, with errors that have to do with it
  int32_t leader_epoch = -1;
};

struct ProduceTopicResult {
  std::string_view name;  // from version 13 on: empty
  TopicId id{};      // before it: none
  std::vector<ProducePartitionResult> partitions;
};

struct NodeEndpoint {
  int32_t id;
  std::string_view host;
  int32_t port;
};

// Its texts lie within the bytes that were decoded. Of the records that a broker names only the first is kept:
// there may be millions, and what is behind it goes again anyway.
struct ProduceResponse {
  std::vector<ProduceTopicResult> topics;
  int32_t throttle_time_ms = 0;              // before version 1: 0
  std::vector<NodeEndpoint> node_endpoints;  // of leaders named above
};

// REQUIRES: `version` is in our range.
Result<ProduceResponse> DecodeProduceResponse(int16_t version, ByteSpan body);

}  // namespace dory::kafka::protocol
