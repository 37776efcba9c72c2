// Bytes as a broker's response to Produce.

#include "kafka_worker/protocol/produce.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dory::kafka::protocol;
  return dory::fuzz::FuzzResponse(Api::kProduce, DecodeProduceResponse, data, size);
}
