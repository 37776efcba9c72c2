// Where answers are read into: one buffer for all connections, and what has come of those that are not whole yet.
//
// A hostile broker may stand for hundreds, and hold back the end of an answer on each of its connections. All together
// have little more than one answer may have: beyond that the one that holds most gives up, and not who needs little.
//
// Owner: Cluster, by its settings; a connection has its part in it while it holds something.

#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <memory>
#include <vector>

namespace dory::kafka {

class BrokerConnection;

// Large pieces are pages of their own, which the system has back at once: on the heap what was once touched of many
// stays taken.
template <typename T>
struct PageAllocator {
  using value_type = T;

  T* allocate(size_t count) {
    if (!IsLarge(count)) return std::allocator<T>().allocate(count);
    void* pages = ::mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) std::abort();
    return static_cast<T*>(pages);
  }
  void deallocate(T* memory, size_t count) {
    if (!IsLarge(count)) return std::allocator<T>().deallocate(memory, count);
    ::munmap(memory, count * sizeof(T));
  }
  bool operator==(const PageAllocator&) const = default;

 private:
  static constexpr bool IsLarge(size_t count) { return count * sizeof(T) >= 512u << 10; }
};

using InputBuffer = std::vector<std::byte, PageAllocator<std::byte>>;

class AnswerInput {
 public:
  explicit AnswerInput(size_t most_bytes) : most_bytes_(most_bytes) {}

  // What any connection may read into that has nothing of an answer yet.
  InputBuffer spare;

  // So much of an answer that is not whole is held for it now. Null, or who is to give up.
  BrokerConnection* Note(BrokerConnection* holder, size_t bytes) {
    const auto found = held_.find(holder);
    held_bytes_ += bytes;
    if (found != held_.end()) held_bytes_ -= found->second;
    if (bytes == 0) {
      if (found != held_.end()) held_.erase(found);
      return nullptr;
    }
    held_[holder] = bytes;
    if (held_bytes_ <= most_bytes_) return nullptr;
    const auto less = [](const auto& a, const auto& b) { return a.second < b.second; };
    return std::max_element(held_.begin(), held_.end(), less)->first;
  }

 private:
  size_t most_bytes_;
  size_t held_bytes_ = 0;
  std::map<BrokerConnection*, size_t> held_;
};

}  // namespace dory::kafka
