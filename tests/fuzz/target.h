// What the libFuzzer targets share: bytes as a broker's response of some version.

#pragma once

#include <cstdint>
#include <cstdlib>
#include <span>

#include "kafka_worker/protocol/request_header.h"

namespace dory::fuzz {

inline ByteSpan AsInput(const uint8_t* data, size_t size) { return std::as_bytes(std::span(data, size)); }

// What has to hold, whatever the input is.
inline void Require(bool holds) {
  if (!holds) std::abort();
}

// The first byte is the version, the rest a frame: header, body. decode(version, body): the decoder's Result.
template <typename Decode>
int FuzzResponse(kafka::protocol::Api api, Decode decode, const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto version = static_cast<int16_t>(data[0]);
  const kafka::protocol::VersionRange spoken = kafka::protocol::FindApi(api).spoken;
  if (version < spoken.lowest || version > spoken.highest) return 0;
  const ByteSpan frame = AsInput(data, size).subspan(1);
  const auto body = kafka::protocol::FindResponseBody(api, version, frame);
  if (body.ok()) (void)decode(version, body.value()).ok();
  return 0;
}

}  // namespace dory::fuzz
