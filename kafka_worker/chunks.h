// Private memory for the record bytes of requests that do not lie in the pool as they are sent: chunks,
// given back and used again, so that nothing is allocated while a load goes on.
//
// Owner: the kafka worker; not shared.
// Order: a store outlives the bytes in its chunks.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "common/bytes.h"

namespace dory::kafka {

inline constexpr size_t kChunkBytes = 16 << 10;
inline constexpr size_t kMostFreeChunks = 256;  // kept; what a peak took beyond them is freed

class ChunkStore {
 public:
  using Chunk = std::unique_ptr<std::byte[]>;

  Chunk Take();
  void GiveBack(std::vector<Chunk>* chunks);

  // Bytes of the chunks that are taken.
  uint64_t used() const { return taken_ * kChunkBytes; }

  // Called when chunks were given back.
  std::function<void()> on_room;

 private:
  std::vector<Chunk> free_;
  uint64_t taken_ = 0;
};

// Bytes that are appended to, never moved, and given back with their owner's end.
class ChunkedBytes {
 public:
  explicit ChunkedBytes(ChunkStore& store) : store_(&store) {}
  ChunkedBytes(ChunkedBytes&& other) noexcept;
  ChunkedBytes& operator=(ChunkedBytes&&) = delete;
  ~ChunkedBytes();

  // What is free behind the last byte, never empty; an Extend says how much of it was filled.
  std::span<std::byte> Room();
  void Extend(size_t bytes) { size_ += bytes; }

  void Append(ByteSpan bytes);
  size_t size() const { return size_; }

  // One span a chunk, in order.
  std::vector<ByteSpan> Spans() const;

 private:
  ChunkStore* store_;
  std::vector<ChunkStore::Chunk> chunks_;
  size_t size_ = 0;
};

}  // namespace dory::kafka
