// InitProducerId: an identity under which a broker recognises batches it already has.
//
// Source: the Kafka protocol guide, API key 22; KIP-98, and KIP-360 for version 3. Always without a
// transactional id, where brokers (seen: 0.11 to 4.3) give a new id with epoch 0 whatever is sent along.

#pragma once

#include <cstdint>

#include "kafka_worker/protocol/request_header.h"

namespace dory::kafka::protocol {

// Sent from version 3 on; -1, -1 asks for a new id.
struct InitProducerIdRequest {
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
};

struct InitProducerIdResponse {
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
};

Bytes EncodeInitProducerIdRequest(const RequestHeader& header, const InitProducerIdRequest& request);

// REQUIRES: `version` is in our range.
Result<InitProducerIdResponse> DecodeInitProducerIdResponse(int16_t version, ByteSpan body);

}  // namespace dory::kafka::protocol
