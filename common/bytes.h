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
