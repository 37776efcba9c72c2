// ListOffsets, for no partition at all: the smallest request that every broker before Kafka 4 answers,
// and so the sign of life of one that does not know ApiVersions.
//
// Source: the Kafka protocol guide, API key 2.

#pragma once

#include "kafka_worker/protocol/request_header.h"

namespace dory::kafka::protocol {

// REQUIRES: version 0.
Bytes EncodeEmptyListOffsetsRequest(const RequestHeader& header);

// Ok: it is the answer to that.
Status CheckEmptyListOffsetsResponse(ByteSpan body);

}  // namespace dory::kafka::protocol
