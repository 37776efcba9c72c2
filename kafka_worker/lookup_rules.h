// When a leader is asked for a batch, and what its answers say. Pure decisions.
//
// A broker keeps the state of a producer for [kafka] producer_id_expiration after the newest timestamp of the
// producer's last batch. Without it brokers of 2.5 and newer take any sequence, so that a batch which is in
// the log would be there twice.

#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "kafka_worker/protocol/batch.h"
#include "kafka_worker/protocol/describe_producers.h"

namespace dory::kafka {

// A batch as it was sent.
struct Sought {
  int64_t producer_id;
  int16_t epoch;
  int32_t base_sequence;
  uint32_t count;

  int32_t last_sequence() const {
    return static_cast<int32_t>((static_cast<uint32_t>(base_sequence) + count - 1) & INT32_MAX);
  }
};

// Whether the leader may have no state any more of a batch that was first sent so long ago, with such a
// newest timestamp: from half of the time on that brokers keep it.
constexpr bool MayBeForgotten(int64_t sent_ms_ago, int64_t newest_timestamp_ms_ago, int64_t expiration_ms) {
  return std::max(sent_ms_ago, newest_timestamp_ms_ago) >= expiration_ms / 2;
}

enum class Remembered {
  kNothing,  // no state of the producer
  kBefore,   // its last batch there is from before this one, which the leader's log has not
  kElse,     // this one, or a later one
};

constexpr Remembered JudgeProducers(std::span<const protocol::ProducerState> producers, const Sought& sought) {
  for (const protocol::ProducerState& state : producers) {
    if (state.producer_id != sought.producer_id) continue;
    const bool same_epoch = state.producer_epoch == sought.epoch;
    const bool right_before = same_epoch && sought.base_sequence > 0 && state.last_sequence == sought.base_sequence - 1;
    const bool epoch_before = state.producer_epoch < sought.epoch && sought.base_sequence == 0;
    return right_before || epoch_before ? Remembered::kBefore : Remembered::kElse;
  }
  return Remembered::kNothing;
}

constexpr bool IsSought(const protocol::LoggedBatch& batch, const Sought& sought) {
  return batch.magic == 2 && batch.producer_id == sought.producer_id && batch.producer_epoch == sought.epoch &&
         batch.base_sequence == sought.base_sequence &&
         batch.last_offset - batch.base_offset == int64_t{sought.count} - 1;
}

}  // namespace dory::kafka
