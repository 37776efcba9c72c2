// Bytes as a broker's response to Fetch.

#include "kafka_worker/protocol/fetch.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dory::kafka::protocol;
  return dory::fuzz::FuzzResponse(Api::kFetch, DecodeFetchResponse, data, size);
}
