// Bytes as a broker's response to ApiVersions.

#include "kafka_worker/protocol/api_versions.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dory::kafka::protocol;
  return dory::fuzz::FuzzResponse(Api::kApiVersions, DecodeApiVersionsResponse, data, size);
}
