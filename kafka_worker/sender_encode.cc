// The other half of sender.h: C8, a request for one broker in the form that it knows.
//
//     its Produce   goes as
//     3 and newer   batches of format 2: a header of ours, the records from the pool, or compressed
//     2, and 0, 1   message sets of format 1, and 0: in private memory, compressed or not

#include <algorithm>
#include <tuple>

#include "common/clock.h"
#include "common/crash_point.h"
#include "common/crc32c.h"
#include "common/log.h"
#include "kafka_worker/possible_duplicates.h"
#include "kafka_worker/sender.h"
#include "kafka_worker/window.h"
#include "shm/store.h"

namespace dory::kafka {
namespace {

using protocol::Api;
using shm::BatchDescriptor;
using shm::BatchState;

constexpr int16_t kAcksAll = -1;

bool IsWhole(const BatchDescriptor& batch) { return batch.word.first == 0 && batch.word.count == batch.commit.count; }

void MarkSent(Memory& memory, const std::vector<SentBatch>& batches) {
  for (const SentBatch& sent : batches) {
    BatchDescriptor& batch = memory.pool.writable(sent.batch);
    shm::Store(batch.word, shm::MakeBatchWord(BatchState::kSent, batch.word.first, batch.word.count));
  }
}

uint32_t Crc32cOf(const std::vector<ByteSpan>& spans) {
  uint32_t crc = 0;
  for (const ByteSpan span : spans) crc = Crc32cExtend(crc, span);
  return crc;
}

bool KnowIds(const std::vector<SentBatch>& batches) {
  return std::none_of(batches.begin(), batches.end(),
                      [](const SentBatch& sent) { return sent.topic->id == protocol::kNoTopicId; });
}

iovec Piece(ByteSpan bytes) { return {const_cast<std::byte*>(bytes.data()), bytes.size()}; }

// The request's pieces: its own bytes up to each splice, then that batch's records.
void LayOutPieces(std::span<const protocol::ProduceEncoder::Splice> splices,
                  std::span<const std::vector<ByteSpan>> records, Frame* frame) {
  frame->pieces.reserve(2 * splices.size() + 1);
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

// A whole batch of format 2 goes under the crc that was kept as it grew, so that a wild write is refused by
// the broker; what is encoded anew would get a fresh crc.
void Sender::LeaveOut(int8_t format, std::vector<SentBatch>* batches) {
  std::erase_if(*batches, [&](SentBatch& sent) {
    const BatchDescriptor& batch = memory_.pool.descriptor(sent.batch);
    sent.leaves_headers = LeavesHeaders(sent);
    if (format < 2 && HasSequence(batch)) {
      callbacks_.on_sequence_unknown(sent);
      return true;
    }
    if ((format == 2 && IsWhole(batch) && !sent.leaves_headers) || BatchHolds(memory_.pool, sent.batch)) return false;
    callbacks_.on_corrupt(sent);
    return true;
  });
}

// Brokers of 0.11 to 3.x keep such a topic's records in a format that has no headers, and answer
// UNKNOWN_SERVER_ERROR to a batch that has some.
bool Sender::LeavesHeaders(const SentBatch& sent) const {
  return sent.topic->without_headers_until_ms > 0 && !HasSequence(memory_.pool.descriptor(sent.batch)) &&
         sent.topic->without_headers_until_ms > MonotonicMs();
}

std::vector<ByteSpan>& Sender::BeginSpans() {
  if (span_lists_ == spans_.size()) spans_.emplace_back();
  spans_[span_lists_].clear();
  return spans_[span_lists_++];
}

// A window that is not its whole batch, or leaves its headers, is encoded anew, in private memory, with offsets
// from 0.
void Sender::AddWindow(BatchId id, bool with_headers, Frame* frame, protocol::BatchHeader* header) {
  protocol::Bytes records;
  const WindowEncoding window = EncodeWindow(memory_.pool, id, with_headers, &records);
  header->records_bytes = records.size();
  header->records_crc = window.crc;
  header->max_timestamp = window.max_timestamp;
  frame->copies.push_back(std::move(records));
  BeginSpans().push_back(ByteSpan(frame->copies.back()));
}

// kNone: they go as they are.
Compression Sender::ChooseCodec(const SentBatch& sent, int16_t version, size_t size) const {
  Topic& topic = *sent.topic;
  const Compression codec = topic.config.compression;
  if (!IsCompressed(topic) || size < static_cast<uint64_t>(topic.config.compression_min_size)) return Compression::kNone;
  if (IsKnownTo(version, codec)) return codec;
  if (!topic.codec_missed) {
    LogWarning("topic {}: broker {} is too old for zstd; batches go there uncompressed", topic.name, sent.broker);
  }
  topic.codec_missed = true;
  return Compression::kNone;
}

// False: they go as they are.
bool Sender::Compress(const SentBatch& sent, int16_t version, Compression codec, size_t size,
                      std::span<const ByteSpan> spans, ChunkedBytes* out) {
  if (codec == Compression::kNone) return false;
  const TopicConfig& config = sent.topic->config;
  return compressor_.Compress(codec, config.compression_level, spans,
                              MostCompressedBytes(size, config.compression_min_ratio), out,
                              protocol::ChooseMessageFormat(version));
}

// Where it is worth it the records of the last list of spans become their compressed form. Where their crc does not hold
// they stay as they are, under the crc that was kept: the broker refuses them, instead of getting a wild
// write under a fresh crc.
bool Sender::CompressRecords(const SentBatch& sent, int16_t version, Frame* frame, protocol::BatchHeader* header) {
  const Compression codec = ChooseCodec(sent, version, header->records_bytes);
  std::vector<ByteSpan>& spans = spans_[span_lists_ - 1];
  if (codec == Compression::kNone || Crc32cOf(spans) != header->records_crc) return false;
  ChunkedBytes out(chunks_);
  if (!Compress(sent, version, codec, header->records_bytes, spans, &out)) return false;
  spans = out.Spans();
  header->attributes = CodecBits(codec);
  header->records_bytes = out.size();
  header->records_crc = Crc32cOf(spans);
  frame->encoded.push_back(std::move(out));
  return true;
}

void Sender::AddRecords(SentBatch* sent, int16_t version, Frame* frame) {
  const BatchDescriptor& batch = memory_.pool.descriptor(sent->batch);
  const shm::BatchEnd end = memory_.pool.End(sent->batch);
  protocol::BatchHeader header;
  header.base_timestamp = batch.base_timestamp;
  header.record_count = static_cast<int32_t>(batch.word.count);
  if (HasSequence(batch)) {
    header.producer_id = memory_.ProducerOf(batch.producer_index).id;
    header.producer_epoch = batch.epoch;
    header.base_sequence = batch.base_sequence;
  }
  const bool with_headers = !sent->leaves_headers;
  if (IsWhole(batch) && with_headers) {
    header.max_timestamp = end.max_timestamp;
    header.records_bytes = batch.commit.bytes;
    header.records_crc = end.crc;
    memory_.pool.CollectSpans(sent->batch, 0, batch.commit.bytes, &BeginSpans());
  } else {
    AddWindow(sent->batch, with_headers, frame, &header);
  }
  sent->compressed = CompressRecords(*sent, version, frame, &header);
  encoder_.AddPartition(sent->partition, header);
}

void Sender::AddMessages(SentBatch* sent, int16_t version, Frame* frame) {
  protocol::MessageWrapper wrapper;
  wrapper.format = protocol::ChooseMessageFormat(version);
  wrapper.message_count = static_cast<int32_t>(memory_.pool.descriptor(sent->batch).word.count);
  ChunkedBytes messages(chunks_);
  wrapper.max_timestamp = TranscodeWindow(memory_.pool, sent->batch, wrapper.format, &messages);
  const std::vector<ByteSpan> spans = messages.Spans();
  ChunkedBytes out(chunks_);
  const Compression codec = ChooseCodec(*sent, version, messages.size());
  sent->compressed = Compress(*sent, version, codec, messages.size(), spans, &out);
  if (sent->compressed) {
    wrapper.codec_bits = CodecBits(codec);
    encoder_.AddWrapper(sent->partition, wrapper, BeginSpans() = out.Spans());
    frame->encoded.push_back(std::move(out));
  } else {
    BeginSpans() = spans;
    encoder_.AddWholeBatch(sent->partition, messages.size());
    frame->encoded.push_back(std::move(messages));
  }
}

void Sender::AddBatch(SentBatch* sent, int16_t version, Frame* frame) {
  BatchDescriptor& batch = memory_.pool.writable(sent->batch);
  memory_.Mark(shm::Step::kC8, sent->batch);
  if (!HasSequence(batch)) CountPossibleDuplicates(memory_, *sent);
  shm::Store(batch.attempts, batch.attempts + 1);
  DORY_CRASH_POINT("C8.attempt");
  if (protocol::ChooseMessageFormat(version) == 2) {
    AddRecords(sent, version, frame);
  } else {
    AddMessages(sent, version, frame);
  }
}

void Sender::SendLoad(BrokerConnection& connection, Load load) {
  std::vector<SentBatch>& batches = load.batches;
  const std::optional<int16_t> version = ChooseProduceVersion(connection, KnowIds(batches));
  if (!version) {
    const Status why = Status::Error("it offers no version of Produce that we speak");
    connection.Close(why);
    callbacks_.on_answer(connection, batches, 0, {Answer::End::kCut, why, 0});
    return;
  }
  LeaveOut(protocol::ChooseMessageFormat(*version), &batches);
  if (batches.empty()) return;
  std::sort(batches.begin(), batches.end(), [](const SentBatch& a, const SentBatch& b) {
    return std::tie(a.topic->row, a.partition) < std::tie(b.topic->row, b.partition);
  });
  const protocol::RequestHeader header = connection.NextHeader(Api::kProduce, *version);
  const auto same_topic = [](const SentBatch& a, const SentBatch& b) { return a.topic == b.topic; };
  size_t topic_count = 0;
  for (size_t i = 0; i < batches.size(); ++i) topic_count += i == 0 || !same_topic(batches[i - 1], batches[i]);

  Frame frame;
  span_lists_ = 0;
  encoder_.Begin(header, kAcksAll, static_cast<int32_t>(load.timeout_ms), topic_count);
  for (size_t i = 0; i < batches.size(); ++i) {
    if (i == 0 || !same_topic(batches[i - 1], batches[i])) {
      const auto end = std::find_if(batches.begin() + static_cast<ptrdiff_t>(i), batches.end(),
                                    [&](const SentBatch& b) { return b.topic != batches[i].topic; });
      encoder_.BeginTopic(batches[i].topic->name, batches[i].topic->id,
                          static_cast<size_t>(end - batches.begin()) - i);
    }
    if (header.version >= protocol::kFirstProduceById) batches[i].topic_id = batches[i].topic->id;
    AddBatch(&batches[i], header.version, &frame);
  }
  frame.bytes = encoder_.Finish();
  frame.head.assign(encoder_.buffer().begin(), encoder_.buffer().end());
  LayOutPieces(encoder_.splices(), std::span(spans_).first(span_lists_), &frame);
  memory_.Mark(shm::Step::kC8, batches.front().batch);
  DORY_CRASH_POINT("C8.before_write");
  connection.Exchange(Api::kProduce, header.version, std::move(frame), load.timeout_ms,
                      [this, &connection, sent = std::move(batches), version = header.version](const Answer& answer) {
                        DORY_CRASH_POINT("C9.answer");
                        if (DORY_IS_MUTANT("SENT after the write")) MarkSent(memory_, sent);
                        callbacks_.on_answer(connection, sent, version, answer);
                      });
}

}  // namespace dory::kafka
