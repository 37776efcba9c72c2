#include "shm/pool.h"

#include <algorithm>
#include <cassert>

#include "common/crash_point.h"
#include "common/prefetch.h"

namespace dory::shm {
namespace {

constexpr size_t kNextOnes = 8;  // batches ahead of which one is fetched into the caches

// Blocks that hold `bytes`; an open batch has its first one also while it is empty.
uint64_t BlocksFor(uint64_t bytes) { return std::max<uint64_t>(1, (bytes + kBlockSize - 1) / kBlockSize); }

template <typename T>
std::span<const T> ViewArray(ByteSpan bytes) {
  return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
}
template <typename T>
std::span<T> ViewArray(std::span<std::byte> bytes) {
  return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
}

}  // namespace

PoolView::PoolView(const Segment& segment, uint32_t lane)
    : batches_(ViewArray<BatchDescriptor>(segment.Bytes(RegionKind::kBatches, lane))),
      next_(ViewArray<uint32_t>(segment.Bytes(RegionKind::kChains, lane))),
      blocks_(segment.Bytes(RegionKind::kPool, lane)),
      block_count_(segment.geometry().BlockCount()) {}

BatchEnd PoolView::End(BatchId batch) const {
  const BatchDescriptor& descriptor = batches_[batch];
  return descriptor.end[Load(descriptor.commit).count & 1];
}

uint32_t PoolView::NextBlock(uint32_t block) const {
  const uint32_t next = Load(next_[block]);
  return next < block_count_ ? next : kNoIndex;
}

void PoolView::CollectSpans(BatchId batch, uint64_t from, uint64_t to,
                            std::vector<ByteSpan>* spans) const {
  uint64_t block_start = 0;
  for (uint32_t block = batch; block != kNoIndex; block = NextBlock(block)) {
    const uint64_t block_end = block_start + kBlockSize;
    if (from < block_end && from < to) {
      const uint64_t end = std::min(to, block_end);
      spans->push_back(Block(block).subspan(from - block_start, end - from));
      from = end;
    }
    if (from >= to) return;
    block_start = block_end;
  }
}

ByteSpan PoolView::Read(BatchId batch, uint64_t offset, size_t size,
                        std::vector<std::byte>* buffer) const {
  uint32_t block = batch;
  for (uint64_t i = 0; i < offset / kBlockSize && block != kNoIndex; ++i) block = NextBlock(block);
  if (block == kNoIndex) return {};
  const size_t in_block = offset % kBlockSize;
  if (in_block + size <= kBlockSize) return Block(block).subspan(in_block, size);
  std::vector<ByteSpan> spans;
  CollectSpans(batch, offset, offset + size, &spans);
  buffer->clear();
  for (const ByteSpan span : spans) buffer->insert(buffer->end(), span.begin(), span.end());
  return *buffer;
}

Pool::Pool(Segment& segment, uint32_t lane)
    : PoolView(segment, lane),
      writable_batches_(ViewArray<BatchDescriptor>(segment.WritableBytes(RegionKind::kBatches, lane))),
      writable_next_(ViewArray<uint32_t>(segment.WritableBytes(RegionKind::kChains, lane))),
      writable_blocks_(segment.WritableBytes(RegionKind::kPool, lane)),
      chains_(block_count_) {
  free_.reserve(block_count_);
}

void Pool::Rebuild() {
  std::vector<bool> used(block_count_, false);
  for (BatchId batch = 0; batch < block_count_; ++batch) {
    const BatchDescriptor& live = descriptor(batch);
    if (static_cast<BatchState>(live.word.state) == BatchState::kFree) continue;
    next_order_ = std::max(next_order_, live.order + 1);
    const uint64_t blocks = BlocksFor(live.commit.bytes);
    uint32_t block = batch;
    for (uint64_t i = 0; i < blocks; ++i) {
      if (i > 0) block = NextBlock(block);
      if (block == kNoIndex || used[block]) std::abort();  // a chain of ours is never damaged or shared
      used[block] = true;
      chains_[batch].last = block;
    }
    chains_[batch].blocks = static_cast<uint32_t>(blocks);
  }
  free_.clear();
  for (uint32_t block = block_count_; block-- > 0;) {
    if (!used[block]) free_.push_back(block);
  }
}

uint32_t Pool::BlocksNeeded(BatchId batch, uint64_t size) const {
  if (batch == kNoIndex) return static_cast<uint32_t>(BlocksFor(size));
  return static_cast<uint32_t>(BlocksFor(descriptor(batch).commit.bytes + size)) - chains_[batch].blocks;
}

uint32_t Pool::TakeBlock() {
  assert(!free_.empty());
  const uint32_t block = free_.back();
  free_.pop_back();
  return block;
}

BatchId Pool::Open(const NewBatch& batch) {
  const BatchId id = TakeBlock();
  if (free_.size() > kNextOnes) Prefetch(&batches_[free_[free_.size() - kNextOnes]], offsetof(BatchDescriptor, reserved));
  BatchDescriptor& descriptor = writable_batches_[id];
  Store(descriptor.commit, CommitWord{});
  Store(descriptor.end[0].position, 0);
  Store(descriptor.end[0].crc, 0);
  Store(descriptor.end[0].max_timestamp, batch.base_timestamp);
  Store(descriptor.topic_row, batch.topic_row);
  Store(descriptor.partition_row, batch.partition_row);
  Store(descriptor.kind, batch.kind);
  Store(descriptor.unknown_outcome, 0);
  Store(descriptor.attempts, 0);
  Store(descriptor.order, next_order_++);
  Store(descriptor.base_timestamp, batch.base_timestamp);
  Store(descriptor.first_record_boottime_ns, batch.first_record_boottime_ns);
  Store(descriptor.first_sent_boottime_ns, 0);
  DORY_CRASH_POINT("C2.described");
  Store(descriptor.word, MakeBatchWord(BatchState::kOpen, 0, 0));
  DORY_CRASH_POINT("C2.open");
  chains_[id] = {id, 1};
  return id;
}

void Pool::Extend(BatchId batch) {
  const uint32_t block = TakeBlock();
  Store(writable_next_[chains_[batch].last], block);
  DORY_CRASH_POINT("C3.chained");
  chains_[batch].last = block;
  ++chains_[batch].blocks;
}

ByteSpan Pool::Stage(BatchId batch, std::span<const ByteSpan> pieces) {
  const uint64_t start = descriptor(batch).commit.bytes;
  uint64_t position = start;
  for (ByteSpan piece : pieces) {
    while (!piece.empty()) {
      if (position == uint64_t{chains_[batch].blocks} * kBlockSize) Extend(batch);
      const size_t offset = position % kBlockSize;
      const size_t part = std::min(piece.size(), kBlockSize - offset);
      Copy(writable_blocks_.data() + size_t{chains_[batch].last} * kBlockSize + offset, piece.data(), part);
      piece = piece.subspan(part);
      position += part;
    }
  }
  DORY_CRASH_POINT("C3.encoded");
  const uint64_t size = position - start;
  const size_t end = (position - 1) % kBlockSize + 1;
  return end < size ? ByteSpan{} : Block(chains_[batch].last).subspan(end - size, size);
}

void Pool::Commit(BatchId batch, uint64_t size, const BatchEnd& end) {
  BatchDescriptor& descriptor = writable_batches_[batch];
  const CommitWord before = descriptor.commit;
  BatchEnd& slot = descriptor.end[(before.count + 1) & 1];
  Store(slot.position, end.position);
  Store(slot.max_timestamp, end.max_timestamp);
  Store(slot.crc, end.crc);
  DORY_CRASH_POINT("C3.end");
  CommitWord after;
  after.bytes = (before.bytes + size) & ((uint64_t{1} << 36) - 1);
  after.count = (before.count + 1) & kMaxBatchRecords;
  Store(descriptor.commit, after);
  DORY_CRASH_POINT("C4.committed");
}

void Pool::Free(BatchId batch) {
  Store(writable_batches_[batch].word, BatchWord{});
  DORY_CRASH_POINT("C12.free");
  uint32_t block = batch;
  for (uint32_t i = 0; i < chains_[batch].blocks; ++i) {
    const uint32_t next = NextBlock(block);
    free_.push_back(block);
    block = next;
  }
}

}  // namespace dory::shm
