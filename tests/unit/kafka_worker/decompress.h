// What a consumer makes of compressed records, by each codec's own library.

#pragma once

#include <gtest/gtest.h>
#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string>
#include <string_view>
#include <vector>

#include "common/bytes.h"
#include "common/config.h"

namespace dory::kafka {

inline std::string DecompressGzip(std::string_view packed) {
  z_stream stream{};
  EXPECT_EQ(::inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string plain;
  int result = Z_OK;
  while (result == Z_OK) {
    char room[4096];
    stream.next_out = reinterpret_cast<Bytef*>(room);
    stream.avail_out = sizeof(room);
    result = ::inflate(&stream, Z_NO_FLUSH);
    plain.append(room, sizeof(room) - stream.avail_out);
  }
  EXPECT_EQ(result, Z_STREAM_END);
  EXPECT_EQ(stream.avail_in, 0u);
  ::inflateEnd(&stream);
  return plain;
}

// Until 0.9 Kafka had the frame's header checked from its magic number on (KAFKA-3160): that checksum is held
// against xxHash's own, and then the right one put in its place, so that lz4's library reads the frame.
inline std::string RepairOldLz4(std::string_view packed) {
  constexpr size_t kChecksumAt = 6;
  std::string repaired(packed);
  const auto check = [&](size_t from) {
    return static_cast<char>(XXH32(packed.data() + from, kChecksumAt - from, 0) >> 8);
  };
  EXPECT_EQ(packed.at(kChecksumAt), check(0));
  repaired[kChecksumAt] = check(4);
  return repaired;
}

// The Java library's stream: a header of 16 bytes, then blocks, each behind its size.
inline std::string DecompressSnappy(std::string_view packed) {
  constexpr std::string_view kHeader("\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16);
  EXPECT_EQ(packed.substr(0, kHeader.size()), kHeader);
  packed.remove_prefix(std::min(packed.size(), kHeader.size()));
  std::string plain;
  while (packed.size() >= 4) {
    const auto size = static_cast<size_t>(LoadBigEndian<int32_t>(AsBytes(packed).data()));
    packed.remove_prefix(4);
    std::string block;
    EXPECT_LE(size, packed.size());
    if (size > packed.size() || !snappy::Uncompress(packed.data(), size, &block)) {
      ADD_FAILURE() << "a block that is none";
      return plain;
    }
    plain += block;
    packed.remove_prefix(size);
  }
  EXPECT_TRUE(packed.empty());
  return plain;
}

inline std::string DecompressLz4(std::string_view packed) {
  LZ4F_dctx* context = nullptr;
  EXPECT_EQ(::LZ4F_isError(::LZ4F_createDecompressionContext(&context, LZ4F_VERSION)), 0u);
  LZ4F_frameInfo_t info{};
  size_t at = packed.size();
  EXPECT_EQ(::LZ4F_isError(::LZ4F_getFrameInfo(context, &info, packed.data(), &at)), 0u);
  EXPECT_EQ(info.blockMode, LZ4F_blockIndependent);  // Kafka reads no others
  std::string plain;
  size_t hint = 1;
  while (hint != 0 && at < packed.size()) {
    char room[4096];
    size_t got = sizeof(room);
    size_t taken = packed.size() - at;
    hint = ::LZ4F_decompress(context, room, &got, packed.data() + at, &taken, nullptr);
    if (::LZ4F_isError(hint) != 0) break;
    plain.append(room, got);
    at += taken;
  }
  EXPECT_EQ(hint, 0u);
  EXPECT_EQ(at, packed.size());
  ::LZ4F_freeDecompressionContext(context);
  return plain;
}

// As a stream: a frame need not say how much it holds, and Kafka's does not.
inline std::string DecompressZstd(std::string_view packed) {
  EXPECT_EQ(::ZSTD_findFrameCompressedSize(packed.data(), packed.size()), packed.size());
  ZSTD_DCtx* context = ::ZSTD_createDCtx();
  ZSTD_inBuffer input{packed.data(), packed.size(), 0};
  std::string plain;
  size_t left = 1;
  while (left != 0 && ::ZSTD_isError(left) == 0) {
    char room[4096];
    ZSTD_outBuffer output{room, sizeof(room), 0};
    left = ::ZSTD_decompressStream(context, &output, &input);
    plain.append(room, output.pos);
    if (output.pos == 0 && input.pos == input.size) break;
  }
  EXPECT_EQ(left, 0u);
  EXPECT_EQ(input.pos, input.size);
  ::ZSTD_freeDCtx(context);
  return plain;
}

inline std::string Decompress(Compression codec, ByteSpan packed) {
  switch (codec) {
    case Compression::kNone: return std::string(AsText(packed));
    case Compression::kGzip: return DecompressGzip(AsText(packed));
    case Compression::kSnappy: return DecompressSnappy(AsText(packed));
    case Compression::kLz4: return DecompressLz4(AsText(packed));
    case Compression::kZstd: return DecompressZstd(AsText(packed));
  }
  ADD_FAILURE() << "no codec of ours";
  return {};
}

}  // namespace dory::kafka
