// Receipts: what a client that asks for one is told of a message, and where it lies until it is sent.
//
//     int32 Size (26) | int64 Id | int16 Code | int32 Partition | int64 Offset        big-endian
//
// Code 0: Kafka has acknowledged it, at that partition and offset. Else why Dory has not delivered it: CodeOf.
// A partition or offset that is not known, or that there is none of, is -1.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "shm/layout.h"

namespace dory::shm {

inline constexpr size_t kAnswerSize = 26;  // of a receipt as a client reads it, bytes
inline constexpr uint64_t kAnswerAreaSize = 4096;
inline constexpr uint64_t kAnswersAnArea = kAnswerAreaSize / kAnswerSize;
inline constexpr uint64_t kAnswerRoom = kAnswersAnArea * kAnswerSize;  // the part of an area that is used

// Clients know these numbers: an enumerator's never changes.
inline constexpr int16_t kDeliveredCode = 0;
constexpr int16_t CodeOf(Reject reason) { return static_cast<int16_t>(1 + static_cast<int>(reason)); }
constexpr int16_t CodeOf(Discard reason) { return static_cast<int16_t>(100 + static_cast<int>(reason)); }
static_assert(CodeOf(Reject::kBadTopic) == 5 && CodeOf(Reject::kTooManyTopics) == 6);
static_assert(CodeOf(Reject::kNoRoom) == 7 && CodeOf(Reject::kRateLimit) == 8 && CodeOf(Reject::kNotAllowed) == 9);
static_assert(CodeOf(Discard::kCorrupt) == 100 && CodeOf(Discard::kUnknownTopic) == 101);
static_assert(CodeOf(Discard::kTooLarge) == 102 && CodeOf(Discard::kRefused) == 103);
static_assert(CodeOf(Discard::kNotAuthorized) == 104 && CodeOf(Discard::kDeadline) == 105);
static_assert(CodeOf(Discard::kPartitionFull) == 106 && CodeOf(Discard::kAmbiguous) == 107);
static_assert(CodeOf(Discard::kOther) == 108);

// Connections that wait for receipts, or have not read theirs yet, hold an area each.
inline uint32_t AnswerAreaCount(const Geometry& geometry) {
  return geometry.tickets == 0 ? 0 : std::max<uint32_t>(geometry.tickets / 16, 4);
}

// Of the tickets' region, bytes from its beginning.
inline uint64_t AnswerAreaOffset(const Geometry& geometry, uint64_t area) {
  return sizeof(Tickets) + uint64_t{geometry.tickets} * sizeof(Ticket) + area * kAnswerAreaSize;
}

inline bool IsFree(const Ticket& ticket, uint64_t last) {
  return ticket.done == ticket.number || ticket.number > last;
}

}  // namespace dory::shm
