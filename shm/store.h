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

#ifdef DORY_CRASH_POINTS
// Who wants to know of every store, in builds with CRASH=1.
struct StoreObserver {
  void (*before)(void* to, const void* from, size_t size) = nullptr;
  void (*after)(void* to, size_t size) = nullptr;
};
inline StoreObserver store_observer;

class WatchedStore {
 public:
  WatchedStore(void* to, const void* from, size_t size) : to_(to), size_(size) {
    if (store_observer.before != nullptr) store_observer.before(to, from, size);
  }
  ~WatchedStore() {
    if (store_observer.after != nullptr) store_observer.after(to_, size_);
  }
  WatchedStore(const WatchedStore&) = delete;
  WatchedStore& operator=(const WatchedStore&) = delete;

 private:
  void* to_;
  size_t size_;
};
#define DORY_WATCH_STORE(to, from, size) const ::dory::shm::WatchedStore watched_store(to, from, size)
#else
#define DORY_WATCH_STORE(to, from, size) static_cast<void>(0)
#endif

// Stores `value` after everything that was stored before it.
template <typename T>
inline void Store(T& word, std::type_identity_t<T> value) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  DORY_WATCH_STORE(&word, &value, sizeof(T));
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
inline void Copy(void* to, const void* from, size_t size) {
  DORY_WATCH_STORE(to, from, size);
  std::memcpy(to, from, size);
}

}  // namespace dory::shm
