// A window encoded anew, as records with offsets from 0, or as messages for brokers older than 0.11.
//
// Order: before a batch or a part of it is encoded anew, the whole is checked against its running crc, so that
//   a wild write into the pool is found here and not delivered under a fresh crc.

#pragma once

#include <cstdint>
#include <functional>

#include "kafka_worker/chunks.h"
#include "kafka_worker/protocol/record.h"
#include "kafka_worker/protocol/wire.h"
#include "shm/pool.h"

namespace dory::kafka {

struct WindowEncoding {
  uint32_t crc;  // crc32c of the new record bytes
  int64_t max_timestamp;
};

// Whether the batch's records are those whose crc was kept as they were appended.
bool BatchHolds(const shm::PoolView& pool, shm::BatchId batch);

// How many records its window has; of one that is not SENT, all that are left are one.
uint64_t CountWindow(const shm::BatchDescriptor& batch);

// Appends the records of the descriptor's window to `out`, with their headers or without. Aborts where the batch's
// crc does not hold.
WindowEncoding EncodeWindow(const shm::PoolView& pool, shm::BatchId batch, bool with_headers, protocol::Bytes* out);

// Calls visit(record, its timestamp) for each of the window. Aborts as EncodeWindow.
void ForEachOfWindow(const shm::PoolView& pool, shm::BatchId batch,
                     const std::function<void(const protocol::RecordView&, int64_t)>& visit);

// As EncodeWindow, as a message set of format 0 or 1, without headers, which those have not; returns the largest
// timestamp.
int64_t TranscodeWindow(const shm::PoolView& pool, shm::BatchId batch, int8_t format, ChunkedBytes* out);

}  // namespace dory::kafka
