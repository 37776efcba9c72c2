#include "kafka_worker/protocol/api_versions.h"

#include <algorithm>

#include "kafka_worker/protocol/error_codes.h"

namespace dory::kafka::protocol {
namespace {

constexpr size_t kLeastRowBytes = 6;
constexpr size_t kMostRows = INT16_MAX + 1;  // of one api each

ApiVersionsResponse::Row DecodeRow(Reader* reader) {
  ApiVersionsResponse::Row row;
  row.api = reader->Read<int16_t>();
  row.range.lowest = reader->Read<int16_t>();
  row.range.highest = reader->Read<int16_t>();
  reader->SkipTags();
  return row;
}

void DecodeRows(Reader* reader, ApiVersionsResponse* response) {
  const size_t count = reader->ReadArrayCount(kLeastRowBytes);
  if (count > kMostRows) return reader->Fail();
  response->apis.reserve(count);
  for (size_t i = 0; i < count && reader->ok(); ++i) response->apis.push_back(DecodeRow(reader));
}

// What follows the code has another version's shape than was asked for, and not every broker gets it right.
ApiVersionsResponse DecodeRefusal(ByteSpan body) {
  ApiVersionsResponse response;
  Reader reader(body, false);
  response.error_code = reader.Read<int16_t>();
  DecodeRows(&reader, &response);
  if (!reader.Finish("refusal", 0).ok()) response.apis.clear();
  return response;
}

}  // namespace

std::optional<VersionRange> ApiVersionsResponse::Find(Api api) const {
  for (const Row& row : apis) {
    if (row.api == static_cast<int16_t>(api)) return row.range;
  }
  return std::nullopt;
}

ApiVersionsResponse ListOldestVersions() {
  ApiVersionsResponse oldest;
  for (const Api api : {Api::kProduce, Api::kListOffsets, Api::kMetadata}) {
    oldest.apis.push_back({static_cast<int16_t>(api), {0, 0}});
  }
  return oldest;
}

Bytes EncodeApiVersionsRequest(const RequestHeader& header, const ApiVersionsRequest& request) {
  Bytes out;
  Writer writer(&out, IsFlexible(Api::kApiVersions, header.version));
  EncodeRequestHeader(Api::kApiVersions, header, &writer);
  if (header.version >= 3) {
    writer.PutString(request.client_software_name);
    writer.PutString(request.client_software_version);
  }
  writer.PutNoTags();
  FinishRequest(0, 0, &writer);
  return out;
}

Result<ApiVersionsResponse> DecodeApiVersionsResponse(int16_t version, ByteSpan body) {
  ApiVersionsResponse response;
  response.error_code = ByteReader(body).Read<int16_t>();
  if (response.error_code == error::kUnsupportedVersion) return DecodeRefusal(body);
  Reader reader(body, IsFlexible(Api::kApiVersions, version));
  reader.Read<int16_t>();
  DecodeRows(&reader, &response);
  if (version >= 1) response.throttle_time_ms = reader.Read<int32_t>();
  reader.SkipTags();
  const Status status = reader.Finish("ApiVersions response", version);
  if (!status.ok()) return status;
  return response;
}

CommonVersions::CommonVersions(const ApiVersionsResponse& broker) {
  for (size_t i = 0; i < kApis.size(); ++i) {
    const VersionRange spoken = kApis[i].spoken;
    const VersionRange offered = broker.Find(kApis[i].api).value_or(VersionRange{0, -1});
    ranges_[i] = {std::max(spoken.lowest, offered.lowest), std::min(spoken.highest, offered.highest)};
  }
}

}  // namespace dory::kafka::protocol
