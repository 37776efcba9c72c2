#include "kafka_worker/compressor.h"

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace dory::kafka {
namespace {

constexpr size_t kSnappyBlock = 32 << 10;  // as the Java library has it
constexpr size_t kLz4Slice = 64 << 10;     // of input at a time: a block
constexpr int kGzipWrapper = 16;           // added to zlib's window bits

size_t SizeOf(std::span<const ByteSpan> spans) {
  size_t size = 0;
  for (const ByteSpan span : spans) size += span.size();
  return size;
}

struct EndDeflate {
  void operator()(z_stream* stream) const {
    ::deflateEnd(stream);
    delete stream;
  }
};
struct FreeLz4 {
  void operator()(LZ4F_cctx* context) const { ::LZ4F_freeCompressionContext(context); }
};
struct FreeZstd {
  void operator()(ZSTD_CCtx* context) const { ::ZSTD_freeCCtx(context); }
};

class Gzip {
 public:
  bool Compress(int level, std::span<const ByteSpan> spans, size_t most_bytes, ChunkedBytes* out) {
    if (!Begin(level == 0 ? Z_DEFAULT_COMPRESSION : level)) return false;
    for (const ByteSpan span : spans) {
      stream_->next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(span.data()));
      stream_->avail_in = static_cast<uInt>(span.size());
      while (stream_->avail_in > 0) {
        if (Step(Z_NO_FLUSH, out) != Z_OK || out->size() > most_bytes) return false;
      }
    }
    int result = Z_OK;
    while (result == Z_OK && out->size() <= most_bytes) result = Step(Z_FINISH, out);
    return result == Z_STREAM_END && out->size() <= most_bytes;
  }

 private:
  bool Begin(int level) {
    if (stream_ != nullptr && level == level_) return ::deflateReset(stream_.get()) == Z_OK;
    stream_.reset();
    auto fresh = std::make_unique<z_stream>();
    if (::deflateInit2(fresh.get(), level, Z_DEFLATED, MAX_WBITS + kGzipWrapper, MAX_MEM_LEVEL - 1,
                       Z_DEFAULT_STRATEGY) != Z_OK) {
      return false;
    }
    stream_.reset(fresh.release());
    level_ = level;
    return true;
  }

  int Step(int flush, ChunkedBytes* out) {
    const std::span<std::byte> room = out->Room();
    stream_->next_out = reinterpret_cast<Bytef*>(room.data());
    stream_->avail_out = static_cast<uInt>(room.size());
    const int result = ::deflate(stream_.get(), flush);
    out->Extend(room.size() - stream_->avail_out);
    return result;
  }

  std::unique_ptr<z_stream, EndDeflate> stream_;
  int level_ = 0;
};

class Snappy {
 public:
  bool Compress(std::span<const ByteSpan> spans, size_t most_bytes, ChunkedBytes* out) {
    constexpr std::array<unsigned char, 16> kHeader = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1};
    if (block_.empty()) {
      block_.resize(kSnappyBlock);
      packed_.resize(sizeof(int32_t) + snappy::MaxCompressedLength(kSnappyBlock));
    }
    out->Append(std::as_bytes(std::span(kHeader)));
    size_t filled = 0;
    for (ByteSpan rest : spans) {
      while (!rest.empty()) {
        const size_t count = std::min(rest.size(), kSnappyBlock - filled);
        std::memcpy(block_.data() + filled, rest.data(), count);
        rest = rest.subspan(count);
        filled += count;
        if (filled < kSnappyBlock) continue;
        AppendBlock(filled, out);
        filled = 0;
        if (out->size() > most_bytes) return false;
      }
    }
    if (filled > 0) AppendBlock(filled, out);
    return out->size() <= most_bytes;
  }

 private:
  void AppendBlock(size_t size, ChunkedBytes* out) {
    size_t packed = 0;
    snappy::RawCompress(reinterpret_cast<const char*>(block_.data()), size,
                        reinterpret_cast<char*>(packed_.data()) + sizeof(int32_t), &packed);
    StoreBigEndian(packed_.data(), static_cast<int32_t>(packed));
    out->Append(ByteSpan(packed_.data(), sizeof(int32_t) + packed));
  }

  std::vector<std::byte> block_;   // gathered: a block has to lie in one piece
  std::vector<std::byte> packed_;
};

class Lz4 {
 public:
  bool Compress(int level, std::span<const ByteSpan> spans, size_t most_bytes, ChunkedBytes* out, bool old_header) {
    LZ4F_preferences_t preferences{};
    preferences.frameInfo.blockSizeID = LZ4F_max64KB;
    preferences.frameInfo.blockMode = LZ4F_blockIndependent;
    preferences.compressionLevel = level;
    if (context_ == nullptr && !Make(preferences)) return false;
    const size_t header = ::LZ4F_compressBegin(context_.get(), packed_.data(), packed_.size(), &preferences);
    if (old_header && ::LZ4F_isError(header) == 0) CheckFromMagicOn(packed_.data(), header);
    if (!Keep(header, out)) return false;
    for (ByteSpan rest : spans) {
      while (!rest.empty()) {
        const size_t count = std::min(rest.size(), kLz4Slice);
        if (!Keep(::LZ4F_compressUpdate(context_.get(), packed_.data(), packed_.size(), rest.data(), count, nullptr),
                  out) ||
            out->size() > most_bytes) {
          return false;
        }
        rest = rest.subspan(count);
      }
    }
    return Keep(::LZ4F_compressEnd(context_.get(), packed_.data(), packed_.size(), nullptr), out) &&
           out->size() <= most_bytes;
  }

 private:
  // The header's last byte is a checksum: of all before it, instead of what stands behind the magic number.
  static void CheckFromMagicOn(std::byte* header, size_t size) {
    header[size - 1] = static_cast<std::byte>(XXH32(header, size - 1, 0) >> 8);
  }

  bool Make(const LZ4F_preferences_t& preferences) {
    LZ4F_cctx* context = nullptr;
    if (::LZ4F_isError(::LZ4F_createCompressionContext(&context, LZ4F_VERSION)) != 0) return false;
    context_.reset(context);
    packed_.resize(std::max<size_t>(::LZ4F_compressBound(kLz4Slice, &preferences), LZ4F_HEADER_SIZE_MAX));
    return true;
  }

  bool Keep(size_t packed, ChunkedBytes* out) {
    if (::LZ4F_isError(packed) != 0) return false;
    out->Append(ByteSpan(packed_.data(), packed));
    return true;
  }

  std::unique_ptr<LZ4F_cctx, FreeLz4> context_;
  std::vector<std::byte> packed_;  // it asks for more room at a time than a chunk has
};

class Zstd {
 public:
  bool Compress(int level, std::span<const ByteSpan> spans, size_t most_bytes, ChunkedBytes* out) {
    if (context_ == nullptr) context_.reset(::ZSTD_createCCtx());
    if (context_ == nullptr) return false;
    ::ZSTD_CCtx_reset(context_.get(), ZSTD_reset_session_only);
    ::ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, level);  // 0 is its default, too
    ::ZSTD_CCtx_setPledgedSrcSize(context_.get(), SizeOf(spans));
    for (const ByteSpan span : spans) {
      ZSTD_inBuffer input{span.data(), span.size(), 0};
      while (input.pos < input.size) {
        if (::ZSTD_isError(Step(ZSTD_e_continue, &input, out)) != 0 || out->size() > most_bytes) return false;
      }
    }
    ZSTD_inBuffer nothing{nullptr, 0, 0};
    size_t left = 1;
    while (left > 0) {
      left = Step(ZSTD_e_end, &nothing, out);
      if (::ZSTD_isError(left) != 0 || out->size() > most_bytes) return false;
    }
    return true;
  }

 private:
  size_t Step(ZSTD_EndDirective directive, ZSTD_inBuffer* input, ChunkedBytes* out) {
    const std::span<std::byte> room = out->Room();
    ZSTD_outBuffer output{room.data(), room.size(), 0};
    const size_t result = ::ZSTD_compressStream2(context_.get(), &output, input, directive);
    out->Extend(output.pos);
    return result;
  }

  std::unique_ptr<ZSTD_CCtx, FreeZstd> context_;
};

}  // namespace

struct Compressor::State {
  Gzip gzip;
  Snappy snappy;
  Lz4 lz4;
  Zstd zstd;
};

Compressor::Compressor() : state_(std::make_unique<State>()) {}
Compressor::~Compressor() = default;

bool Compressor::Compress(Compression codec, int level, std::span<const ByteSpan> spans, size_t most_bytes,
                          ChunkedBytes* out, int8_t message_format) {
  switch (codec) {
    case Compression::kNone: return false;
    case Compression::kGzip: return state_->gzip.Compress(level, spans, most_bytes, out);
    case Compression::kSnappy: return state_->snappy.Compress(spans, most_bytes, out);
    case Compression::kLz4: return state_->lz4.Compress(level, spans, most_bytes, out, message_format == 0);
    case Compression::kZstd: return state_->zstd.Compress(level, spans, most_bytes, out);
  }
  return false;
}

}  // namespace dory::kafka
