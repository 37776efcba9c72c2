#include "shm/kafka_start.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "common/crash_point.h"
#include "shm/record.h"
#include "shm/store.h"

namespace dory::shm {
namespace {

BatchState StateOf(const BatchDescriptor& batch) { return static_cast<BatchState>(batch.word.state); }

// What is left of a settled window: nothing, or PINNED behind it.
bool IsSpentAfterSettle(const BatchDescriptor& batch) {
  return batch.word.first + batch.word.count == batch.commit.count;
}

// Sorts the descriptors into what Start does with each.
void Classify(const PoolView& pool, KafkaStart* start) {
  for (BatchId id = 0; id < pool.block_count(); ++id) {
    const BatchDescriptor& batch = pool.descriptor(id);
    switch (StateOf(batch)) {
      case BatchState::kFree:
        break;
      case BatchState::kAcked:
      case BatchState::kDiscarded:
        start->to_settle.push_back(id);
        if (!IsSpentAfterSettle(batch)) start->live.push_back(id);
        break;
      case BatchState::kOpen:
      case BatchState::kPinned:
        if (batch.commit.count == batch.word.first) {
          start->to_free.push_back(id);
          break;
        }
        [[fallthrough]];
      case BatchState::kSent:
        start->live.push_back(id);
        break;
    }
  }
  std::sort(start->live.begin(), start->live.end(), [&pool](BatchId a, BatchId b) {
    return pool.descriptor(a).order < pool.descriptor(b).order;
  });
}

// The largest end of each topic's batches that hold routed records.
std::map<uint32_t, uint64_t> FindTopicEnds(const PoolView& pool, const KafkaStart& start) {
  std::map<uint32_t, uint64_t> ends;
  for (const BatchId id : start.live) {
    const BatchDescriptor& batch = pool.descriptor(id);
    if (batch.kind == BatchKind::kWaiting) continue;
    uint64_t& end = ends[batch.topic_row];
    end = std::max(end, pool.End(id).position);
  }
  return ends;
}

// Passes every record up to the last that is routed, or is the discard cell's. The position of one that
// does not hold says nothing, unless the cell has it.
uint32_t FindWaitingFirst(const PoolView& pool, BatchId id, uint64_t topic_end, uint64_t discarded) {
  const BatchDescriptor& batch = pool.descriptor(id);
  uint32_t first = static_cast<uint32_t>(batch.word.first);
  std::vector<std::byte> buffer;
  ByteSpan bytes;
  MessageView message;
  WaitingPlace place{};
  while (place.index < batch.commit.count) {
    const WaitingPlace next = NextWaiting(pool, id, place);
    if (next.index > first && (next.position == discarded ||
        (next.position <= topic_end && ViewWaiting(pool, id, place, next, &buffer, &bytes, &message)))) {
      first = next.index;
    }
    place = next;
  }
  return first;
}

}  // namespace

WaitingPlace NextWaiting(const PoolView& pool, BatchId batch, const WaitingPlace& place) {
  const CommitWord commit = Load(pool.descriptor(batch).commit);
  const WaitingPlace end{static_cast<uint32_t>(commit.count), commit.bytes, pool.End(batch).position};
  RecordHeader header;
  const uint64_t left = end.offset - place.offset;
  std::vector<std::byte> buffer;
  const ByteSpan bytes = left < sizeof(header) ? ByteSpan{} : pool.Read(batch, place.offset, sizeof(header), &buffer);
  if (bytes.size() < sizeof(header)) return end;
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.size < sizeof(header) || header.size >= left) return end;
  if (header.position < place.position || header.position >= end.position) return end;
  const WaitingPlace next{place.index + 1, place.offset + header.size, header.position + AlignRecord(header.size)};
  return next.index < end.index && next.position < end.position ? next : end;
}

bool ViewWaiting(const PoolView& pool, BatchId batch, const WaitingPlace& place, const WaitingPlace& next,
                 std::vector<std::byte>* buffer, ByteSpan* record, MessageView* message) {
  *record = pool.Read(batch, place.offset, next.offset - place.offset, buffer);
  RecordHeader header;
  if (record->size() < sizeof(header)) return false;
  std::memcpy(&header, record->data(), sizeof(header));
  return header.size == record->size() && header.position + AlignRecord(header.size) == next.position &&
         header.crc == RecordCrc(*record) && ViewMessage(*record, message) &&
         message->header.topic_row == pool.descriptor(batch).topic_row;
}

KafkaStart PlanKafkaStart(const ConsumerPage& consumer, const PoolView& pool) {
  KafkaStart start;
  start.redo_cell = Load(consumer.cell.done) != Load(consumer.cell.position) && !DORY_IS_MUTANT("cell not redone");
  Classify(pool, &start);
  start.head = Load(consumer.head);
  if (!DORY_IS_MUTANT("no discard.pos in head")) start.head = std::max(start.head, Load(consumer.cell.position));
  for (const BatchId id : start.live) {
    if (!DORY_IS_MUTANT("resume from head alone")) start.head = std::max(start.head, pool.End(id).position);
  }

  std::map<uint32_t, uint64_t> ends = FindTopicEnds(pool, start);
  if (DORY_IS_MUTANT("no rule for first")) ends.clear();
  const uint64_t discarded = Load(consumer.cell.position);
  std::vector<BatchId> live;
  for (const BatchId id : start.live) {
    const BatchDescriptor& batch = pool.descriptor(id);
    if (batch.kind == BatchKind::kWaiting) {
      const auto end = ends.find(batch.topic_row);
      const uint32_t first = FindWaitingFirst(pool, id, end == ends.end() ? 0 : end->second, discarded);
      if (first != batch.word.first) start.waiting.push_back({id, first});
      if (first == batch.commit.count) continue;
    }
    live.push_back(id);
  }
  start.live = std::move(live);
  return start;
}

}  // namespace dory::shm
