// ApiVersions: what a broker speaks.
//
// Source: the Kafka protocol guide, API key 18; KIP-35, and KIP-511 for version 3 and its fall-back: a
// broker that does not know the asked version answers UNSUPPORTED_VERSION in the shape of version 0,
// with the range of ApiVersions itself where it is new enough (Kafka 2.4).

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "kafka_worker/protocol/request_header.h"

namespace dory::kafka::protocol {

// Sent from version 3 on. Brokers refuse (INVALID_REQUEST) names and versions that are empty or have
// other characters than letters, digits, '.' and '-', or do not begin and end with a letter or digit.
struct ApiVersionsRequest {
  std::string_view client_software_name;
  std::string_view client_software_version;
};

struct ApiVersionsResponse {
  struct Row {
    int16_t api;
    VersionRange range;
  };

  int16_t error_code = 0;
  std::vector<Row> apis;
  int32_t throttle_time_ms = 0;  // 0 before version 1

  // None: the broker does not offer `api`.
  std::optional<VersionRange> Find(Api api) const;
};

// What brokers speak that do not know ApiVersions: Kafka 0.8 and 0.9.
ApiVersionsResponse ListOldestVersions();

Bytes EncodeApiVersionsRequest(const RequestHeader& header, const ApiVersionsRequest& request);

// `version` is the request's. Of an UNSUPPORTED_VERSION whose rest makes no sense, the code alone.
// REQUIRES: in our range.
Result<ApiVersionsResponse> DecodeApiVersionsResponse(int16_t version, ByteSpan body);

// What we and a broker both speak, worked out once.
class CommonVersions {
 public:
  CommonVersions() : CommonVersions(ApiVersionsResponse{}) {}  // nothing
  explicit CommonVersions(const ApiVersionsResponse& broker);

  // The newest version of `api`, `newest` at most; none where there is none.
  std::optional<int16_t> Choose(Api api, int16_t newest = INT16_MAX) const {
    return ChooseVersion(ranges_[static_cast<size_t>(&FindApi(api) - kApis.data())], {0, newest});
  }

 private:
  std::array<VersionRange, kApis.size()> ranges_;  // as kApis; empty where there is none
};

}  // namespace dory::kafka::protocol
