#include "kafka_worker/drain.h"

#include <cassert>
#include <cstring>

#include "common/clock.h"
#include "common/crash_point.h"
#include "common/crc32c.h"
#include "common/log.h"
#include "kafka_worker/discard_report.h"
#include "kafka_worker/protocol/record.h"
#include "kafka_worker/route.h"
#include "kafka_worker/unsent_limits.h"
#include "shm/books.h"
#include "shm/kafka_start.h"
#include "shm/store.h"

namespace dory::kafka {
namespace {

constexpr uint64_t kPassBytes = 256 * 1024;

uint64_t BlocksFor(uint64_t bytes) { return (bytes + shm::kBlockSize - 1) / shm::kBlockSize; }

std::optional<ByteSpan> Nullable(int32_t size, ByteSpan bytes) {
  return size == shm::kNullSize ? std::nullopt : std::optional(bytes);
}

protocol::RecordView MakeRecord(const shm::MessageView& message, int64_t base_timestamp, uint32_t index) {
  protocol::RecordView record;
  record.timestamp_delta = message.header.timestamp_ms - base_timestamp;
  record.offset_delta = static_cast<int32_t>(index);
  record.key = Nullable(message.header.key_size, message.key);
  record.value = Nullable(message.header.value_size, message.value);
  record.headers = message.headers;
  record.header_count = message.header.header_count;
  return record;
}

uint32_t ExtendCrc(uint32_t crc, std::span<const ByteSpan> pieces) {
  for (const ByteSpan piece : pieces) crc = Crc32cExtend(crc, piece);
  return crc;
}

}  // namespace

// One record on its way: from the ring, or from a waiting batch.
struct Drain::Arrival {
  shm::MessageView message;
  ByteSpan bytes;     // whole, as in the ring
  uint64_t position;  // ring position after it
  int64_t received_boottime_ns;
  bool from_ring;
  bool holds;  // is what it was
};

Drain::Drain(Memory& memory, TopicTable& topics)
    : memory_(memory),
      topics_(topics),
      position_(shm::Load(memory.consumer->head)),
      reserve_blocks_(BlocksFor(memory.segment.geometry().slot_size + shm::kRecordOverhead) +
                      BlocksFor(kWaitingBatchBytes) + 1) {}

Topic& Drain::TopicOf(uint32_t row) {
  bool created = false;
  Topic& topic = topics_.Get(row, &created);
  if (created && on_new_topic_) on_new_topic_(topic);
  return topic;
}

bool Drain::Accepts(const Topic& topic, const BatchQueue& queue, const Arrival& arrival, uint64_t size,
                    uint64_t limit) const {
  if (queue.empty()) return false;
  const shm::BatchDescriptor& batch = memory_.pool.descriptor(queue.back());
  const bool open = static_cast<shm::BatchState>(batch.word.state) == shm::BatchState::kOpen;
  return open && batch.word.first == 0 && batch.commit.count < shm::kMaxBatchRecords &&
         (batch.commit.bytes + size <= limit || batch.commit.count == 0) &&
         IsOfOneAge(topic.config, batch, arrival.received_boottime_ns);
}

// Whether what came for a new batch of the queue goes at once: those that wait have used up the share.
bool Drain::DiscardsNewest(Topic& topic, const BatchQueue& queue, int64_t now_ms) const {
  if (topic.config.partition_full != PartitionFull::kDiscardNewest) return false;
  if (CountBlocks(memory_.pool, queue) < topics_.ShareBlocks()) return false;
  SayFull(topic, now_ms);
  return true;
}

// The ring's records never take the reserve, which serves only the draining of waiting batches.
bool Drain::HasRoom(BatchId batch, uint64_t size, bool from_ring) const {
  const uint64_t reserve = from_ring ? reserve_blocks_ : 0;
  return memory_.pool.BlocksNeeded(batch, size) + reserve <= memory_.pool.free_blocks();
}

BatchId Drain::OpenFor(Topic& topic, BatchQueue& queue, const shm::NewBatch& batch, int64_t now_ms) {
  const BatchId id = memory_.pool.Open(batch);
  queue.push_back(id);
  if (queue.size() > 1) topics_.MarkDirty(topic);  // the one before it is due now
  if (topic.config.batching != Batching::kCombined) {  // else it has no clock of its own
    const int64_t due_ns = FindDueNs(batch.first_record_boottime_ns, topic.config.batch_time_ms);
    topics_.MarkDirtyAt(topic, now_ms + (due_ns - now_ns_) / 1'000'000);
  }
  return id;
}

// Where it goes, and the partition's row where it has one already. None: no row is left.
BatchQueue* Drain::FindQueue(Topic& topic, const Arrival& arrival, uint32_t* row) {
  const Route route = ChooseRoute(arrival.message, topic.config.partitioner, topic.partition_count);
  if (route.kind != shm::BatchKind::kKey) return &topic.any;
  Partition& partition = topic.partitions[route.partition];
  if (partition.row == shm::kNoIndex) {
    partition.row = topics_.EnsurePartitionRow(topic.row, static_cast<int32_t>(route.partition));
  }
  *row = partition.row;
  TopicTable::NoteBusy(topic, route.partition);
  return partition.row == shm::kNoIndex ? nullptr : &partition.keyed;
}

Drain::Placed Drain::PlaceRouted(Topic& topic, const Arrival& arrival, int64_t now_ms) {
  uint32_t row = shm::kNoIndex;
  BatchQueue* const queue = FindQueue(topic, arrival, &row);
  if (queue == nullptr) return arrival.from_ring ? PlaceWaiting(topic, arrival, now_ms) : Placed::kFull;

  const uint64_t most = arrival.bytes.size() + protocol::kMaxRecordOverhead;
  const bool fits = Accepts(topic, *queue, arrival, most, ChooseBatchLimit(topic, topics_.ShareBlocks(), topic.batch_bytes_limit));
  if (!fits && DiscardsNewest(topic, *queue, now_ms)) {
    DiscardArrival(topic, arrival, shm::Discard::kPartitionFull);
    return Placed::kYes;
  }
  const BatchId target = fits ? queue->back() : shm::kNoIndex;
  if (!HasRoom(target, most, arrival.from_ring)) return Placed::kFull;
  const int64_t timestamp = arrival.message.header.timestamp_ms;
  const auto kind = queue == &topic.any ? shm::BatchKind::kAny : shm::BatchKind::kKey;
  const BatchId id = fits ? target
                          : OpenFor(topic, *queue, {kind, topic.row, row, timestamp, arrival.received_boottime_ns}, now_ms);

  const shm::BatchDescriptor& batch = memory_.pool.descriptor(id);
  const protocol::RecordPieces record(MakeRecord(arrival.message, batch.base_timestamp, batch.commit.count));
  shm::BatchEnd end = memory_.pool.End(id);
  memory_.Mark(shm::Step::kC3, arrival.position);
  const ByteSpan staged = memory_.pool.Stage(id, record.pieces());
  end.crc = staged.empty() ? ExtendCrc(end.crc, record.pieces()) : Crc32cExtend(end.crc, staged);
  end.position = arrival.position;
  end.max_timestamp = std::max(end.max_timestamp, timestamp);
  const uint64_t index = batch.commit.count;
  const bool places_late = DORY_IS_MUTANT("place after C4");
  if (!places_late) memory_.receipts.Place(arrival.message.header.ticket, id, batch.order, index);
  memory_.Mark(shm::Step::kC4, arrival.position);
  memory_.pool.Commit(id, record.size(), end);
  if (places_late) memory_.receipts.Place(arrival.message.header.ticket, id, batch.order, index);
  if (batch.commit.bytes >= static_cast<uint64_t>(topic.config.batch_bytes) ||
      topic.config.batching == Batching::kOff || topic.config.batch_messages > 0) {
    topics_.MarkDirty(topic);
  }
  if (topic.config.batching == Batching::kCombined) topics_.NoteCombined(topic, record.size(), now_ms);
  return Placed::kYes;
}

Drain::Placed Drain::PlaceWaiting(Topic& topic, const Arrival& arrival, int64_t now_ms) {
  assert(arrival.from_ring);
  const uint64_t limit = ChooseBatchLimit(topic, topics_.ShareBlocks(), kWaitingBatchBytes);
  const bool fits = Accepts(topic, topic.waiting, arrival, arrival.bytes.size(), limit);
  if (!fits && DiscardsNewest(topic, topic.waiting, now_ms)) {
    DiscardArrival(topic, arrival, shm::Discard::kPartitionFull);
    return Placed::kYes;
  }
  const BatchId target = fits ? topic.waiting.back() : shm::kNoIndex;
  if (!HasRoom(target, arrival.bytes.size(), true)) return Placed::kFull;
  BatchId id = target;
  if (!fits) {
    id = memory_.pool.Open({shm::BatchKind::kWaiting, topic.row, shm::kNoIndex, 0, arrival.received_boottime_ns});
    topic.waiting.push_back(id);
    topics_.MarkDirty(topic);  // it has its limits
    topics_.NoteWaiting(topic);
  }
  const ByteSpan pieces[] = {arrival.bytes};
  memory_.Mark(shm::Step::kC3, arrival.position);
  memory_.pool.Stage(id, pieces);
  shm::BatchEnd end = memory_.pool.End(id);
  end.position = arrival.position;
  const shm::BatchDescriptor& batch = memory_.pool.descriptor(id);
  memory_.receipts.Place(arrival.message.header.ticket, id, batch.order, batch.commit.count);
  memory_.Mark(shm::Step::kC4, arrival.position);
  memory_.pool.Commit(id, arrival.bytes.size(), end);
  return Placed::kYes;
}

Drain::Placed Drain::Place(const Arrival& arrival, int64_t now_ms) {
  memory_.Mark(shm::Step::kC2, arrival.position);
  Topic& topic = TopicOf(arrival.message.header.topic_row);
  if (topic.given_up) {
    DiscardArrival(topic, arrival, *topic.given_up);
    return Placed::kYes;
  }
  if (arrival.from_ring && (!topic.known || !topic.waiting.empty())) return PlaceWaiting(topic, arrival, now_ms);
  return PlaceRouted(topic, arrival, now_ms);
}

void Drain::DiscardArrival(const Topic& topic, const Arrival& arrival, shm::Discard reason) {
  NoteDiscarded(memory_, arrival.message, reason);
  Discard(memory_.books[topic.row].discarded, {reason, 1, arrival.position, arrival.message.header.ticket});
}

// C4': the cell makes a discard one commit: its position is what a start goes by, and a start that
// finds done != position sets the outcome and the counter again.
void Drain::Discard(uint64_t* counters, const Discarded& discarded) {
  shm::DiscardCell& cell = memory_.consumer->cell;
  uint64_t& counter = counters[static_cast<size_t>(discarded.reason)];
  const uint64_t value = shm::Load(counter) + discarded.records;
  const int16_t code = shm::CodeOf(discarded.reason);
  shm::Store(cell.counter, memory_.CounterIndex(&counter));
  shm::Store(cell.value, value);
  DORY_CRASH_POINT("C4'.value");
  shm::Store(cell.ticket, discarded.ticket);
  shm::Store(cell.code, code);
  DORY_CRASH_POINT("C4'.ticket");
  if (DORY_IS_MUTANT("the cell's outcome before position")) memory_.receipts.Answer(discarded.ticket, code);
  shm::Store(cell.position, discarded.position);
  DORY_CRASH_POINT("C4'.position");
  memory_.receipts.Answer(discarded.ticket, code);
  shm::Store(counter, value);
  DORY_CRASH_POINT("C4'.counted");
  shm::Store(cell.done, discarded.position);
  DORY_CRASH_POINT("C4'.done");
}

// How many messages a damaged span had: the ordinal behind it, less what is accounted for before it.
void Drain::DiscardDamaged(const shm::RingRecord& damaged) {
  const shm::Books books = shm::ReadBooks(memory_.segment, memory_.lane);
  const uint64_t tail = memory_.ring.Tail();  // after the books: if nothing is behind, they end here
  uint64_t before = books.Delivered() + books.Discarded();
  for (BatchId id = 0; id < memory_.pool.block_count(); ++id) {
    const shm::BatchDescriptor& batch = memory_.pool.descriptor(id);
    if (static_cast<shm::BatchState>(batch.word.state) != shm::BatchState::kFree) {
      before += batch.commit.count - batch.word.first;
    }
  }
  uint32_t after = static_cast<uint32_t>(books.Appended());
  for (uint64_t at = damaged.end; at < tail;) {
    const shm::RingRecord next = memory_.ring.ReadAt(at, tail);
    if (next.verdict == shm::RingRecord::Verdict::kMessage) {
      after = next.ordinal;
      break;
    }
    at = next.end;
  }
  const uint32_t lost = after - static_cast<uint32_t>(before);
  LogError("ring position {}: {} bytes do not hold; {} messages are lost and counted as corrupt",
           damaged.end - damaged.lost_bytes, damaged.lost_bytes, lost);
  Discard(memory_.books[memory_.NoTopicRow()].discarded, {shm::Discard::kCorrupt, lost, damaged.end});
}

// C1. Topic rows are published before the first record that names them.
shm::RingRecord Drain::ReadRing(uint64_t position, uint64_t tail) const {
  memory_.Mark(shm::Step::kC1, position);
  shm::RingRecord record = memory_.ring.ReadAt(position, tail);
  const bool is_message = record.verdict == shm::RingRecord::Verdict::kMessage;
  if (is_message && record.message.header.topic_row >= shm::Load(memory_.intake_books->topic_count)) {
    record.verdict = shm::RingRecord::Verdict::kDamaged;
    record.lost_bytes = record.end - position;
  }
  return record;
}

// The next records, of those that begin before `limit`.
std::span<const shm::RingRecord> Drain::ReadAhead(uint64_t tail, uint64_t limit) {
  size_t count = 0;
  for (uint64_t at = position_; count < ahead_.size() && at != tail && at < limit; ++count) {
    ahead_[count] = ReadRing(at, tail);
    at = ahead_[count].end;
  }
  const std::span<const shm::RingRecord> records(ahead_.data(), count);
  LookAhead(memory_, topics_, records);
  return records;
}

// False: the pool has no room for it.
bool Drain::TakeRecord(const shm::RingRecord& record, int64_t now_ms) {
  if (record.verdict == shm::RingRecord::Verdict::kMessage) {
    const Arrival arrival{record.message, record.bytes, record.end, record.received_boottime_ns, true, true};
    if (Place(arrival, now_ms) == Placed::kFull) return false;
  } else if (record.verdict == shm::RingRecord::Verdict::kDamaged) {
    DiscardDamaged(record);
  }
  position_ = record.end;
  return true;
}

PassResult Drain::DrainRing(int64_t now_ms) {
  PassResult result;
  now_ns_ = BoottimeNs();
  const uint64_t tail = memory_.ring.Tail();
  const uint64_t start = position_;
  const bool stores_late = DORY_IS_MUTANT("C5 after leaving OPEN");
  if (stores_late && memory_.pool.free_blocks() == memory_.pool.block_count()) shm::Store(memory_.consumer->head, position_);
  while (!result.full && position_ != tail && position_ - start < kPassBytes) {
    for (const shm::RingRecord& record : ReadAhead(tail, start + kPassBytes)) {
      result.full = !TakeRecord(record, now_ms);
      if (result.full) break;
    }
  }
  result.moved = position_ != start;
  result.more = !result.full && position_ != memory_.ring.Tail();
  if (result.moved && !stores_late) {
    memory_.Mark(shm::Step::kC5, position_);
    DORY_CRASH_POINT("C5.before");
    if (DORY_IS_MUTANT("C5 beside the seam")) memory_.consumer->head = position_;
    shm::Store(memory_.consumer->head, position_);
    DORY_CRASH_POINT("C5.head");
  }
  return result;
}

// What has no outcome there, and no place elsewhere, was discarded with damaged bytes.
void Drain::AdvanceWaiting(BatchId id, uint32_t first) {
  memory_.Mark(shm::Step::kC5, id);
  shm::Store(memory_.pool.writable(id).word, shm::MakeBatchWord(shm::BatchState::kOpen, first, 0));
  DORY_CRASH_POINT("C5.first");
  memory_.receipts.AnswerUpTo(id, first, {.code = shm::CodeOf(shm::Discard::kCorrupt)});
}

Drain::Arrival Drain::ReadWaiting(BatchId id, const shm::WaitingPlace& place, const shm::WaitingPlace& next) {
  Arrival arrival{};
  arrival.holds = shm::ViewWaiting(memory_.pool, id, place, next, &gathered_, &arrival.bytes, &arrival.message);
  if (!arrival.holds) return arrival;
  shm::RecordHeader header;
  std::memcpy(&header, arrival.bytes.data(), sizeof(header));
  arrival.received_boottime_ns = header.received_boottime_ns;
  arrival.position = next.position;
  return arrival;
}

void Drain::DiscardCorrupt(const Topic& topic, uint32_t records, uint64_t position) {
  LogError("{}: {} waiting messages do not hold their crc; they are discarded as corrupt", topic.name, records);
  Discard(memory_.books[topic.row].discarded, {shm::Discard::kCorrupt, records, position});
}

PassResult Drain::DrainWaiting(Topic& topic, int64_t now_ms) {
  return PassWaiting(topic, [&](const Arrival& arrival) { return Place(arrival, now_ms); });
}

uint64_t Drain::DiscardWaiting(Topic& topic, shm::Discard reason, const std::function<bool(int64_t)>& goes) {
  uint64_t count = 0;
  PassWaiting(topic, [&](const Arrival& arrival) {
    if (!goes(arrival.received_boottime_ns)) return Placed::kFull;
    DiscardArrival(topic, arrival, reason);
    ++count;
    return Placed::kYes;
  });
  return count;
}

// A pass for each of them: places its records, until one stays.
template <typename PlaceOne>
PassResult Drain::PassWaiting(Topic& topic, PlaceOne place) {
  PassResult result;
  now_ns_ = BoottimeNs();
  while (!topic.waiting.empty() && !result.full) {
    const BatchId id = topic.waiting.front();
    const shm::BatchDescriptor& batch = memory_.pool.descriptor(id);
    const uint32_t start = static_cast<uint32_t>(batch.word.first);
    uint32_t first = start;
    while (first < batch.commit.count) {
      const shm::WaitingPlace next = shm::NextWaiting(memory_.pool, id, topic.waiting_place);
      const Arrival arrival = ReadWaiting(id, topic.waiting_place, next);
      if (!arrival.holds) {
        DiscardCorrupt(topic, next.index - first, next.position);
      } else if (place(arrival) == Placed::kFull) {
        result.full = true;
        break;
      }
      topic.waiting_place = next;
      first = next.index;
    }
    if (first != start) {
      result.moved = true;
      AdvanceWaiting(id, first);
    }
    if (first == batch.commit.count) {
      memory_.pool.Free(id);
      topic.waiting.erase(topic.waiting.begin());
      topic.waiting_place = {};
    }
  }
  return result;
}

}  // namespace dory::kafka
