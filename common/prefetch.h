// Tells the processor that memory will be looked at soon. Without effect but for the time that it takes then.

#pragma once

#include <cstddef>

namespace dory {

inline constexpr size_t kCacheLine = 64;

// Nothing there is read: any address will do.
inline void Prefetch(const void* begin, size_t size) {
  for (size_t i = 0; i < size; i += kCacheLine) {
    const char* const line = static_cast<const char*>(begin) + i;
    __builtin_prefetch(line);
    asm volatile("" : : "r"(line));  // what only prefetches is without effect for g++, too, which leaves it out
  }
}

template <typename T>
void Prefetch(const T& object) {
  Prefetch(&object, sizeof(object));
}

}  // namespace dory
