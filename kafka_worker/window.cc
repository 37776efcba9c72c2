#include "kafka_worker/window.h"

#include <cstdlib>

#include "common/bytes.h"
#include "common/crc32c.h"
#include "common/log.h"
#include "kafka_worker/protocol/message_set.h"
#include "kafka_worker/protocol/record.h"

namespace dory::kafka {

bool BatchHolds(const shm::PoolView& pool, shm::BatchId batch) {
  std::vector<ByteSpan> spans;
  pool.CollectSpans(batch, 0, pool.descriptor(batch).commit.bytes, &spans);
  uint32_t crc = 0;
  for (const ByteSpan span : spans) crc = Crc32cExtend(crc, span);
  return crc == pool.End(batch).crc;
}

uint64_t CountWindow(const shm::BatchDescriptor& batch) {
  const uint64_t count = batch.word.count;
  return count > 0 ? count : batch.commit.count - batch.word.first;
}

namespace {

// visit(record, its timestamp) for each of the window, its offset counted from 0.
template <typename Visitor>
void VisitWindow(const shm::PoolView& pool, shm::BatchId id, Visitor visit) {
  const shm::BatchDescriptor& batch = pool.descriptor(id);
  std::vector<std::byte> gathered;
  const ByteSpan whole = pool.Read(id, 0, batch.commit.bytes, &gathered);
  if (Crc32c(whole) != pool.End(id).crc) {
    LogError("batch {}: its records' crc does not hold", id);
    std::abort();
  }
  ByteReader reader(whole);
  protocol::RecordView record;
  const uint64_t end = batch.word.first + CountWindow(batch);
  for (uint64_t i = 0; i < end; ++i) {
    if (!protocol::DecodeRecord(&reader, &record)) std::abort();  // we encoded it, and its crc holds
    if (i < batch.word.first) continue;
    record.offset_delta = static_cast<int32_t>(i - batch.word.first);
    visit(record, batch.base_timestamp + record.timestamp_delta);
  }
}

}  // namespace

WindowEncoding EncodeWindow(const shm::PoolView& pool, shm::BatchId id, bool with_headers, protocol::Bytes* out) {
  WindowEncoding window{0, INT64_MIN};
  VisitWindow(pool, id, [&](protocol::RecordView record, int64_t timestamp) {
    if (!with_headers) {
      record.headers = {};
      record.header_count = 0;
    }
    window.max_timestamp = std::max(window.max_timestamp, timestamp);
    const size_t at = out->size();
    out->resize(at + protocol::RecordSize(record));
    protocol::EncodeRecord(out->data() + at, record);
  });
  window.crc = Crc32c(*out);
  return window;
}

void ForEachOfWindow(const shm::PoolView& pool, shm::BatchId id,
                     const std::function<void(const protocol::RecordView&, int64_t)>& visit) {
  VisitWindow(pool, id, visit);
}

int64_t TranscodeWindow(const shm::PoolView& pool, shm::BatchId id, int8_t format, ChunkedBytes* out) {
  int64_t max_timestamp = INT64_MIN;
  VisitWindow(pool, id, [&](const protocol::RecordView& record, int64_t timestamp) {
    max_timestamp = std::max(max_timestamp, timestamp);
    const protocol::MessagePieces message(format, {record.offset_delta, timestamp, record.key, record.value});
    for (const ByteSpan piece : message.pieces()) out->Append(piece);
  });
  return max_timestamp;
}

}  // namespace dory::kafka
