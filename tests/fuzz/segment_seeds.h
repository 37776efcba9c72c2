// Real segments in many states, made by the real classes: what segment_fuzz damages.

#pragma once

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "common/config.h"
#include "common/file_descriptor.h"
#include "intake_worker/intake_lane.h"
#include "kafka_worker/drain.h"
#include "kafka_worker/memory.h"
#include "kafka_worker/start.h"
#include "kafka_worker/topics.h"
#include "shm/segment.h"
#include "tests/unit/intake_worker/client_message.h"

namespace dory::fuzz {

using Image = std::vector<std::byte>;

inline constexpr shm::Geometry kGeometry = {.ring_size = 256 * 1024,
                                            .pool_size = 160 * shm::kBlockSize,
                                            .lanes = 1,
                                            .max_topics = 4,
                                            .slot_size = 2048,
                                            .connections = 0,
                  .areas = 0,
                  .large_areas = 0,
                  .large_area_size = 0};

inline Config MakeConfig() { return ParseConfigText("[kafka]\nbrokers = 127.0.0.1:1\n", "fuzz.conf").Take(); }

// The datagram socket and the bell that an intake of a segment has.
struct IntakeEnds {
  IntakeEnds() {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) != 0) std::abort();
    client.Reset(fds[0]);
    server.Reset(fds[1]);
    bell.Reset(::memfd_create("bell", MFD_CLOEXEC));  // what is written there nobody reads
  }
  FileDescriptor client;
  FileDescriptor server;
  FileDescriptor bell;
};

inline intake::LaneSettings MakeSettings() {
  intake::LaneSettings settings;
  settings.limits = {kGeometry.slot_size};
  return settings;
}

// A segment and both its workers, as far as they go without brokers.
class SeedWorld {
 public:
  SeedWorld() : fd_(shm::CreateMemorySegment(kGeometry).Take()) {}

  // Sends messages of both kinds to these topics and publishes them.
  void Append(const std::vector<std::string>& topics, int each, size_t value_size) {
    shm::Segment segment = Map(shm::Role::kIntake);
    intake::IntakeLane lane(segment, 0, config_, MakeSettings(), ends_.bell.get());
    lane.Recover();
    for (int i = 0; i < each; ++i) {
      for (const std::string& topic : topics) {
        Send(MakeMessage(topic, 256, i, std::string(value_size, 'v')));
        Send(MakeMessage(topic, 257, i, std::string(value_size / 2, 'w')));
        Send("no message");
        while (lane.ReceiveOnce(0, ends_.server.get()) == intake::Outcome::kMore) continue;
      }
    }
  }

  // Datagrams that were received and not decided.
  void LeaveInSlots(int count) {
    shm::Segment segment = Map(shm::Role::kIntake);
    intake::IntakeLane lane(segment, 0, config_, MakeSettings(), ends_.bell.get());
    lane.Recover();
    for (int i = 0; i < count; ++i) Send(MakeMessage("one", 256, 0, "in a slot"));
    lane.ReceiveForDrain(0, ends_.server.get());
  }

  // Drains the ring; topics of `known` have two partitions, others wait.
  void Drain(const std::vector<std::string>& known) {
    WithKafka([&](kafka::Memory&, kafka::TopicTable& topics, kafka::Drain& drain) {
      MakeKnown(topics, known);
      while (drain.DrainRing(0).moved) MakeKnown(topics, known);
    });
  }

  // Gives the first batch that this finds a state, as the sender and the settler would.
  void SetFirst(shm::BatchKind kind, shm::BatchState state) {
    WithKafka([&](kafka::Memory& memory, kafka::TopicTable& topics, kafka::Drain&) {
      shm::Store(memory.producer_ids->count, 1);
      for (shm::BatchId id = 0; id < memory.pool.block_count(); ++id) {
        shm::BatchDescriptor& batch = memory.pool.writable(id);
        if (batch.kind != kind || static_cast<shm::BatchState>(batch.word.state) != shm::BatchState::kOpen) continue;
        if (batch.partition_row == shm::kNoIndex) batch.partition_row = topics.EnsurePartitionRow(batch.topic_row, 7);
        batch.producer_index = 0;
        batch.attempts = 1;
        batch.total_after = 1;
        const bool window = state != shm::BatchState::kPinned;
        shm::Store(batch.word, shm::MakeBatchWord(state, 0, window ? 1 : 0));
        return;
      }
      std::abort();
    });
  }

  Image Take() const {
    struct stat file;
    if (::fstat(fd_.get(), &file) != 0) std::abort();
    Image image(static_cast<size_t>(file.st_size));
    if (::pread(fd_.get(), image.data(), image.size(), 0) != file.st_size) std::abort();
    return image;
  }

 private:
  shm::Segment Map(shm::Role role) const { return shm::Segment::Map(fd_.get(), role, 0).Take(); }

  static std::string MakeMessage(const std::string& topic, int api_key, int32_t partition_key, std::string value) {
    intake::ClientMessage message;
    message.api_key = api_key;
    message.partition_key = partition_key;
    message.topic = topic;
    message.value = std::move(value);
    return message.Bytes();
  }

  void Send(const std::string& bytes) {
    if (::send(ends_.client.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) < 0) std::abort();
  }

  static void MakeKnown(kafka::TopicTable& topics, const std::vector<std::string>& names) {
    for (const auto& topic : topics.topics()) {
      if (std::find(names.begin(), names.end(), topic->name) == names.end()) continue;
      if (!topics.SetPartitionCount(*topic, 2)) std::abort();
      topic->known = true;
    }
  }

  template <typename Work>
  void WithKafka(Work work) {
    shm::Segment segment = Map(shm::Role::kKafka);
    kafka::Memory memory(segment, 0);
    const std::vector<shm::BatchId> live = kafka::Recover(memory);
    kafka::TopicTable topics(memory, config_);
    topics.Adopt(live);
    for (uint32_t row = 0; row < memory.intake_books->topic_count; ++row) topics.Get(row);
    kafka::Drain drain(memory, topics);
    work(memory, topics, drain);
  }

  FileDescriptor fd_;
  Config config_ = MakeConfig();
  IntakeEnds ends_;
};

// Fresh; with a ring; with waiting and routed batches; and the last in every state that a batch can be in.
inline std::vector<Image> MakeSeeds() {
  std::vector<Image> seeds;
  seeds.push_back(SeedWorld().Take());
  SeedWorld world;
  world.Append({"one", "two", "three"}, 20, 300);
  world.LeaveInSlots(9);
  seeds.push_back(world.Take());
  world.Drain({"one", "two"});
  seeds.push_back(world.Take());
  for (int lap = 0; lap < 6; ++lap) {
    world.Append({"one", "two", "three"}, 8, 1700);
    world.Drain({"one", "two"});
  }
  world.Append({"one", "three"}, 10, 500);
  seeds.push_back(world.Take());
  using shm::BatchKind;
  using shm::BatchState;
  world.SetFirst(BatchKind::kKey, BatchState::kSent);
  seeds.push_back(world.Take());
  SeedWorld other;
  other.Append({"one", "two"}, 20, 300);
  other.Drain({"one", "two"});
  other.SetFirst(BatchKind::kAny, BatchState::kPinned);
  other.SetFirst(BatchKind::kKey, BatchState::kDiscarded);
  seeds.push_back(other.Take());
  return seeds;
}

}  // namespace dory::fuzz
