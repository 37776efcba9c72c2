// A lane on a small segment of its own, a pair of datagram sockets, and the consuming side played by
// hand.

#pragma once

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/config.h"
#include "common/file_descriptor.h"
#include "intake_worker/intake_lane.h"
#include "shm/books.h"
#include "shm/record.h"
#include "shm/ring_reader.h"
#include "shm/segment.h"
#include "shm/store.h"
#include "tests/unit/intake_worker/client_message.h"

namespace dory::intake {

// A connected pair: what is sent into `client` is received from `server`.
struct SocketPair {
  SocketPair() {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) != 0) std::abort();
    client.Reset(fds[0]);
    server.Reset(fds[1]);
  }

  bool Send(const std::string& bytes) const {
    return ::send(client.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }

  FileDescriptor client;
  FileDescriptor server;
};

class LaneFixture : public ::testing::Test {
 protected:
  static constexpr uint32_t kSlotSize = 2048;

  void MakeSegment(uint64_t ring_size, uint32_t max_topics) {
    char folder[] = "/dev/shm/dory-unit.XXXXXX";
    ASSERT_NE(::mkdtemp(folder), nullptr);
    folder_ = folder;
    Result<int> fd = shm::CreateSegment(folder_, {.ring_size = ring_size,
                                                  .pool_size = shm::kBlockSize,
                                                  .lanes = 1,
                                                  .max_topics = max_topics,
                                                  .slot_size = kSlotSize,
                                                  .connections = streams_geometry_.connections,
                                                  .areas = streams_geometry_.areas,
                                                  .large_areas = streams_geometry_.large_areas,
                                                  .large_area_size = streams_geometry_.large_area_size,
                                                  .tickets = streams_geometry_.tickets});
    ASSERT_TRUE(fd.ok()) << fd.status().message();
    segment_fd_.Reset(fd.value());
    kafka_ = Map(shm::Role::kKafka);
    check_ = Map(shm::Role::kCheck);
    settings_.limits = {kSlotSize, kSlotSize};
    settings_.overflow_path = folder_ + "/overflow.0";
  }

  void TearDown() override {
    lane_.reset();
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  // Another life of the intake.
  void StartLane() {
    lane_.reset();
    intake_ = Map(shm::Role::kIntake);
    lane_ = std::make_unique<IntakeLane>(*intake_, 0, config_, settings_, doorbell_.get());
    lane_->Recover();
  }

  // Values of the messages between head and tail, which are consumed; "DAMAGED" where one does not hold.
  std::vector<std::string> Consume(size_t at_most = SIZE_MAX) {
    const shm::RingReader reader(&Producer(), kafka_->Bytes(shm::RegionKind::kRing, 0));
    std::vector<std::string> values;
    uint64_t position = shm::Load(Consumer().head);
    const uint64_t tail = reader.Tail();
    while (position < tail && values.size() < at_most) {
      const shm::RingRecord record = reader.ReadAt(position, tail);
      if (record.verdict == shm::RingRecord::Verdict::kPad) ++pads_;
      if (record.verdict == shm::RingRecord::Verdict::kDamaged) values.push_back("DAMAGED");
      if (record.verdict == shm::RingRecord::Verdict::kMessage) {
        EXPECT_EQ(record.ordinal, static_cast<uint32_t>(next_ordinal_++));
        values.emplace_back(AsText(record.message.value));
        last_header_ = record.message.header;
        last_headers_ = AsText(record.message.headers);
        last_boottime_ns_ = record.received_boottime_ns;
      }
      position = record.end;
    }
    shm::Store(Consumer().head, position);
    return values;
  }

  shm::Books Books() const { return shm::ReadBooks(*check_, 0); }
  const shm::ProducerPage& Producer() const {
    return *check_->Get<shm::ProducerPage>(shm::RegionKind::kProducer, 0);
  }
  shm::ConsumerPage& Consumer() { return *kafka_->GetWritable<shm::ConsumerPage>(shm::RegionKind::kConsumer, 0); }
  const shm::IntakeBooks& RawBooks() const {
    return *check_->Get<shm::IntakeBooks>(shm::RegionKind::kIntakeBooks, 0);
  }

  bool Send(const ClientMessage& message, size_t input = 0) { return sockets_[input].Send(message.Bytes()); }
  Outcome Receive(uint32_t input = 0) { return lane_->ReceiveOnce(input, sockets_[input].server.get()); }

  Config config_ = ParseConfigText("[kafka]\nbrokers = 127.0.0.1:9092\n", "test").Take();
  LaneSettings settings_;
  struct {
    uint32_t connections = 0;  // 0: no stream inputs
    uint32_t areas = 0;
    uint32_t large_areas = 0;
    uint64_t large_area_size = 0;
    uint32_t tickets = 0;
  } streams_geometry_;
  SocketPair sockets_[2];
  std::string folder_;
  FileDescriptor segment_fd_;
  FileDescriptor doorbell_{::eventfd(0, EFD_NONBLOCK)};
  std::unique_ptr<shm::Segment> intake_;
  std::unique_ptr<shm::Segment> kafka_;
  std::unique_ptr<shm::Segment> check_;
  std::unique_ptr<IntakeLane> lane_;
  uint64_t next_ordinal_ = 0;
  size_t pads_ = 0;
  shm::MessageHeader last_header_{};
  std::string last_headers_;  // Kafka's, of the same message
  int64_t last_boottime_ns_ = 0;

 private:
  std::unique_ptr<shm::Segment> Map(shm::Role role) {
    Result<shm::Segment> segment = shm::Segment::Map(segment_fd_.get(), role, 0);
    EXPECT_TRUE(segment.ok()) << segment.status().message();
    return std::make_unique<shm::Segment>(segment.Take());
  }
};

}  // namespace dory::intake
