// The one seam through which every byte of the segment is written.
//
// Owner: each word of the segment has exactly one writing process, so nothing here is a CAS or a
// lock: Store is a release store, Load an acquire load. On x86-64 both are plain moves that the
// compiler may not reorder; the compiler is the enemy between the numbered steps (doc/design.md).
//
// The kernel is the only other writer: recvmmsg stores datagrams and msg_len into the receive slots.

#pragma once

#include <cstddef>
#include <cstring>
#include <type_traits>

namespace dory::shm {

// Stores `value` after everything that was stored before it.
template <typename T>
inline void Store(T& word, std::type_identity_t<T> value) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  __atomic_store(&word, &value, __ATOMIC_RELEASE);
}

template <typename T>
inline T Load(const T& word) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  T value;
  __atomic_load(const_cast<T*>(&word), &value, __ATOMIC_ACQUIRE);
  return value;
}

// Copies bytes that no reader looks at before a later Store says so.
inline void Copy(void* to, const void* from, size_t size) { std::memcpy(to, from, size); }

}  // namespace dory::shm
