// What stands before every request and every response.
//
//     request    size:4 | api:2 | version:2 | correlation id:4 | client id | tags (header version 2)
//     response   size:4 | correlation id:4 | tags (header version 1)
//
// Source: the Kafka protocol guide, "Protocol"; header versions are KIP-482.

#pragma once

#include <cstdint>
#include <string_view>

#include "common/bytes.h"
#include "common/status.h"
#include "kafka_worker/protocol/versions.h"
#include "kafka_worker/protocol/wire.h"

namespace dory::kafka::protocol {

inline constexpr size_t kFrameSizeBytes = 4;

// What the caller of every Encode…Request says.
struct RequestHeader {
  int16_t version;
  int32_t correlation_id;
  std::string_view client_id;
};

// Size (0 for now) and header. REQUIRES: `writer` is as flexible as that version is.
void EncodeRequestHeader(Api api, const RequestHeader& header, Writer* writer);

// Stores the size of the request that began at `start` of the buffer, `spliced_bytes` of which do not
// lie in it; returns the whole request's size, the size field included.
// REQUIRES: that is at most 2^31 - 1.
size_t FinishRequest(size_t start, size_t spliced_bytes, Writer* writer);

// A frame is what follows the size of a response. It tells its correlation id, by which the caller
// finds the request's api and version, and with them the body.
Result<int32_t> ReadCorrelationId(ByteSpan frame);
Result<ByteSpan> FindResponseBody(Api api, int16_t version, ByteSpan frame);

}  // namespace dory::kafka::protocol
