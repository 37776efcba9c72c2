// The pool: batches of records in chains of 16 KiB blocks.
//
// Batch b begins in block b, so descriptor and first block share a number and a free list. A chain goes
// on through next[block]; what is not reachable through commit.bytes from a live descriptor is free, so
// the free list is private and rebuilt at each start, without a look at any message byte.
//
// Owner: the lane's kafka worker (Pool); check-buffer and recovery read through PoolView.
// Order: record bytes, next[] and end[] are stored before the commit word that makes them count (C4).
// On crash: what lies behind commit.bytes never was.

#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "common/bytes.h"
#include "shm/layout.h"
#include "shm/segment.h"
#include "shm/store.h"

namespace dory::shm {

using BatchId = uint32_t;  // also the number of its first block

// Reading side, good for any process that maps the pool.
class PoolView {
 public:
  PoolView(const Segment& segment, uint32_t lane);

  uint32_t block_count() const { return block_count_; }
  const BatchDescriptor& descriptor(BatchId batch) const { return batches_[batch]; }

  // What holds after the last committed record of the batch.
  BatchEnd End(BatchId batch) const;

  // The block after this one in a chain, range-checked: kNoIndex where the chain is damaged.
  uint32_t NextBlock(uint32_t block) const;

  ByteSpan Block(uint32_t block) const { return blocks_.subspan(size_t{block} * kBlockSize, kBlockSize); }

  // The batch's bytes [from, to) as one span a block, in order. Fewer bytes: the chain is damaged.
  void CollectSpans(BatchId batch, uint64_t from, uint64_t to, std::vector<ByteSpan>* spans) const;

  // `size` bytes at `offset`, in place where they lie in one block, else gathered in `buffer`.
  ByteSpan Read(BatchId batch, uint64_t offset, size_t size, std::vector<std::byte>* buffer) const;

 protected:
  std::span<const BatchDescriptor> batches_;
  std::span<const uint32_t> next_;
  ByteSpan blocks_;
  uint32_t block_count_;
};

// What a batch is from its opening on.
struct NewBatch {
  BatchKind kind;
  uint32_t topic_row;
  uint32_t partition_row;  // kNoIndex: none yet
  int64_t base_timestamp;
  int64_t first_record_boottime_ns;
};

class Pool : public PoolView {
 public:
  // Nothing is free until Rebuild.
  Pool(Segment& segment, uint32_t lane);

  // Finds the live batches' chains and frees the rest. REQUIRES: recovery is done.
  void Rebuild();

  // Of the next batch that is opened.
  uint64_t next_order() const { return next_order_; }

  uint32_t free_blocks() const { return static_cast<uint32_t>(free_.size()); }
  BatchDescriptor& writable(BatchId batch) { return writable_batches_[batch]; }

  // Blocks that `size` more bytes would take from the free list (batch = kNoIndex: a new batch).
  uint32_t BlocksNeeded(BatchId batch, uint64_t size) const;

  // A new OPEN batch without records. REQUIRES: a free block.
  BatchId Open(const NewBatch& batch);

  // For who looks ahead: what is known of the batch's blocks, and where Stage goes on in the last one (its first byte,
  // where that is full).
  const void* ChainOf(BatchId batch) const { return &chains_[batch]; }
  const std::byte* EndOf(BatchId batch) const {
    return &blocks_[size_t{chains_[batch].last} * kBlockSize + descriptor(batch).commit.bytes % kBlockSize];
  }

  // C3: the record's bytes behind commit.bytes, where nobody looks. They are returned where they lie in
  // one block; an empty span says that they do not.
  // REQUIRES: BlocksNeeded(batch, size of pieces) blocks are free.
  ByteSpan Stage(BatchId batch, std::span<const ByteSpan> pieces);

  // C4: the staged bytes are one more record. `end` is what holds after it.
  void Commit(BatchId batch, uint64_t size, const BatchEnd& end);

  // C12: FREE, and its blocks back to the free list. REQUIRES: no write refers to them.
  void Free(BatchId batch);

 private:
  struct Chain {
    uint32_t last = kNoIndex;  // block
    uint32_t blocks = 0;
  };

  uint32_t TakeBlock();
  void Extend(BatchId batch);

  std::span<BatchDescriptor> writable_batches_;
  std::span<uint32_t> writable_next_;
  std::span<std::byte> writable_blocks_;
  std::vector<uint32_t> free_;
  std::vector<Chain> chains_;  // of each live batch
  uint64_t next_order_ = 1;
};

}  // namespace dory::shm
