#include "shm/soundness.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "shm/pool.h"
#include "shm/receipts.h"
#include "shm/record.h"
#include "shm/store.h"
#include "shm/stream_area.h"

namespace dory::shm {
namespace {

constexpr int32_t kMostPartitions = 1'000'000;  // of a topic: beyond what any cluster has

template <typename... Args>
Status Unsound(fmt::format_string<Args...> format, Args&&... args) {
  return Status::Error(fmt::format(format, std::forward<Args>(args)...));
}

bool IsSettling(BatchState state) { return state == BatchState::kAcked || state == BatchState::kDiscarded; }
bool HasWindow(BatchState state) { return state == BatchState::kSent || IsSettling(state); }

class SoundnessCheck {
 public:
  SoundnessCheck(const Segment& segment, uint32_t lane)
      : segment_(segment),
        lane_(lane),
        geometry_(segment.geometry()),
        producer_(*segment.Get<ProducerPage>(RegionKind::kProducer, lane)),
        consumer_(*segment.Get<ConsumerPage>(RegionKind::kConsumer, lane)),
        books_(*segment.Get<IntakeBooks>(RegionKind::kIntakeBooks, lane)),
        partitions_(*segment.Get<PartitionRows>(RegionKind::kPartitions, lane)),
        producer_ids_(*segment.Get<ProducerIds>(RegionKind::kProducerIds, lane)),
        pool_(segment, lane),
        tail_(Load(producer_.tail)),
        used_(pool_.block_count(), false) {}

  Status Run() {
    Status status = CheckPositions();
    if (status.ok()) status = CheckStage();
    if (status.ok()) status = CheckSlots();
    if (status.ok()) status = CheckConnections();
    if (status.ok()) status = CheckTickets();
    if (status.ok()) status = CheckAnswers();
    if (status.ok()) status = CheckTopics();
    if (status.ok()) status = CheckProducerIds();
    if (status.ok()) status = CheckPartitions();
    for (BatchId id = 0; status.ok() && id < pool_.block_count(); ++id) status = CheckBatch(id);
    return status;
  }

 private:
  // ---- the ring's two ends

  Status CheckPositions() const {
    const uint64_t head = Load(consumer_.head);
    if (tail_ % kRecordAlign != 0 || head % kRecordAlign != 0) return Unsound("head {}, tail {}: not aligned", head, tail_);
    if (head > tail_ || tail_ - head > geometry_.ring_size) {
      return Unsound("head {}, tail {}: not one ring of {} bytes", head, tail_, geometry_.ring_size);
    }
    const DiscardCell& cell = consumer_.cell;
    if (Load(cell.position) > tail_) return Unsound("discard cell: position {} is behind tail {}", Load(cell.position), tail_);
    const uint64_t counters = segment_.Bytes(RegionKind::kKafkaBooks, lane_).size() / sizeof(uint64_t);
    if (Load(cell.done) != Load(cell.position) && Load(cell.counter) >= counters) {
      return Unsound("discard cell: counter {} of {}", Load(cell.counter), counters);
    }
    return Status::Ok();
  }

  // It means nothing until a burst is decided.
  Status CheckStage() const {
    const Stage& stage = producer_.stage;
    const uint64_t base = Load(stage.base);
    if (base > tail_ || tail_ - base > geometry_.ring_size) return Unsound("stage: base {}, tail {}", base, tail_);
    if (stage.decided > kWrittenToOverflow) return Unsound("stage: decided {}", stage.decided);
    if (base == tail_ && stage.decided == kUndecided) return Status::Ok();
    if (stage.source == Source::kNone || stage.source > Source::kConnectionEnd ||
        (IsOfConnection(stage.source) && stage.index >= geometry_.connections)) {
      return Unsound("stage: source {}, connection {}", static_cast<uint32_t>(stage.source), stage.index);
    }
    if (stage.first > stage.end || stage.end > kSlotCount) return Unsound("stage: slots [{}, {})", stage.first, stage.end);
    if (stage.journal_count > kJournalSize) return Unsound("stage: {} journal entries", stage.journal_count);
    const uint64_t counters = segment_.Bytes(RegionKind::kIntakeBooks, lane_).size() / sizeof(uint64_t);
    for (uint64_t i = 0; i < stage.journal_count; ++i) {
      if (stage.journal[i].counter >= counters) return Unsound("stage: counter {} of {}", stage.journal[i].counter, counters);
    }
    return Status::Ok();
  }

  // Those with messages are neighbours.
  Status CheckSlots() const {
    const auto& slots = *segment_.Get<ReceiveSlots>(RegionKind::kReceive, lane_);
    uint32_t runs = 0;
    bool before = false;
    for (uint32_t i = 0; i < kSlotCount; ++i) {
      const uint32_t size = Load(slots.messages[i].msg_len);
      const bool used = size != kEmptySlot;
      if (used && size > geometry_.slot_size) return Unsound("receive slot {}: {} bytes of {}", i, size, geometry_.slot_size);
      runs += used && !before;
      before = used;
    }
    return runs <= 1 ? Status::Ok() : Unsound("receive slots: {} runs of messages", runs);
  }

  // Bytes that were received lie in an area that nobody else has.
  Status CheckConnections() const {
    if (geometry_.connections == 0) return Status::Ok();
    const auto* connections = segment_.Get<Connection>(RegionKind::kConnections, lane_);
    std::set<uint64_t> areas;
    for (uint32_t slot = 0; slot < geometry_.connections; ++slot) {
      const Connection& connection = connections[slot];
      const ReceivedBytes bytes = FindReceived(connection);
      if (bytes.in == bytes.out) continue;
      const AreaBinding& binding = connection.binding[connection.current & 1];
      const bool within = binding.area < AreaCount(geometry_) && bytes.in > bytes.out && bytes.out >= binding.base &&
                          bytes.in - binding.base <= AreaSize(geometry_, binding.area);
      if (!within || !areas.insert(binding.area).second) {
        return Unsound("connection {}: bytes [{}, {}) in area {} from {}", slot, bytes.out, bytes.in, binding.area,
                       binding.base);
      }
    }
    return Status::Ok();
  }

  // Those that are open belong to an entry.
  Status CheckTickets() const {
    if (geometry_.tickets == 0) return Status::Ok();
    const auto* table = segment_.Get<Tickets>(RegionKind::kTickets, lane_);
    const auto* tickets = reinterpret_cast<const Ticket*>(table + 1);
    for (uint32_t i = 0; i < geometry_.tickets; ++i) {
      if (IsFree(tickets[i], Load(table->last)) || tickets[i].connection < geometry_.connections) continue;
      return Unsound("ticket {}: connection {} of {}", tickets[i].number, tickets[i].connection, geometry_.connections);
    }
    return Status::Ok();
  }

  // Receipts that are to be sent lie in an area that nobody else has.
  Status CheckAnswers() const {
    if (geometry_.tickets == 0 || geometry_.connections == 0) return Status::Ok();
    const auto* connections = segment_.Get<Connection>(RegionKind::kConnections, lane_);
    std::set<uint64_t> areas;
    for (uint32_t slot = 0; slot < geometry_.connections; ++slot) {
      const Connection& connection = connections[slot];
      if (connection.answer_area == 0) continue;
      const uint32_t unnoted = connection.answer.msg_len;
      const uint64_t sent = unnoted == kEmptySlot ? connection.sent : connection.send_base + unnoted;
      const bool within = connection.answer_area <= AnswerAreaCount(geometry_) && connection.answer_base <= sent &&
                          sent <= connection.put && connection.put - connection.sent <= kAnswerRoom;
      if (!within || !areas.insert(connection.answer_area).second) {
        return Unsound("connection {}: receipts [{}, {}) in answer area {} from {}", slot, sent, connection.put,
                       connection.answer_area, connection.answer_base);
      }
    }
    return Status::Ok();
  }

  // ---- tables

  Status CheckTopics() const {
    const uint32_t count = Load(books_.topic_count);
    if (count > geometry_.max_topics) return Unsound("{} topics of {}", count, geometry_.max_topics);
    const auto* rows = reinterpret_cast<const IntakeTopicRow*>(&books_ + 1);
    for (uint32_t row = 0; row < count; ++row) {
      const size_t size = rows[row].name_size;
      if (size == 0 || size > kMaxTopicName) return Unsound("topic row {}: a name of {} bytes", row, size);
    }
    return Status::Ok();
  }

  Status CheckProducerIds() const {
    const uint64_t count = Load(producer_ids_.count);
    if (count > UINT16_MAX) return Unsound("{} producer ids", count);
    for (uint64_t i = 0; i < std::min<uint64_t>(count, kProducerIdRoom); ++i) {
      const uint32_t size = producer_ids_.ids[i].cluster_id_size;
      if (size > sizeof(ProducerId::cluster_id)) return Unsound("producer id {}: a cluster id of {} bytes", i, size);
    }
    return Status::Ok();
  }

  Status CheckPartitions() const {
    const uint64_t count = Load(partitions_.count);
    if (count > kMaxPartitions) return Unsound("{} partition rows of {}", count, kMaxPartitions);
    for (uint64_t i = 0; i < count; ++i) {
      const PartitionRow& row = partitions_.rows[i];
      if (row.topic_row >= Load(books_.topic_count) || row.partition < 0 || row.partition >= kMostPartitions) {
        return Unsound("partition row {}: partition {} of topic row {}", i, row.partition, row.topic_row);
      }
    }
    return Status::Ok();
  }

  // ---- batches

  Status CheckBatch(BatchId id) {
    const BatchDescriptor& batch = pool_.descriptor(id);
    const auto state = static_cast<BatchState>(batch.word.state);
    if (state == BatchState::kFree) return Status::Ok();
    Status status = CheckKind(batch, state);
    if (status.ok()) status = CheckWindow(batch, state);
    if (status.ok()) status = CheckPartitionOf(batch, state);
    if (status.ok()) status = CheckSettling(batch, state);
    if (status.ok()) status = ClaimChain(id);
    return status.Context(fmt::format("batch {}", id));
  }

  Status CheckKind(const BatchDescriptor& batch, BatchState state) const {
    if (state > BatchState::kPinned || batch.kind > BatchKind::kWaiting) {
      return Unsound("state {}, kind {}", uint64_t{batch.word.state}, static_cast<uint32_t>(batch.kind));
    }
    if (batch.kind == BatchKind::kWaiting && state != BatchState::kOpen) {
      return Unsound("waits in state {}", uint64_t{batch.word.state});
    }
    if (batch.topic_row >= Load(books_.topic_count)) return Unsound("topic row {}", batch.topic_row);
    return Status::Ok();
  }

  Status CheckWindow(const BatchDescriptor& batch, BatchState state) const {
    const CommitWord commit = Load(batch.commit);
    const uint64_t end = uint64_t{batch.word.first} + batch.word.count;
    if (end > commit.count || HasWindow(state) != (batch.word.count > 0)) {
      return Unsound("window [{}, {}) of {} records", uint64_t{batch.word.first}, end, uint64_t{commit.count});
    }
    if ((commit.count == 0) != (commit.bytes == 0)) {
      return Unsound("{} records in {} bytes", uint64_t{commit.count}, uint64_t{commit.bytes});
    }
    const uint64_t position = batch.end[commit.count & 1].position;
    return position <= tail_ ? Status::Ok() : Unsound("ends at {}, behind tail {}", position, tail_);
  }

  // One that was sent has a partition, and a producer id where its broker knows such; one of kind KEY has its
  // partition from the first. What was never sent is discarded as it is, whole, beside what is under way.
  Status CheckPartitionOf(const BatchDescriptor& batch, BatchState state) {
    const bool whole = uint64_t{batch.word.first} + batch.word.count == Load(batch.commit).count;
    const bool goes_unsent = state == BatchState::kDiscarded && batch.partition_row == kNoIndex && whole;
    const bool was_sent = state != BatchState::kOpen && !goes_unsent;
    if (!was_sent && batch.kind != BatchKind::kKey) return Status::Ok();
    const uint64_t rows = Load(partitions_.count);
    if (batch.partition_row >= rows) return Unsound("partition row {} of {}", batch.partition_row, rows);
    const uint32_t topic = partitions_.rows[batch.partition_row].topic_row;
    if (topic != batch.topic_row) return Unsound("topic row {}, its partition's {}", batch.topic_row, topic);
    if (!HasWindow(state) || state == BatchState::kDiscarded) return Status::Ok();
    const uint64_t ids = Load(producer_ids_.count);
    const bool has_id = batch.producer_index < ids && ids - batch.producer_index <= kProducerIdRoom;
    if (!has_id && batch.producer_index != kNoSequence.producer_index) {
      return Unsound("producer id {} of {}", batch.producer_index, ids);
    }
    if (!under_way_.insert(batch.partition_row).second) {
      return Unsound("not the only one under way of partition row {}", batch.partition_row);
    }
    return Status::Ok();
  }

  Status CheckSettling(const BatchDescriptor& batch, BatchState state) {
    if (!IsSettling(state)) return Status::Ok();
    if (state == BatchState::kDiscarded && batch.discard_reason >= kDiscardReasons) {
      return Unsound("discard reason {}", batch.discard_reason);
    }
    return ++settling_ == 1 ? Status::Ok() : Unsound("not the only one that is being settled");
  }

  Status ClaimChain(BatchId id) {
    const uint64_t bytes = Load(pool_.descriptor(id).commit).bytes;
    const uint64_t blocks = std::max<uint64_t>(1, (bytes + kBlockSize - 1) / kBlockSize);
    uint32_t block = id;
    for (uint64_t i = 0; i < blocks; ++i) {
      if (i > 0) block = pool_.NextBlock(block);
      if (block == kNoIndex || used_[block]) return Unsound("block {} of {} is another's, or none", i, blocks);
      used_[block] = true;
    }
    return Status::Ok();
  }

  const Segment& segment_;
  const uint32_t lane_;
  const Geometry& geometry_;
  const ProducerPage& producer_;
  const ConsumerPage& consumer_;
  const IntakeBooks& books_;
  const PartitionRows& partitions_;
  const ProducerIds& producer_ids_;
  const PoolView pool_;
  const uint64_t tail_;
  std::vector<bool> used_;          // blocks
  std::set<uint32_t> under_way_;    // partition rows
  uint32_t settling_ = 0;
};

}  // namespace

Status CheckSound(const Segment& segment, uint32_t lane) { return SoundnessCheck(segment, lane).Run(); }

}  // namespace dory::shm
