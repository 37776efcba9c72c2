// A partition of the sweep's brokers: its log, and what its leader keeps of producers.
//
// Owner: shared by the lives of a trial, and all zero where nothing has happened.

#pragma once

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "kafka_worker/protocol/batch.h"
#include "tests/crash/kafka_sweep_scenario.h"
#include "tests/support/fake_log.h"

namespace dory::kafka {

inline constexpr int64_t kFirstProducer = 1000;  // of lives before the script
inline constexpr size_t kRemembered = 5;         // batches of a producer, as Kafka's

struct ProducerState {
  int64_t id;
  int16_t epoch;
  int32_t next;
  size_t count;
  std::array<std::pair<int32_t, size_t>, kRemembered> last;  // base sequence and records
};

struct AppendedBatch {
  int64_t producer_id;
  int32_t base_sequence;
  int16_t epoch;
  uint16_t count;
};

struct PartitionState {
  int32_t leader;
  uint32_t batches;  // that came
  bool forgets;      // its producers, when what is late has come
  size_t producer_count;
  std::array<ProducerState, 8> producers;
  size_t anew_at;  // what is before in the log was in that of a topic that is gone
  size_t size;
  std::array<uint16_t, 2 * kMostMessages> log;  // numbers of messages
  size_t appended_count;
  std::array<AppendedBatch, 64> appended;
};

// A batch that came.
struct SweepBatch {
  protocol::BatchHeader header;
  std::vector<uint16_t> messages;
};

class PartitionLog {
 public:
  // `first_sequence`: of a producer that it has no state of.
  PartitionLog(PartitionState& state, const Scenario& scenario) : state_(state), scenario_(scenario) {}

  // As Kafka's: a code.
  int16_t Append(const SweepBatch& batch, int32_t first_sequence) {
    if (batch.header.producer_id < 0) return AppendToLog(batch);
    ProducerState* producer = FindProducer(batch.header.producer_id);
    const int32_t base = batch.header.base_sequence;
    if (producer == nullptr) {
      if (base != first_sequence && !TakesAnySequence(scenario_)) return 59;
      producer = &state_.producers.at(state_.producer_count++);
      *producer = {batch.header.producer_id, batch.header.producer_epoch, base, 0, {}};
    } else if (batch.header.producer_epoch < producer->epoch) {
      return 47;
    } else if (batch.header.producer_epoch > producer->epoch) {
      if (base != 0) return 45;
      *producer = {batch.header.producer_id, batch.header.producer_epoch, 0, 0, {}};
    }
    const std::pair<int32_t, size_t> window{base, batch.messages.size()};
    const auto end = producer->last.begin() + static_cast<ptrdiff_t>(producer->count);
    if (std::find(producer->last.begin(), end, window) != end) return 0;
    if (base != producer->next) return 45;
    Remember(producer, window);
    return AppendToLog(batch);
  }

  // -1: it is not there.
  int64_t OffsetOf(const SweepBatch& batch) const {
    int64_t end = static_cast<int64_t>(state_.size - state_.anew_at);
    for (size_t i = state_.appended_count; i > 0; --i) {
      const AppendedBatch& appended = state_.appended[i - 1];
      end -= appended.count;
      if (IsSame(appended, batch)) return end;
    }
    return -1;
  }

  // Its topic is deleted, and there is one of the same name.
  void BeginAnew() {
    state_.producer_count = state_.appended_count = 0;
    state_.anew_at = state_.size;
  }

  // What a reader finds.
  tests::FakeLog Read(int32_t partition) const {
    tests::FakeLog log;
    log.code = scenario_.look_code;
    for (size_t i = 0; i < state_.appended_count; ++i) {
      const AppendedBatch& batch = state_.appended[i];
      log.Append(partition, batch.producer_id, batch.epoch, batch.base_sequence, batch.count);
    }
    return log;
  }

  // Of each producer its last batch.
  std::vector<tests::LogEntry> ListProducers() const {
    std::vector<tests::LogEntry> last;
    for (size_t i = 0; i < state_.producer_count; ++i) {
      const ProducerState& producer = state_.producers[i];
      if (producer.count == 0) continue;
      const auto [sequence, count] = producer.last[producer.count - 1];
      last.push_back({0, producer.id, producer.epoch, sequence, static_cast<int32_t>(count)});
    }
    return last;
  }

 private:
  ProducerState* FindProducer(int64_t id) {
    const auto end = state_.producers.begin() + static_cast<ptrdiff_t>(state_.producer_count);
    const auto found = std::find_if(state_.producers.begin(), end, [&](const ProducerState& p) { return p.id == id; });
    return found == end ? nullptr : &*found;
  }

  static void Remember(ProducerState* producer, std::pair<int32_t, size_t> window) {
    producer->next = static_cast<int32_t>((static_cast<uint32_t>(window.first) + window.second) & INT32_MAX);
    if (producer->count == kRemembered) {
      std::copy(producer->last.begin() + 1, producer->last.end(), producer->last.begin());
      --producer->count;
    }
    producer->last[producer->count++] = window;
  }

  static bool IsSame(const AppendedBatch& appended, const SweepBatch& batch) {
    return appended.producer_id == batch.header.producer_id && appended.epoch == batch.header.producer_epoch &&
           appended.base_sequence == batch.header.base_sequence && appended.count == batch.messages.size();
  }

  int16_t AppendToLog(const SweepBatch& batch) {
    for (const uint16_t message : batch.messages) state_.log.at(state_.size++) = message;
    state_.appended.at(state_.appended_count++) = {batch.header.producer_id, batch.header.base_sequence,
                                                   batch.header.producer_epoch,
                                                   static_cast<uint16_t>(batch.messages.size())};
    return 0;
  }

  PartitionState& state_;
  const Scenario& scenario_;
};

}  // namespace dory::kafka
