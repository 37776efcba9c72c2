// Compresses the records of a batch for the wire, in the forms that Kafka's consumers read: gzip as a
// gzip file, lz4 and zstd as their frames, snappy as the Java library's stream (xerial), since that is
// what Kafka's own client writes and reads:
//
//     82 "SNAPPY" 00 | version:4 = 1 | oldest that reads it:4 = 1 | { size:4 | a raw snappy block } ...
//
// lz4's blocks do not depend on one another: Kafka's reader knows no others. In message format 0 the
// checksum of its frame's header covers the magic number, too, as Kafka wrote it until 0.9 (KAFKA-3160).
//
// Nothing is allocated for a batch: each codec's state is made once and used again.
// Errors: what a codec can't do (out of memory) is "does not fit": the batch goes as it is.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "common/bytes.h"
#include "common/config.h"
#include "kafka_worker/chunks.h"

namespace dory::kafka {

// What a batch's attributes say of its codec.
constexpr int16_t CodecBits(Compression codec) { return static_cast<int16_t>(codec); }
static_assert(CodecBits(Compression::kNone) == 0 && CodecBits(Compression::kGzip) == 1 &&
              CodecBits(Compression::kSnappy) == 2 && CodecBits(Compression::kLz4) == 3 &&
              CodecBits(Compression::kZstd) == 4);

// Whether a broker with whom we speak this version of Produce knows the codec (zstd: KIP-110).
constexpr bool IsKnownTo(int16_t produce_version, Compression codec) {
  return codec != Compression::kZstd || produce_version >= 7;
}

// The most bytes that the compressed form of `size` bytes may have, so that it saves `min_ratio` percent,
// and one byte at least.
constexpr size_t MostCompressedBytes(size_t size, int64_t min_ratio) {
  const size_t most = size / 100 * static_cast<size_t>(100 - min_ratio) +
                      size % 100 * static_cast<size_t>(100 - min_ratio) / 100;
  return most < size ? most : size - (size > 0);
}

class Compressor {
 public:
  Compressor();
  ~Compressor();

  // Appends the compressed form of the spans, one after the other, to `out`. False: it would have more
  // than `most_bytes`, and what `out` holds is of no use. `level` 0: the codec's default.
  // REQUIRES: a codec; `out` is empty.
  [[nodiscard]] bool Compress(Compression codec, int level, std::span<const ByteSpan> spans, size_t most_bytes,
                              ChunkedBytes* out, int8_t message_format = 2);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dory::kafka
