#include "kafka_worker/sender.h"

#include <algorithm>
#include <cassert>

#include "common/clock.h"
#include "common/crash_point.h"
#include "common/crc32c.h"
#include "common/log.h"
#include "kafka_worker/window.h"
#include "shm/store.h"

namespace dory::kafka {
namespace {

using protocol::Api;
using shm::BatchDescriptor;
using shm::BatchKind;
using shm::BatchState;

constexpr int16_t kAcksAll = -1;

// What is compressed before sockets are looked at again: the slowest codec takes a second for it.
constexpr uint64_t kCompressedPerTurn = 1 << 20;

bool IsWhole(const BatchDescriptor& batch) { return batch.word.first == 0 && batch.word.count == batch.commit.count; }

void MarkSent(Memory& memory, const std::vector<SentBatch>& batches) {
  for (const SentBatch& sent : batches) {
    BatchDescriptor& batch = memory.pool.writable(sent.batch);
    shm::Store(batch.word, shm::MakeBatchWord(BatchState::kSent, batch.word.first, batch.word.count));
  }
}

bool IsCompressed(const Topic& topic) {
  return topic.config.compression != Compression::kNone && !topic.codec_refused;
}

uint32_t Crc32cOf(const std::vector<ByteSpan>& spans) {
  uint32_t crc = 0;
  for (const ByteSpan span : spans) crc = Crc32cExtend(crc, span);
  return crc;
}

}  // namespace

Sender::Sender(Memory& memory, TopicTable& topics, Cluster& cluster, ChunkStore& chunks, const KafkaConfig& config,
               OnAnswer on_answer, OnCorrupt on_corrupt)
    : memory_(memory),
      topics_(topics),
      cluster_(cluster),
      chunks_(chunks),
      config_(config),
      on_answer_(std::move(on_answer)),
      on_corrupt_(std::move(on_corrupt)) {
  chunks_.on_room = [this] { OnChunkRoom(); };
}

Sender::~Sender() { chunks_.on_room = nullptr; }

void Sender::Dispatch(const DueRule& rule, int64_t now_ms) {
  Turn turn{.rule = rule, .now_ms = now_ms, .loads = {}, .suspects = {}};
  for (Topic* topic : topics_.TakeDirty()) AssignTopic(*topic, &turn);
  AssignSuspects(&turn);
  for (auto& [connection, load] : turn.loads) SendLoad(*connection, std::move(load));
  OnChunkRoom();  // what was not worth it, or is written already, took none
}

void Sender::AssignTopic(Topic& topic, Turn* turn) {
  if (!topic.known) return;
  const size_t count = topic.partitions.size();
  const size_t start = topic.next_partition;
  turn->look_again_ms = INT64_MAX;
  turn->has_healthy = std::any_of(topic.partitions.begin(), topic.partitions.end(),
                                  [](const Partition& p) { return p.leader >= 0 && !p.suspicion.suspect; });
  for (size_t i = 0; i < count; ++i) {
    const size_t index = (start + i) % count;
    const Partition& partition = topic.partitions[index];
    if (partition.state == Partition::State::kInFlight && !DORY_IS_MUTANT("two batches of one partition SENT")) continue;
    if (partition.not_before_ms > turn->now_ms) {
      turn->look_again_ms = std::min(turn->look_again_ms, partition.not_before_ms);
    } else {
      AssignPartition(topic, index, turn);
    }
  }
  if (turn->look_again_ms != INT64_MAX) topics_.MarkDirtyAt(topic, turn->look_again_ms);
}

// A suspect one takes an AnyPartition batch where no other could, and now and then to see whether it is
// still slow.
bool Sender::MayTakeAny(const Partition& partition, Turn* turn) const {
  if (!partition.suspicion.suspect || !turn->has_healthy || partition.any_not_before_ms <= turn->now_ms) return true;
  turn->look_again_ms = std::min(turn->look_again_ms, partition.any_not_before_ms);
  return false;
}

// Whether one more of its batches may be compressed now. One always may, so that none is ever too large.
bool Sender::MayCompress(Topic& topic, Turn* turn) {
  if (!IsCompressed(topic)) return true;
  if (turn->to_compress >= kCompressedPerTurn) {
    topics_.MarkDirty(topic);
    return false;
  }
  if (chunks_.used() + turn->to_compress < static_cast<uint64_t>(config_.in_flight_bytes)) return true;
  if (chunks_.used() == 0 && turn->to_compress == 0) return true;
  if (std::find(without_room_.begin(), without_room_.end(), &topic) == without_room_.end()) {
    without_room_.push_back(&topic);
  }
  return false;
}

void Sender::OnChunkRoom() {
  if (chunks_.used() >= static_cast<uint64_t>(config_.in_flight_bytes)) return;
  for (Topic* topic : without_room_) topics_.MarkDirty(*topic);
  without_room_.clear();
}

// The oldest batch that is due and may go to this partition, and the queue it stands in.
BatchId Sender::PickBatch(Topic& topic, Partition& partition, BatchQueue** from, Turn* turn) const {
  *from = nullptr;
  if (partition.state == Partition::State::kRetry) return partition.batch;
  BatchId best = shm::kNoIndex;
  // A pinned batch goes before younger ones of its kind; its order is the smallest of them.
  for (BatchQueue* queue : {&partition.pinned, &partition.keyed, &topic.any}) {
    if (queue->empty()) continue;
    if (queue == &topic.any && !partition.pinned.empty()) continue;
    if (queue == &topic.any && !MayTakeAny(partition, turn)) continue;
    const BatchDescriptor& batch = memory_.pool.descriptor(queue->front());
    if (batch.commit.count == batch.word.first) continue;
    if (const int64_t wait_ms = DueInMs(batch, topic.config, queue->size() == 1, turn->rule); wait_ms > 0) {
      turn->look_again_ms = std::min(turn->look_again_ms, turn->now_ms + wait_ms);
      continue;
    }
    if (best != shm::kNoIndex && memory_.pool.descriptor(best).order < batch.order) continue;
    best = queue->front();
    *from = queue;
  }
  return best;
}

// The leader's connection where it can take a request. One that comes up, has room again or goes down
// marks every topic dirty; one that waits after a failure is tried again by us.
BrokerConnection* Sender::FindRoom(const Partition& partition, Turn* turn) {
  BrokerConnection* connection = partition.suspicion.suspect ? cluster_.SuspectBroker(partition.leader)
                                                             : cluster_.Broker(partition.leader);
  if (connection == nullptr || connection->HasRoom()) return connection;
  if (connection->state() == BrokerConnection::State::kDown) {
    turn->look_again_ms = std::min(turn->look_again_ms, std::max(connection->not_before_ms(), turn->now_ms + 1));
  }
  return nullptr;
}

void Sender::AssignPartition(Topic& topic, size_t index, Turn* turn) {
  Partition& partition = topic.partitions[index];
  BatchQueue* from = nullptr;
  const BatchId id = PickBatch(topic, partition, &from, turn);
  if (id == shm::kNoIndex || partition.leader < 0) return;
  BrokerConnection* connection = FindRoom(partition, turn);
  if (connection == nullptr || !connection->HasRoom() || !MayCompress(topic, turn)) return;
  if (partition.suspicion.suspect) {
    turn->suspects.push_back({&topic, index, partition.attempted_ms});
    return;
  }
  const auto begun = turn->loads.find(connection);
  const uint64_t bytes = memory_.pool.descriptor(id).commit.bytes;
  if (begun != turn->loads.end() && begun->second.bytes + bytes > static_cast<uint64_t>(config_.max_request_bytes)) {
    topics_.MarkDirty(topic);
    return;
  }
  Assign(topic, index, id, from, connection, turn);
}

// One of each broker's, the one whose last attempt is the longest ago. What it would have sent may have
// gone to a healthy partition meanwhile. The others look again when the connection has room.
void Sender::AssignSuspects(Turn* turn) {
  std::stable_sort(turn->suspects.begin(), turn->suspects.end(),
                   [](const Candidate& a, const Candidate& b) { return a.attempted_ms < b.attempted_ms; });
  for (const Candidate& candidate : turn->suspects) {
    Partition& partition = candidate.topic->partitions[candidate.index];
    BrokerConnection* connection = cluster_.SuspectBroker(partition.leader);
    if (turn->loads.contains(connection) || !MayCompress(*candidate.topic, turn)) continue;
    BatchQueue* from = nullptr;
    const BatchId id = PickBatch(*candidate.topic, partition, &from, turn);
    if (id != shm::kNoIndex) Assign(*candidate.topic, candidate.index, id, from, connection, turn);
  }
}

void Sender::Assign(Topic& topic, size_t index, BatchId id, BatchQueue* from, BrokerConnection* connection,
                    Turn* turn) {
  Partition& partition = topic.partitions[index];
  if (from != nullptr && !PrepareFirstSend(topic, partition, static_cast<int32_t>(index), id)) return;
  if (from == &topic.any) topic.next_partition = index + 1;
  if (from != nullptr) from->erase(from->begin());
  partition.state = Partition::State::kInFlight;
  partition.batch = id;
  partition.attempted_ms = turn->now_ms;
  Load& load = turn->loads[connection];
  load.batches.push_back({&topic, static_cast<int32_t>(index), id, partition.leader, partition.suspicion.suspect,
                          false});
  load.bytes += memory_.pool.descriptor(id).commit.bytes;
  if (IsCompressed(topic)) turn->to_compress += memory_.pool.descriptor(id).commit.bytes;
  load.timeout_ms = partition.suspicion.suspect
                        ? ChooseRequestTimeoutMs(partition.suspicion, config_.request_timeout_ms)
                        : config_.request_timeout_ms;
}

// C6 and C7. False where there is no producer id or no partition row yet.
bool Sender::PrepareFirstSend(Topic& topic, Partition& partition, int32_t number, BatchId id) {
  const int producer = cluster_.ProducerIndex();
  if (producer < 0) return false;
  if (partition.row == shm::kNoIndex) partition.row = topics_.EnsurePartitionRow(topic.row, number);
  if (partition.row == shm::kNoIndex) return false;

  memory_.Mark(shm::Step::kC6, id);
  shm::PartitionRow& row = memory_.partitions->rows[partition.row];
  BatchDescriptor& batch = memory_.pool.writable(id);
  uint64_t count = batch.commit.count - batch.word.first;
  if (partition.trouble.most_records > 0) count = std::min<uint64_t>(count, partition.trouble.most_records);
  shm::SequenceWord sequence = row.sequence;
  if (sequence.producer_index != producer) {
    sequence = {0, memory_.ProducerOf(static_cast<uint64_t>(producer)).epoch, static_cast<uint16_t>(producer)};
    shm::Store(row.sequence, sequence);
    DORY_CRASH_POINT("C6.new_id");
  }
  if (static_cast<uint64_t>(sequence.next_sequence) + count > uint64_t{1} << 31) {
    if (sequence.epoch == INT16_MAX) {
      cluster_.RenewProducerId(sequence.producer_index);
      return false;
    }
    sequence = {0, static_cast<int16_t>(sequence.epoch + 1), sequence.producer_index};
    shm::Store(row.sequence, sequence);  // a batch never straddles the wrap
    DORY_CRASH_POINT("C6.wrap");
  }
  shm::Store(batch.partition_row, partition.row);
  shm::Store(batch.producer_index, sequence.producer_index);
  shm::Store(batch.epoch, sequence.epoch);
  shm::Store(batch.base_sequence, sequence.next_sequence);
  shm::Store(batch.unknown_outcome, 0);
  shm::Store(batch.attempts, 0);
  shm::Store(batch.first_sent_boottime_ns, BoottimeNs());
  DORY_CRASH_POINT("C6.fixed");
  memory_.Mark(shm::Step::kC7, id);
  const BatchState sent = DORY_IS_MUTANT("SENT after the write") ? BatchState::kOpen : BatchState::kSent;
  if (DORY_IS_MUTANT("C7 beside the seam")) batch.word = shm::MakeBatchWord(sent, batch.word.first, count);
  shm::Store(batch.word, shm::MakeBatchWord(sent, batch.word.first, count));
  DORY_CRASH_POINT("C7.sent");
  return true;
}

// A whole batch goes under the crc that was kept as it grew, so that a wild write is refused by the broker;
// a part of one would get a fresh crc.
void Sender::LeaveOutCorrupt(std::vector<SentBatch>* batches) {
  std::erase_if(*batches, [this](const SentBatch& sent) {
    if (IsWhole(memory_.pool.descriptor(sent.batch)) || BatchHolds(memory_.pool, sent.batch)) return false;
    on_corrupt_(sent);
    return true;
  });
}

// A window that is not its whole batch is encoded anew, in private memory, with offsets from 0.
void Sender::AddWindow(BatchId id, Frame* frame, protocol::BatchHeader* header) {
  protocol::Bytes records;
  const WindowEncoding window = EncodeWindow(memory_.pool, id, &records);
  header->records_bytes = records.size();
  header->records_crc = window.crc;
  header->max_timestamp = window.max_timestamp;
  frame->copies.push_back(std::move(records));
  spans_.push_back({ByteSpan(frame->copies.back())});
}

Compression Sender::ChooseCodec(const SentBatch& sent, int16_t version) const {
  Topic& topic = *sent.topic;
  const Compression codec = topic.config.compression;
  if (!IsCompressed(topic)) return Compression::kNone;
  if (IsKnownTo(version, codec)) return codec;
  if (!topic.codec_missed) {
    LogWarning("topic {}: broker {} is too old for zstd; batches go there uncompressed", topic.name, sent.broker);
  }
  topic.codec_missed = true;
  return Compression::kNone;
}

// Where it is worth it the records in `spans_` become their compressed form. Where their crc does not hold
// they stay as they are, under the crc that was kept: the broker refuses them, instead of getting a wild
// write under a fresh crc.
bool Sender::CompressRecords(const SentBatch& sent, int16_t version, Frame* frame, protocol::BatchHeader* header) {
  const TopicConfig& config = sent.topic->config;
  if (header->records_bytes < static_cast<uint64_t>(config.compression_min_size)) return false;
  const Compression codec = ChooseCodec(sent, version);
  if (codec == Compression::kNone) return false;
  std::vector<ByteSpan>& spans = spans_.back();
  if (Crc32cOf(spans) != header->records_crc) return false;
  ChunkedBytes out(chunks_);
  const size_t most = MostCompressedBytes(header->records_bytes, config.compression_min_ratio);
  if (!compressor_.Compress(codec, config.compression_level, spans, most, &out)) return false;
  spans = out.Spans();
  header->attributes = CodecBits(codec);
  header->records_bytes = out.size();
  header->records_crc = Crc32cOf(spans);
  frame->compressed.push_back(std::move(out));
  return true;
}

void Sender::AddBatch(SentBatch* sent, int16_t version, Frame* frame) {
  BatchDescriptor& batch = memory_.pool.writable(sent->batch);
  memory_.Mark(shm::Step::kC8, sent->batch);
  shm::Store(batch.attempts, batch.attempts + 1);
  DORY_CRASH_POINT("C8.attempt");
  const shm::ProducerId& producer = memory_.ProducerOf(batch.producer_index);
  const shm::BatchEnd end = memory_.pool.End(sent->batch);
  protocol::BatchHeader header;
  header.base_timestamp = batch.base_timestamp;
  header.producer_id = producer.id;
  header.producer_epoch = batch.epoch;
  header.base_sequence = batch.base_sequence;
  header.record_count = static_cast<int32_t>(batch.word.count);
  if (IsWhole(batch)) {
    header.max_timestamp = end.max_timestamp;
    header.records_bytes = batch.commit.bytes;
    header.records_crc = end.crc;
    spans_.emplace_back();
    memory_.pool.CollectSpans(sent->batch, 0, batch.commit.bytes, &spans_.back());
  } else {
    AddWindow(sent->batch, frame, &header);
  }
  sent->compressed = CompressRecords(*sent, version, frame, &header);
  encoder_.AddPartition(sent->partition, header);
}

namespace {

iovec Piece(ByteSpan bytes) { return {const_cast<std::byte*>(bytes.data()), bytes.size()}; }

// The request's pieces: its own bytes up to each splice, then that batch's records.
void LayOutPieces(std::span<const protocol::ProduceEncoder::Splice> splices,
                  const std::vector<std::vector<ByteSpan>>& records, Frame* frame) {
  const ByteSpan head(frame->head);
  size_t at = 0;
  for (size_t i = 0; i < splices.size(); ++i) {
    frame->pieces.push_back(Piece(head.subspan(at, splices[i].offset - at)));
    for (const ByteSpan span : records[i]) frame->pieces.push_back(Piece(span));
    at = splices[i].offset;
  }
  if (at < head.size()) frame->pieces.push_back(Piece(head.subspan(at)));
}

}  // namespace

void Sender::SendLoad(BrokerConnection& connection, Load load) {
  std::vector<SentBatch>& batches = load.batches;
  LeaveOutCorrupt(&batches);
  if (batches.empty()) return;
  if (!connection.VersionOf(Api::kProduce)) {
    const Status why = Status::Error("it offers no version of Produce that we speak");
    connection.Close(why);
    on_answer_(connection, batches, 0, {Answer::End::kCut, why, 0});
    return;
  }
  std::stable_sort(batches.begin(), batches.end(),
                   [](const SentBatch& a, const SentBatch& b) { return a.topic->row < b.topic->row; });
  const protocol::RequestHeader header = connection.NextHeader(Api::kProduce);
  const auto same_topic = [](const SentBatch& a, const SentBatch& b) { return a.topic == b.topic; };
  size_t topic_count = 0;
  for (size_t i = 0; i < batches.size(); ++i) topic_count += i == 0 || !same_topic(batches[i - 1], batches[i]);

  Frame frame;
  spans_.clear();
  encoder_.Begin(header, kAcksAll, static_cast<int32_t>(load.timeout_ms), topic_count);
  for (size_t i = 0; i < batches.size(); ++i) {
    if (i == 0 || !same_topic(batches[i - 1], batches[i])) {
      const auto end = std::find_if(batches.begin() + static_cast<ptrdiff_t>(i), batches.end(),
                                    [&](const SentBatch& b) { return b.topic != batches[i].topic; });
      encoder_.BeginTopic(batches[i].topic->name,
                          static_cast<size_t>(end - batches.begin()) - i);
    }
    AddBatch(&batches[i], header.version, &frame);
  }
  frame.bytes = encoder_.Finish();
  frame.head.assign(encoder_.buffer().begin(), encoder_.buffer().end());
  LayOutPieces(encoder_.splices(), spans_, &frame);
  memory_.Mark(shm::Step::kC8, batches.front().batch);
  DORY_CRASH_POINT("C8.before_write");
  connection.Exchange(Api::kProduce, std::move(frame), load.timeout_ms,
                      [this, &connection, sent = std::move(batches), version = header.version](const Answer& answer) {
                        DORY_CRASH_POINT("C9.answer");
                        if (DORY_IS_MUTANT("SENT after the write")) MarkSent(memory_, sent);
                        on_answer_(connection, sent, version, answer);
                      });
}

}  // namespace dory::kafka
