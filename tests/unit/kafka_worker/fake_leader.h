// What a FakeBroker knows of the producer that wrote to a partition last.

#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "tests/support/fake_log.h"
#include "tests/unit/kafka_worker/seen_batch.h"

namespace dory::kafka {

struct FakeLeader {
  int64_t producer_id = -1;
  int16_t epoch = -1;
  int32_t next = 0;
  std::deque<std::pair<int32_t, size_t>> remembered = {};  // base sequence and count

  // Kafka's checks of the sequence, in Kafka's order. None: it is to be appended, and is remembered.
  std::optional<int16_t> Judge(const SeenBatch& batch, bool takes_any_sequence) {
    const bool same = producer_id == batch.producer_id;
    if (same && batch.epoch < epoch) return 47;
    if (same && batch.epoch == epoch) {
      for (const auto& [base, count] : remembered) {
        if (base == batch.sequence && count == batch.values.size()) return 0;
      }
      if (batch.sequence != next) return 45;
    } else if (batch.sequence != 0 && (same || !takes_any_sequence)) {
      return 45;
    }
    if (!same || batch.epoch != epoch) remembered.clear();
    producer_id = batch.producer_id;
    epoch = batch.epoch;
    next = static_cast<int32_t>((static_cast<uint32_t>(batch.sequence) + batch.values.size()) & INT32_MAX);
    remembered.emplace_back(batch.sequence, batch.values.size());
    if (remembered.size() > 5) remembered.pop_front();
    return std::nullopt;
  }

  // The producer's last batch.
  std::vector<tests::LogEntry> ListLast() const {
    if (remembered.empty()) return {};
    return {{0, producer_id, epoch, remembered.back().first, static_cast<int32_t>(remembered.back().second)}};
  }
};

}  // namespace dory::kafka
