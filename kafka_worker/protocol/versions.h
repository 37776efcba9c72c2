// Which requests we speak, in which versions: the one table behind negotiation, request headers,
// the tests that walk versions, and the documentation.
//
// Source: the Kafka protocol guide; flexible versions and tagged fields are KIP-482, the odd
// response header of ApiVersions is KIP-511.

#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace dory::kafka::protocol {

enum class Api : int16_t {
  kProduce = 0,
  kFetch = 1,
  kListOffsets = 2,
  kMetadata = 3,
  kSaslHandshake = 17,
  kApiVersions = 18,
  kInitProducerId = 22,
  kSaslAuthenticate = 36,
  kDescribeProducers = 61,
};

struct VersionRange {
  int16_t lowest;
  int16_t highest;
};

struct ApiSpec {
  Api api;
  std::string_view name;
  VersionRange spoken;     // by us
  int16_t first_flexible;  // from here on compact types and tagged fields
  bool plain_response_header;  // its response header has no tagged fields in any version
};

inline constexpr int16_t kNeverFlexible = INT16_MAX;

inline constexpr std::array kApis = {
    ApiSpec{Api::kProduce, "Produce", {0, 13}, 9, false},
    ApiSpec{Api::kFetch, "Fetch", {5, 12}, 12, false},
    ApiSpec{Api::kListOffsets, "ListOffsets", {0, 7}, 6, false},
    ApiSpec{Api::kMetadata, "Metadata", {0, 13}, 9, false},
    ApiSpec{Api::kSaslHandshake, "SaslHandshake", {0, 1}, kNeverFlexible, false},
    ApiSpec{Api::kApiVersions, "ApiVersions", {0, 4}, 3, true},
    ApiSpec{Api::kInitProducerId, "InitProducerId", {0, 5}, 2, false},
    ApiSpec{Api::kSaslAuthenticate, "SaslAuthenticate", {0, 2}, 2, false},
    ApiSpec{Api::kDescribeProducers, "DescribeProducers", {0, 0}, 0, false},
};

// The row of `api`. An Api without one does not compile where it is known, and is kApis[0] where not;
// a test holds that every enumerator has its row.
constexpr const ApiSpec& FindApi(Api api) {
  for (const ApiSpec& spec : kApis) {
    if (spec.api == api) return spec;
  }
  return kApis[0];
}

constexpr bool IsFlexible(Api api, int16_t version) {
  return version >= FindApi(api).first_flexible;
}

// 1: with a client id; 2: tagged fields behind it.
constexpr int16_t ChooseRequestHeaderVersion(Api api, int16_t version) {
  return IsFlexible(api, version) ? 2 : 1;
}

// 0: the correlation id alone; 1: tagged fields behind it.
constexpr int16_t ChooseResponseHeaderVersion(Api api, int16_t version) {
  return IsFlexible(api, version) && !FindApi(api).plain_response_header ? 1 : 0;
}

// The message format that goes with a version of Produce: 0 for Kafka 0.8 and 0.9, 1 for 0.10, 2 from 0.11 on.
constexpr int8_t ChooseMessageFormat(int16_t produce_version) {
  if (produce_version >= 3) return 2;
  return produce_version == 2 ? 1 : 0;
}

// Whether a broker that throttles us answers at once in this version, says for how long it is to be spared,
// and does not look at the connection meanwhile (KIP-219). Before, its answer comes late, and says why.
constexpr bool IsSparedAfterAnswer(Api api, int16_t version) {
  switch (api) {
    case Api::kProduce:
    case Api::kMetadata:
      return version >= 6;
    case Api::kApiVersions:
      return version >= 2;
    case Api::kInitProducerId:
      return version >= 1;
    case Api::kFetch:
      return version >= 8;
    case Api::kListOffsets:
      return version >= 3;
    case Api::kDescribeProducers:
      return true;
    default:
      return false;
  }
}

// From here on Produce calls topics by their ids alone, which Metadata tells from version 10 on.
inline constexpr int16_t kFirstProduceById = 13;

// The newest version both speak; none where the ranges do not meet.
constexpr std::optional<int16_t> ChooseVersion(VersionRange ours, VersionRange theirs) {
  const int16_t lowest = std::max(ours.lowest, theirs.lowest);
  const int16_t highest = std::min(ours.highest, theirs.highest);
  if (lowest > highest) return std::nullopt;
  return highest;
}

}  // namespace dory::kafka::protocol
