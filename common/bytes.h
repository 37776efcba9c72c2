// Cursors over bytes: big-endian reads and writes that check their bounds once, here.
//
// A failed read moves nothing and says so; a caller may chain reads and ask `ok()` at the end,
// since after the first failure every read fails and returns zero or an empty span.

#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace dory {

using ByteSpan = std::span<const std::byte>;

inline ByteSpan AsBytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::string_view AsText(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <typename T>
constexpr T SwapBigEndian(T value) {
  static_assert(std::is_integral_v<T>);
  if constexpr (sizeof(T) == 1 || std::endian::native == std::endian::big) {
    return value;
  } else if constexpr (sizeof(T) == 2) {
    return static_cast<T>(__builtin_bswap16(static_cast<uint16_t>(value)));
  } else if constexpr (sizeof(T) == 4) {
    return static_cast<T>(__builtin_bswap32(static_cast<uint32_t>(value)));
  } else {
    static_assert(sizeof(T) == 8);
    return static_cast<T>(__builtin_bswap64(static_cast<uint64_t>(value)));
  }
}

// The big-endian integer at `at`, which need not be aligned. REQUIRES: sizeof(T) bytes there.
template <typename T>
T LoadBigEndian(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return SwapBigEndian(value);
}

template <typename T>
void StoreBigEndian(std::byte* at, T value) {
  value = SwapBigEndian(value);
  std::memcpy(at, &value, sizeof(T));
}

// ---- variable-length integers: seven bits a byte, lowest first, as Kafka and protobuf have them ----

inline constexpr size_t kMaxVarintBytes = 10;

constexpr uint64_t ZigZagEncode(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}

constexpr int64_t ZigZagDecode(uint64_t coded) {
  return static_cast<int64_t>((coded >> 1) ^ (~(coded & 1) + 1));
}

// How many bytes `value` takes: 1 to kMaxVarintBytes.
constexpr size_t UnsignedVarintSize(uint64_t value) {
  return (static_cast<size_t>(std::bit_width(value | 1)) * 9 + 64) / 64;
}

constexpr size_t VarintSize(int64_t value) { return UnsignedVarintSize(ZigZagEncode(value)); }

// Both return the byte behind what they wrote. REQUIRES: room for the size above.
inline std::byte* StoreUnsignedVarint(std::byte* at, uint64_t value) {
  while (value >= 0x80) {
    *at++ = static_cast<std::byte>(value | 0x80);
    value >>= 7;
  }
  *at++ = static_cast<std::byte>(value);
  return at;
}

inline std::byte* StoreVarint(std::byte* at, int64_t value) {
  return StoreUnsignedVarint(at, ZigZagEncode(value));
}

class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  size_t remaining() const { return bytes_.size() - offset_; }
  size_t offset() const { return offset_; }

  template <typename T>
  T Read() {
    if (!Has(sizeof(T))) return T{};
    T value = LoadBigEndian<T>(bytes_.data() + offset_);
    offset_ += sizeof(T);
    return value;
  }

  ByteSpan ReadBytes(size_t size) {
    if (!Has(size)) return {};
    ByteSpan found = bytes_.subspan(offset_, size);
    offset_ += size;
    return found;
  }

  // Fails on more than 64 bits as it does on missing bytes.
  uint64_t ReadUnsignedVarint() {
    uint64_t value = 0;
    size_t at = offset_;
    for (unsigned shift = 0; ok_ && shift < 64 && at < bytes_.size(); shift += 7) {
      const auto byte = static_cast<uint64_t>(bytes_[at++]);
      if (shift == 63 && byte > 1) break;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        offset_ = at;
        return value;
      }
    }
    ok_ = false;
    return 0;
  }

  int64_t ReadVarint() { return ZigZagDecode(ReadUnsignedVarint()); }

  // From here on every read fails.
  void Fail() { ok_ = false; }

 private:
  bool Has(size_t size) {
    ok_ = ok_ && size <= bytes_.size() - offset_;
    return ok_;
  }

  ByteSpan bytes_;
  size_t offset_ = 0;
  bool ok_ = true;
};

}  // namespace dory
