#include "kafka_worker/receipts.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "common/crash_point.h"
#include "shm/kafka_start.h"
#include "shm/store.h"

namespace dory::kafka {

using shm::BatchId;
using shm::Outcome;
using shm::Store;

namespace {

// Whether a record without an outcome can be that one of the batch. A waiting batch has them before `first`, too.
bool IsLeft(const shm::BatchDescriptor& batch, uint32_t index) {
  return index < batch.commit.count && (batch.kind == shm::BatchKind::kWaiting || index >= batch.word.first);
}

// The waiting batch, and the number in it, of the record with that ticket which has not left it.
std::pair<BatchId, uint32_t> FindWaiting(const shm::PoolView& pool, uint64_t ticket) {
  std::vector<std::byte> buffer;
  ByteSpan bytes;
  shm::MessageView message;
  for (BatchId id = 0; id < pool.block_count(); ++id) {
    const shm::BatchDescriptor& batch = pool.descriptor(id);
    const bool is_open = static_cast<shm::BatchState>(batch.word.state) == shm::BatchState::kOpen;
    if (!is_open || batch.kind != shm::BatchKind::kWaiting) continue;
    for (shm::WaitingPlace place{}; place.index < batch.commit.count;) {
      const shm::WaitingPlace next = shm::NextWaiting(pool, id, place);
      const bool has_it = place.index >= batch.word.first &&
                          shm::ViewWaiting(pool, id, place, next, &buffer, &bytes, &message) &&
                          message.header.ticket == ticket;
      if (has_it) return {id, place.index};
      place = next;
    }
  }
  return {shm::kNoIndex, 0};
}

}  // namespace

Receipts::Receipts(shm::Segment& segment, uint32_t lane) {
  const uint32_t tickets = segment.geometry().tickets;
  if (tickets == 0) return;
  outcomes_ = {segment.GetWritable<Outcome>(shm::RegionKind::kOutcomes, lane), tickets};
  links_.resize(tickets);
  lists_.resize(segment.geometry().BlockCount());
}

void Receipts::PlaceTicket(uint64_t ticket, BatchId batch, uint64_t order, uint32_t index) {
  const uint32_t slot = SlotOf(ticket);
  Outcome& place = outcomes_[slot];
  Store(place.order, 0);
  DORY_CRASH_POINT("C3.no_place");
  Store(place.index, index);
  Store(place.place_number, ticket);
  DORY_CRASH_POINT("C3.place_number");
  Store(place.order, order);
  DORY_CRASH_POINT("C3.placed");
  Remove(slot);  // it may have been in a waiting batch
  Append(slot, batch);
}

void Receipts::AnswerSlot(uint32_t slot, uint64_t ticket, const Settlement& settled) {
  Outcome& outcome = outcomes_[slot];
  if (DORY_IS_MUTANT("outcome's number before its fields")) Store(outcome.number, ticket);
  Store(outcome.code, settled.code);
  DORY_CRASH_POINT("C11.code");
  Store(outcome.partition, settled.partition);
  Store(outcome.offset, settled.offset);
  DORY_CRASH_POINT("C11.offset");
  Store(outcome.number, ticket);
  DORY_CRASH_POINT("C11.outcome");
  Remove(slot);
  has_news_ = true;
}

void Receipts::AnswerUpTo(BatchId batch, uint64_t end, const Settlement& settled) {
  if (linked_ == 0) return;
  for (uint32_t slot = lists_[batch].first; slot != shm::kNoIndex; slot = lists_[batch].first) {
    const Outcome& place = outcomes_[slot];
    if (place.index >= end) return;
    const int64_t ahead = static_cast<int64_t>(place.index) - static_cast<int64_t>(settled.index);
    Settlement own = settled;
    own.offset = settled.offset < 0 || settled.offset > INT64_MAX - ahead ? -1 : settled.offset + ahead;
    AnswerSlot(slot, place.place_number, own);
  }
}

void Receipts::Rebuild(const shm::PoolView& pool) {
  if (outcomes_.empty()) return;
  std::unordered_map<uint64_t, BatchId> live;  // by order
  for (BatchId id = 0; id < pool.block_count(); ++id) {
    const shm::BatchDescriptor& batch = pool.descriptor(id);
    if (static_cast<shm::BatchState>(batch.word.state) != shm::BatchState::kFree) live.emplace(batch.order, id);
  }
  std::vector<std::tuple<BatchId, uint32_t, uint32_t>> found;  // and index, and slot
  for (uint32_t slot = 0; slot < outcomes_.size(); ++slot) {
    Outcome& place = outcomes_[slot];
    if (place.place_number <= place.number) continue;
    const auto batch = live.find(place.order);
    const bool holds = place.order != 0 && batch != live.end() && IsLeft(pool.descriptor(batch->second), place.index);
    if (holds) {
      found.emplace_back(batch->second, place.index, slot);
    } else if (!DORY_IS_MUTANT("order not cleared at the start")) {
      const BatchId waiting = TakeBack(pool, slot);
      if (waiting != shm::kNoIndex) found.emplace_back(waiting, place.index, slot);
    }
  }
  std::sort(found.begin(), found.end());
  for (const auto& [batch, index, slot] : found) Append(slot, batch);
  for (const auto& [batch, index, slot] : found) {
    const shm::BatchDescriptor& descriptor = pool.descriptor(batch);
    if (descriptor.kind != shm::BatchKind::kWaiting) continue;
    AnswerUpTo(batch, descriptor.word.first, {.code = shm::CodeOf(shm::Discard::kCorrupt)});
  }
}

// A place that no C4 came to. Its record is in the waiting batch that it was to leave, or in the ring; there the
// intake shall not think that it has been drained.
BatchId Receipts::TakeBack(const shm::PoolView& pool, uint32_t slot) {
  Outcome& place = outcomes_[slot];
  const auto [batch, index] = FindWaiting(pool, place.place_number);
  Store(place.order, 0);
  DORY_CRASH_POINT("start.no_place");
  if (batch == shm::kNoIndex) {
    Store(place.place_number, 0);
    DORY_CRASH_POINT("start.no_number");
    return batch;
  }
  Store(place.index, index);
  Store(place.order, pool.descriptor(batch).order);
  DORY_CRASH_POINT("start.place");
  return batch;
}

void Receipts::Append(uint32_t slot, BatchId batch) {
  List& list = lists_[batch];
  links_[slot] = {list.last, shm::kNoIndex, batch};
  (list.last == shm::kNoIndex ? list.first : links_[list.last].behind) = slot;
  list.last = slot;
  ++linked_;
}

void Receipts::Remove(uint32_t slot) {
  const Link link = std::exchange(links_[slot], {});
  if (link.batch == shm::kNoIndex) return;
  --linked_;
  List& list = lists_[link.batch];
  (link.before == shm::kNoIndex ? list.first : links_[link.before].behind) = link.behind;
  (link.behind == shm::kNoIndex ? list.last : links_[link.behind].before) = link.before;
}

}  // namespace dory::kafka
