#include "kafka_worker/chunks.h"

#include <algorithm>
#include <cstring>

namespace dory::kafka {

ChunkStore::Chunk ChunkStore::Take() {
  ++taken_;
  if (free_.empty()) return std::make_unique_for_overwrite<std::byte[]>(kChunkBytes);
  Chunk chunk = std::move(free_.back());
  free_.pop_back();
  return chunk;
}

void ChunkStore::GiveBack(std::vector<Chunk>* chunks) {
  if (chunks->empty()) return;
  taken_ -= chunks->size();
  for (Chunk& chunk : *chunks) {
    if (free_.size() < kMostFreeChunks) free_.push_back(std::move(chunk));
  }
  chunks->clear();
  if (on_room) on_room();
}

ChunkedBytes::ChunkedBytes(ChunkedBytes&& other) noexcept
    : store_(other.store_), chunks_(std::move(other.chunks_)), size_(std::exchange(other.size_, 0)) {
  other.chunks_.clear();
}

ChunkedBytes::~ChunkedBytes() { store_->GiveBack(&chunks_); }

std::span<std::byte> ChunkedBytes::Room() {
  if (size_ == chunks_.size() * kChunkBytes) chunks_.push_back(store_->Take());
  const size_t used = size_ - (chunks_.size() - 1) * kChunkBytes;
  return {chunks_.back().get() + used, kChunkBytes - used};
}

void ChunkedBytes::Append(ByteSpan bytes) {
  while (!bytes.empty()) {
    const std::span<std::byte> room = Room();
    const size_t count = std::min(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), count);
    Extend(count);
    bytes = bytes.subspan(count);
  }
}

std::vector<ByteSpan> ChunkedBytes::Spans() const {
  std::vector<ByteSpan> spans;
  for (size_t at = 0; at < size_; at += kChunkBytes) {
    spans.emplace_back(chunks_[at / kChunkBytes].get(), std::min(kChunkBytes, size_ - at));
  }
  return spans;
}

}  // namespace dory::kafka
