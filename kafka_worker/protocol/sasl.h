// SaslHandshake and SaslAuthenticate: which mechanism, and its tokens.
//
// Source: the Kafka protocol guide, API keys 17 and 36; KIP-43, KIP-152, and KIP-368 for the session's
// lifetime. After version 0 of SaslHandshake tokens travel bare, as a size and their bytes, after
// version 1 in SaslAuthenticate.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kafka_worker/protocol/request_header.h"

namespace dory::kafka::protocol {

struct SaslHandshakeResponse {
  int16_t error_code = 0;
  std::vector<std::string> mechanisms;  // that the broker has enabled
};

struct SaslAuthenticateResponse {
  int16_t error_code = 0;
  std::string error_message;
  ByteSpan token;                   // in the answer's body
  int64_t session_lifetime_ms = 0;  // 0: no end
};

Bytes EncodeSaslHandshakeRequest(const RequestHeader& header, std::string_view mechanism);

// One allocation, so that no copy of the token is left behind.
Bytes EncodeSaslAuthenticateRequest(const RequestHeader& header, ByteSpan token);
Bytes EncodeBareToken(ByteSpan token);

// REQUIRES of both: `version` is in our range.
Result<SaslHandshakeResponse> DecodeSaslHandshakeResponse(int16_t version, ByteSpan body);
Result<SaslAuthenticateResponse> DecodeSaslAuthenticateResponse(int16_t version, ByteSpan body);

}  // namespace dory::kafka::protocol
