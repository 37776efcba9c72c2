// Bytes as a broker's response to ListOffsets.

#include "kafka_worker/protocol/list_offsets.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dory::kafka::protocol;
  return dory::fuzz::FuzzResponse(Api::kListOffsets, DecodeListOffsetsResponse, data, size);
}
