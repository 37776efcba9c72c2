// Every store to a segment, in order: where, what was there, and what came. By it the segment is taken back
// to any instant between two stores, and forward again.
//
// Owner: shared memory, so that a life may write it and whoever outlives that life read it.
// Order: an entry is there before its store begins; a foreign one when it is done. The log is complete,
//   since the watched regions may be written only inside a Store or Copy of shm/store.h: any other write is a
//   fault that ends the process; and by store_steps, which asks the processor.

#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/bytes.h"
#include "shm/layout.h"

namespace dory::crash {

struct StoreEntry {
  shm::RegionKind region;
  uint32_t offset;
  uint32_t size;
  uint32_t bytes;  // where in the log's bytes the old ones are; the new ones follow
  uint32_t mark;   // what SetMark said last
  bool is_foreign;
};

// Whether its store may take many instructions, so that a kill leaves some bytes new and some old. A word's
// takes one (store_steps shows it), and the kernel is done before a kill acts.
inline bool MayTear(const StoreEntry& store) {
  return !store.is_foreign && (store.size > sizeof(uint64_t) || !std::has_single_bit(store.size));
}

class StoreLog {
 public:
  StoreLog();
  ~StoreLog();
  StoreLog(const StoreLog&) = delete;
  StoreLog& operator=(const StoreLog&) = delete;

  void Clear();
  size_t size() const { return shared_->count; }
  const StoreEntry& operator[](size_t index) const { return shared_->entries[index]; }
  // What was there, and what comes.
  ByteSpan OldBytes(size_t index) const { return {shared_->bytes + (*this)[index].bytes, (*this)[index].size}; }
  ByteSpan NewBytes(size_t index) const { return {OldBytes(index).data() + (*this)[index].size, (*this)[index].size}; }
  void SetMark(uint32_t mark) { shared_->mark = mark; }

  // From now on what this process stores there is logged; where it is `guarded`, nothing else can write.
  void Watch(shm::RegionKind region, std::span<std::byte> bytes, bool guarded);
  void EndWatching();

  // What is written to these bytes of that region between the two, by whatever means, is one store.
  // None: all of the region's.
  void BeginForeign(shm::RegionKind region, std::span<std::byte> bytes = {});
  void EndForeign(shm::RegionKind region);
  bool IsInForeign(shm::RegionKind region) const { return shared_->foreign == region; }

  // In the region's bytes, wherever they are mapped now. False: they are not what the log says.
  [[nodiscard]] bool Undo(size_t index, std::span<std::byte> region) const;
  void Redo(size_t index, std::span<std::byte> region) const;

 private:
  static constexpr size_t kEntryRoom = 1 << 16;
  static constexpr size_t kByteRoom = 16 << 20;

  struct Shared {
    std::atomic<size_t> count;  // stored behind the entry that it adds: another process may look at any time
    std::atomic<shm::RegionKind> foreign;  // kCount: none
    size_t used;
    uint32_t mark;
    StoreEntry entries[kEntryRoom];
    std::byte bytes[kByteRoom];
  };
  struct Watched {
    shm::RegionKind region;
    std::span<std::byte> bytes;
    bool guarded;
  };

  static void Before(void* to, const void* from, size_t size);
  static void After(void* to, size_t size);
  const Watched* Find(const void* address) const;
  const Watched* FindRegion(shm::RegionKind region) const;
  void Append(const Watched& watched, const void* at, const void* old, const void* now, size_t size, bool is_foreign);

  Shared* shared_;
  std::vector<Watched> watched_;
  std::span<std::byte> foreign_;
  std::vector<std::byte> before_foreign_;
};

}  // namespace dory::crash
