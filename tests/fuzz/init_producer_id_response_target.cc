// Bytes as a broker's response to InitProducerId.

#include "kafka_worker/protocol/init_producer_id.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dory::kafka::protocol;
  return dory::fuzz::FuzzResponse(Api::kInitProducerId, DecodeInitProducerIdResponse, data, size);
}
