// Which messages of the script a segment holds: in the ring, or left in a batch. To be asked after a
// recovery, when nothing is half settled; or of any state, as a start would see it.

#pragma once

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kafka_worker/protocol/record.h"
#include "shm/kafka_start.h"
#include "shm/ring_reader.h"
#include "tests/crash/kafka_sweep_world.h"

namespace dory::kafka {

class Inventory {
 public:
  enum class Of { kRecovered, kPlannedStart };
  struct Held {
    bool is_sent;         // in a window that is SENT
    shm::BatchId batch;   // kNoIndex: in the ring
    uint64_t index;       // in the batch
  };

  explicit Inventory(const shm::Segment& segment, Of of = Of::kRecovered) : segment_(segment), pool_(segment, 0) {
    const auto& consumer = *segment.Get<shm::ConsumerPage>(RegionKind::kConsumer, 0);
    if (of == Of::kPlannedStart) plan_ = shm::PlanKafkaStart(consumer, pool_);
    CountRing(plan_ ? plan_->head : consumer.head);
    for (shm::BatchId id = 0; id < pool_.block_count(); ++id) {
      const auto state = static_cast<shm::BatchState>(pool_.descriptor(id).word.state);
      if (state != shm::BatchState::kFree) CountBatch(id, state == shm::BatchState::kSent);
    }
  }

  // By number.
  const std::map<size_t, Held>& messages() const { return messages_; }
  // Empty: each is there once.
  const std::string& problem() const { return problem_; }

 private:
  void Add(ByteSpan value, const Held& held) {
    const auto number = static_cast<size_t>(std::atoi(std::string(AsText(value).substr(0, 4)).c_str()));
    if (!messages_.emplace(number, held).second) problem_ = "message " + std::to_string(number) + " is held twice";
  }

  void CountRing(uint64_t position) {
    const shm::RingReader reader(segment_.Get<shm::ProducerPage>(RegionKind::kProducer, 0),
                                 segment_.Bytes(RegionKind::kRing, 0));
    while (position != reader.Tail()) {
      const shm::RingRecord record = reader.ReadAt(position, reader.Tail());
      if (record.verdict == shm::RingRecord::Verdict::kMessage) Add(record.message.value, {false, shm::kNoIndex, 0});
      position = record.end;
    }
  }

  // What a start would go on with.
  uint64_t FirstLeft(shm::BatchId id) const {
    const shm::BatchDescriptor& batch = pool_.descriptor(id);
    if (!plan_) return batch.word.first;
    for (const shm::WindowMove& move : plan_->waiting) {
      if (move.batch == id) return move.first;
    }
    const bool settled = std::find(plan_->to_settle.begin(), plan_->to_settle.end(), id) != plan_->to_settle.end();
    return batch.word.first + (settled ? batch.word.count : 0);
  }

  void CountBatch(shm::BatchId id, bool is_sent) {
    const shm::BatchDescriptor& batch = pool_.descriptor(id);
    const uint64_t first = FirstLeft(id);
    const uint64_t window_end = batch.word.first + batch.word.count;
    std::vector<std::byte> gathered;
    ByteReader reader(pool_.Read(id, 0, batch.commit.bytes, &gathered));
    for (uint64_t i = 0; i < batch.commit.count; ++i) {
      const ByteSpan value = batch.kind == shm::BatchKind::kWaiting ? ReadWaiting(&reader) : ReadRecord(&reader);
      if (i >= first) Add(value, {is_sent && i < window_end, id, i});
    }
  }

  ByteSpan ReadRecord(ByteReader* reader) {
    protocol::RecordView record;
    if (!protocol::DecodeRecord(reader, &record)) problem_ = "a record that can't be read";
    return record.value.value_or(ByteSpan{});
  }

  ByteSpan ReadWaiting(ByteReader* reader) {
    shm::RecordHeader header;
    const ByteSpan head = reader->ReadBytes(sizeof(header));
    shm::MessageView message{};
    if (head.size() == sizeof(header)) {
      std::memcpy(&header, head.data(), sizeof(header));
      reader->ReadBytes(header.size - sizeof(header));
      if (reader->ok() && shm::ViewMessage({head.data(), header.size}, &message)) return message.value;
    }
    problem_ = "a waiting record that can't be read";
    return {};
  }

  const shm::Segment& segment_;
  const shm::PoolView pool_;
  std::optional<shm::KafkaStart> plan_;
  std::map<size_t, Held> messages_;
  std::string problem_;
};

}  // namespace dory::kafka
