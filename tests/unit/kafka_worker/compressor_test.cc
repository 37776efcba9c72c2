#include "kafka_worker/compressor.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/unit/kafka_worker/decompress.h"

namespace dory::kafka {
namespace {

constexpr Compression kCodecs[] = {Compression::kGzip, Compression::kSnappy, Compression::kLz4, Compression::kZstd};
constexpr size_t kAny = SIZE_MAX;

std::string MakeText(size_t size) {
  std::mt19937 random(1);
  std::string text;
  while (text.size() < size) text += "message " + std::to_string(random() % 100'000) + ", ";
  text.resize(size);
  return text;
}

std::string MakeNoise(size_t size) {
  std::mt19937 random(size > 0 ? static_cast<uint32_t>(size) : 1);
  std::string noise(size, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  return noise;
}

std::vector<ByteSpan> Cut(std::string_view text, size_t piece) {
  std::vector<ByteSpan> spans;
  for (size_t at = 0; at < text.size(); at += piece) spans.push_back(AsBytes(text.substr(at, piece)));
  return spans;
}

class CompressorTest : public ::testing::Test {
 protected:
  // Empty where it did not fit.
  std::string Pack(Compression codec, int level, std::string_view text, size_t piece, size_t most = kAny) {
    ChunkedBytes out(store_);
    if (!compressor_.Compress(codec, level, Cut(text, piece), most, &out)) return {};
    std::string packed;
    for (const ByteSpan span : out.Spans()) packed += AsText(span);
    EXPECT_EQ(packed.size(), out.size());
    return packed;
  }

  void ExpectRoundTrip(Compression codec, int level, const std::string& text, size_t piece) {
    EXPECT_EQ(Decompress(codec, AsBytes(Pack(codec, level, text, piece))), text)
        << "codec " << CodecBits(codec) << ", level " << level << ", " << text.size() << " by " << piece;
  }

  ChunkStore store_;
  Compressor compressor_;
};

TEST_F(CompressorTest, EveryShapeComesBack) {
  for (const Compression codec : kCodecs) {
    for (const size_t size : {1, 100, 16384, 32767, 32768, 32769, 65536, 70'001, 200'003}) {
      for (const size_t piece : {1, 1013, 16384, 40'000, 1'000'000}) {
        if (piece == 1 && size > 100) continue;
        ExpectRoundTrip(codec, 0, MakeText(size), piece);
      }
      ExpectRoundTrip(codec, 0, MakeNoise(size), 16384);
    }
  }
  EXPECT_EQ(store_.used(), 0u);
}

TEST_F(CompressorTest, EveryLevelComesBack) {
  const std::string text = MakeText(40'000);
  const std::pair<Compression, int> kHighest[] = {
      {Compression::kGzip, 9}, {Compression::kLz4, 12}, {Compression::kZstd, 22}};
  for (const auto& [codec, highest] : kHighest) {
    for (int level = 0; level <= highest; ++level) ExpectRoundTrip(codec, level, text, 16384);
    EXPECT_LT(Pack(codec, highest, text, 16384).size(), Pack(codec, 1, text, 16384).size());
  }
}

// The levels that a codec has not used last are its own, too.
TEST_F(CompressorTest, LevelsTakeTurns) {
  const std::string text = MakeText(50'000);
  for (const Compression codec : {Compression::kGzip, Compression::kLz4, Compression::kZstd}) {
    const std::string low = Pack(codec, 1, text, 16384);
    const std::string high = Pack(codec, 9, text, 16384);
    EXPECT_EQ(Pack(codec, 1, text, 16384), low);
    EXPECT_EQ(Pack(codec, 9, text, 16384), high);
  }
}

TEST_F(CompressorTest, WhatDoesNotFitIsLeft) {
  const std::string noise = MakeNoise(200'000);
  const std::string text = MakeText(200'000);
  for (const Compression codec : kCodecs) {
    EXPECT_EQ(Pack(codec, 0, noise, 16384, noise.size() - 1), "");
    const std::string packed = Pack(codec, 0, text, 16384);
    EXPECT_EQ(Pack(codec, 0, text, 16384, packed.size() - 1), "");
    EXPECT_EQ(Pack(codec, 0, text, 16384, packed.size()), packed);  // and what was left leaves no trace
  }
  EXPECT_EQ(store_.used(), 0u);
}

TEST_F(CompressorTest, WhatIsWorthIt) {
  EXPECT_EQ(MostCompressedBytes(1000, 10), 900u);
  EXPECT_EQ(MostCompressedBytes(1001, 10), 900u);
  EXPECT_EQ(MostCompressedBytes(1000, 0), 999u);
  EXPECT_EQ(MostCompressedBytes(1000, 99), 10u);
  EXPECT_EQ(MostCompressedBytes(1, 0), 0u);
  EXPECT_EQ(MostCompressedBytes(0, 0), 0u);
}

TEST_F(CompressorTest, ZstdFromProduce7On) {
  EXPECT_FALSE(IsKnownTo(6, Compression::kZstd));
  EXPECT_TRUE(IsKnownTo(7, Compression::kZstd));
  EXPECT_TRUE(IsKnownTo(3, Compression::kLz4));
}

TEST_F(CompressorTest, ChunksAreUsedAgain) {
  int calls = 0;
  store_.on_room = [&calls] { ++calls; };
  {
    ChunkedBytes bytes(store_);
    bytes.Append(AsBytes(MakeText(3 * kChunkBytes + 1)));
    EXPECT_EQ(store_.used(), 4 * kChunkBytes);
    const ByteSpan first = bytes.Spans().at(0);
    const ChunkedBytes moved(std::move(bytes));
    EXPECT_EQ(moved.Spans().at(0).data(), first.data());
    EXPECT_EQ(moved.size(), 3 * kChunkBytes + 1);
    EXPECT_EQ(calls, 0);
  }
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(store_.used(), 0u);
  ChunkStore::Chunk chunk = store_.Take();
  std::vector<ChunkStore::Chunk> chunks;
  chunks.push_back(std::move(chunk));
  store_.GiveBack(&chunks);
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace dory::kafka
