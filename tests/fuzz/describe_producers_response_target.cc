// Bytes as a broker's response to DescribeProducers.

#include "kafka_worker/protocol/describe_producers.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dory::kafka::protocol;
  return dory::fuzz::FuzzResponse(Api::kDescribeProducers, DecodeDescribeProducersResponse, data, size);
}
