// What a codec costs: one batch of lines such as servers log, compressed again and again.
//
//     codec_cost [BATCH_BYTES]        256 KiB by default, a batch at its default limit
//
// Prints for each codec and level: MB/s of records, and what is left of them in percent.

#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "kafka_worker/compressor.h"

namespace {

using dory::Compression;

constexpr int64_t kMeasureMs = 300;
constexpr size_t kBlock = 16 << 10;  // the pool's
struct Trial {
  const char* name;
  Compression codec;
  int level;
};
constexpr Trial kTrials[] = {
    {"gzip 1", Compression::kGzip, 1},   {"gzip", Compression::kGzip, 0},       {"gzip 9", Compression::kGzip, 9},
    {"snappy", Compression::kSnappy, 0}, {"lz4", Compression::kLz4, 0},         {"lz4 9", Compression::kLz4, 9},
    {"lz4 12", Compression::kLz4, 12},   {"zstd 1", Compression::kZstd, 1},     {"zstd", Compression::kZstd, 0},
    {"zstd 9", Compression::kZstd, 9},   {"zstd 19", Compression::kZstd, 19},   {"zstd 22", Compression::kZstd, 22},
};

std::string MakeLines(size_t size) {
  constexpr std::string_view kPaths[] = {"/api/v1/users", "/static/app.js", "/login", "/search", "/cart/checkout"};
  std::mt19937 random(7);
  std::string lines;
  for (uint64_t ms = 1'700'000'000'000; lines.size() < size; ms += random() % 20) {
    lines += "{\"ts\":" + std::to_string(ms) + ",\"host\":\"web-" + std::to_string(random() % 40) + "\",\"path\":\"" +
             std::string(kPaths[random() % 5]) + "\",\"status\":" + (random() % 20 == 0 ? "404" : "200") +
             ",\"bytes\":" + std::to_string(random() % 50'000) + ",\"id\":\"" + std::to_string(random()) + "\"}";
  }
  lines.resize(size);
  return lines;
}

}  // namespace

int main(int argc, char** argv) {
  const size_t size = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 256 << 10;
  const std::string lines = MakeLines(size);
  std::vector<dory::ByteSpan> spans;
  for (size_t at = 0; at < size; at += kBlock) {
    spans.push_back(dory::AsBytes(std::string_view(lines).substr(at, kBlock)));
  }
  dory::kafka::ChunkStore store;
  dory::kafka::Compressor compressor;
  for (const Trial& trial : kTrials) {
    size_t packed = 0;
    int64_t rounds = 0;
    const int64_t begin = dory::MonotonicMs();
    int64_t took = 0;
    while (took < kMeasureMs) {
      dory::kafka::ChunkedBytes out(store);
      if (!compressor.Compress(trial.codec, trial.level, spans, SIZE_MAX, &out)) return 1;
      packed = out.size();
      ++rounds;
      took = dory::MonotonicMs() - begin;
    }
    const double bytes = static_cast<double>(rounds) * static_cast<double>(size);
    std::printf("%-8s %8.1f MB/s %6.1f %%\n", trial.name, bytes / static_cast<double>(took) / 1000,
                100.0 * static_cast<double>(packed) / static_cast<double>(size));
  }
  return 0;
}
