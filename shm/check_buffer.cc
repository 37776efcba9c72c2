#include "shm/check_buffer.h"

#include <fmt/format.h>

#include "common/crc32c.h"
#include "shm/kafka_start.h"
#include "shm/ring_reader.h"
#include "shm/store.h"

namespace dory::shm {
namespace {

class Checker {
 public:
  Checker(const Segment& segment, uint32_t lane)
      : segment_(segment), lane_(lane), pool_(segment, lane),
        start_(PlanKafkaStart(*segment.Get<ConsumerPage>(RegionKind::kConsumer, lane), pool_)) {}

  BufferCheck Run() {
    check_.books = ReadBooks(segment_, lane_);
    SettleBooks();
    CountBatches();
    CountRing();
    check_.buffered_counted = check_.ring_records + check_.batch_records;
    const Books& books = check_.books;
    check_.balances =
        books.Appended() == books.Delivered() + books.Discarded() + check_.buffered_counted;
    if (!check_.balances) {
      Find(fmt::format("appended {} is not delivered {} + discarded {} + counted {}", books.Appended(),
                       books.Delivered(), books.Discarded(), check_.buffered_counted));
    }
    return std::move(check_);
  }

 private:
  void Find(std::string finding) { check_.findings.push_back(std::move(finding)); }

  TopicBooks& BooksOf(uint32_t row) {
    return row < check_.books.topics.size() ? check_.books.topics[row] : check_.books.no_topic;
  }

  // An ACKED or DISCARDED window counts as a start would count it.
  void SettleBooks() {
    for (const BatchId id : start_.to_settle) {
      const BatchDescriptor& batch = pool_.descriptor(id);
      TopicBooks& topic = BooksOf(batch.topic_row);
      const bool acked = static_cast<BatchState>(batch.word.state) == BatchState::kAcked;
      if (!acked && batch.discard_reason >= kDiscardRoom) {
        Find(fmt::format("batch {}: discard reason {}", id, batch.discard_reason));
        continue;
      }
      (acked ? topic.delivered : topic.discarded[batch.discard_reason]) = batch.total_after;
    }
  }

  uint64_t SettledFirst(BatchId id) const {
    const BatchDescriptor& batch = pool_.descriptor(id);
    for (const WindowMove& move : start_.waiting) {
      if (move.batch == id) return move.first;
    }
    const auto state = static_cast<BatchState>(batch.word.state);
    const bool settled = state == BatchState::kAcked || state == BatchState::kDiscarded;
    return batch.word.first + (settled ? batch.word.count : 0);
  }

  void CountBatches() {
    for (const BatchId id : start_.live) {
      const BatchDescriptor& batch = pool_.descriptor(id);
      check_.batch_records += batch.commit.count - SettledFirst(id);
      CheckCrc(id);
    }
  }

  void CheckCrc(BatchId id) {
    if (pool_.descriptor(id).kind == BatchKind::kWaiting) return;  // its records have their own
    std::vector<ByteSpan> spans;
    pool_.CollectSpans(id, 0, pool_.descriptor(id).commit.bytes, &spans);
    uint32_t crc = 0;
    for (const ByteSpan span : spans) crc = Crc32cExtend(crc, span);
    if (crc != pool_.End(id).crc) Find(fmt::format("batch {}: its records' crc does not hold", id));
  }

  void CountRing() {
    const RingReader reader(segment_.Get<ProducerPage>(RegionKind::kProducer, lane_),
                            segment_.Bytes(RegionKind::kRing, lane_));
    const uint64_t tail = reader.Tail();
    uint64_t damaged_spans = 0;
    for (uint64_t position = start_.head; position < tail;) {
      const RingRecord record = reader.ReadAt(position, tail);
      check_.ring_records += record.verdict == RingRecord::Verdict::kMessage;
      if (record.verdict == RingRecord::Verdict::kDamaged) {
        ++damaged_spans;
        Find(fmt::format("ring {}: {} bytes do not hold", position, record.lost_bytes));
      }
      position = record.end;
    }
    if (damaged_spans == 0) return;
    // What the ordinals say was there: everything appended that is neither settled nor in a batch.
    const Books& books = check_.books;
    const uint64_t in_ring =
        books.Appended() - books.Delivered() - books.Discarded() - check_.batch_records;
    check_.damaged_records = in_ring - check_.ring_records;
    check_.ring_records = in_ring;
  }

  const Segment& segment_;
  uint32_t lane_;
  PoolView pool_;
  KafkaStart start_;
  BufferCheck check_;
};

}  // namespace

BufferCheck CheckBuffer(const Segment& segment, uint32_t lane) { return Checker(segment, lane).Run(); }

}  // namespace dory::shm
