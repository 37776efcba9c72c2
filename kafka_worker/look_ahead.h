// Among 10,000 batches nearly every look at a topic, its partition, the batch and its block waits for main memory, one
// behind the other. Looking ahead, many wait at once: what will be touched is fetched into the caches, where each
// step is taken for all of them before the next. Nothing depends on it.

#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "kafka_worker/memory.h"
#include "kafka_worker/topics.h"
#include "shm/ring_reader.h"

namespace dory::kafka {

struct SentBatch;

inline constexpr size_t kLookAhead = 32;  // about as many reads can be under way

// All: REQUIRE at most kLookAhead.

// Before the drain places records.
void LookAhead(const Memory& memory, const TopicTable& topics, std::span<const shm::RingRecord> records);

// Before the sender looks for batches that are due.
void LookAhead(const Memory& memory, std::span<Topic* const> topics);

// Before the settler settles batches.
void LookAhead(const Memory& memory, std::span<const SentBatch> batches);

// Of a whole whose elements are worked at in turn, before the one at `index`: at the first of each part at that part.
template <typename Whole>
void LookAheadInParts(const Memory& memory, const Whole& whole, size_t index) {
  if (index % kLookAhead == 0) LookAhead(memory, std::span(whole).subspan(index, std::min(kLookAhead, whole.size() - index)));
}

}  // namespace dory::kafka
