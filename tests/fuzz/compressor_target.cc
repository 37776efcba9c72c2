// Bytes, cut into spans, through each codec and back by the codec's own library: what comes out is what went in,
// and no more bytes are taken than were allowed.

#include "kafka_worker/compressor.h"

#include <fuzzer/FuzzedDataProvider.h>

#include <string>
#include <vector>

#include "tests/fuzz/target.h"
#include "tests/unit/kafka_worker/decompress.h"

namespace {

using namespace dory;
using namespace dory::kafka;

// Some bytes many times, so that there are blocks to be filled and something to be saved.
std::string TakePart(FuzzedDataProvider* input) {
  const auto times = input->ConsumeIntegralInRange<size_t>(1, 2000);
  const std::string once = input->ConsumeRandomLengthString(100);
  std::string part;
  for (size_t i = 0; i < times; ++i) part += once;
  return part;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Compressor compressor;  // as the worker has it: its state is used again
  static ChunkStore chunks;
  FuzzedDataProvider input(data, size);
  const auto codec = static_cast<Compression>(input.ConsumeIntegralInRange<int>(1, 4));
  const auto format = input.ConsumeIntegralInRange<int8_t>(0, 2);
  const auto most_bytes = input.ConsumeIntegralInRange<size_t>(0, 1 << 20);
  std::vector<std::string> parts;
  while (input.remaining_bytes() > 0 && parts.size() < 8) parts.push_back(TakePart(&input));
  std::vector<ByteSpan> spans;
  std::string plain;
  for (const std::string& part : parts) {
    spans.push_back(AsBytes(part));
    plain += part;
  }
  ChunkedBytes out(chunks);
  if (!compressor.Compress(codec, 0, spans, most_bytes, &out, format)) return 0;
  std::string packed;
  for (const ByteSpan span : out.Spans()) packed += AsText(span);
  fuzz::Require(packed.size() == out.size() && packed.size() <= most_bytes);
  if (codec == Compression::kLz4 && format == 0) packed = RepairOldLz4(packed);
  fuzz::Require(Decompress(codec, AsBytes(packed)) == plain && !testing::Test::HasFailure());
  return 0;
}
