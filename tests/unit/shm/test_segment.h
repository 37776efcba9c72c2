// A small real segment in a folder of its own, with the intake's side played by hand.

#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/clock.h"
#include "common/file_descriptor.h"
#include "shm/check_buffer.h"
#include "shm/record.h"
#include "shm/ring_writer.h"
#include "shm/segment.h"
#include "shm/store.h"

namespace dory::shm {

class TestSegment {
 public:
  static constexpr Geometry kSmall = {.ring_size = 256 * 1024,
                                      .pool_size = 128 * kBlockSize,
                                      .lanes = 1,
                                      .max_topics = 4,
                                      .slot_size = 16 * 1024,
                                      .connections = 0,
                                      .areas = 0,
                                      .large_areas = 0,
                                      .large_area_size = 0,
                                      .tickets = 16};

  explicit TestSegment(const Geometry& geometry = kSmall) {
    char folder[] = "/dev/shm/dory-unit.XXXXXX";
    if (::mkdtemp(folder) == nullptr) std::abort();
    folder_ = folder;
    fd_.Reset(CreateSegment(folder_, geometry).Take());
    intake_ = Map(Role::kIntake);
    check_ = Map(Role::kCheck);
    writer_ = std::make_unique<RingWriter>(&producer(), Consumer(), intake_->WritableBytes(RegionKind::kRing, 0));
  }
  ~TestSegment() { std::filesystem::remove_all(folder_); }
  TestSegment(const TestSegment&) = delete;
  TestSegment& operator=(const TestSegment&) = delete;

  std::unique_ptr<Segment> Map(Role role) const {
    Result<Segment> mapped = Segment::Map(fd_.get(), role, 0);
    if (!mapped.ok()) std::abort();
    return std::make_unique<Segment>(mapped.Take());
  }

  const std::string& folder() const { return folder_; }
  int fd() const { return fd_.get(); }
  Segment& intake() { return *intake_; }
  const Segment& check() const { return *check_; }
  ProducerPage& producer() { return *intake_->GetWritable<ProducerPage>(RegionKind::kProducer, 0); }
  const ConsumerPage* Consumer() const { return check_->Get<ConsumerPage>(RegionKind::kConsumer, 0); }
  std::span<std::byte> ring() { return intake_->WritableBytes(RegionKind::kRing, 0); }
  RingWriter& writer() { return *writer_; }

  IntakeBooks& books() { return *intake_->GetWritable<IntakeBooks>(RegionKind::kIntakeBooks, 0); }
  IntakeTopicRow& TopicRow(uint32_t row) { return reinterpret_cast<IntakeTopicRow*>(&books() + 1)[row]; }

  uint32_t AddTopic(const std::string& name) {
    const uint32_t row = books().topic_count;
    TopicRow(row).name_size = static_cast<uint8_t>(name.size());
    std::memcpy(TopicRow(row).name, name.data(), name.size());
    Store(books().topic_count, row + 1);
    return row;
  }

  static MessageView MakeMessage(uint32_t row, std::string_view value) {
    MessageView message{};
    message.header.topic_row = row;
    message.header.key_size = kNullSize;
    message.header.value_size = static_cast<int32_t>(value.size());
    message.header.timestamp_ms = 1'700'000'000'000;
    message.value = AsBytes(value);
    return message;
  }

  // A whole burst of one message. Returns the ring position after it.
  uint64_t Append(const MessageView& message) {
    const uint64_t before = appended_++;
    writer_->Write(message, BoottimeNs(), before);
    Store(producer().tail, writer_->write_position());
    Store(TopicRow(message.header.topic_row).appended, Load(TopicRow(message.header.topic_row).appended) + 1);
    Store(producer().stage.base, writer_->write_position());
    return writer_->write_position();
  }
  uint64_t Append(uint32_t row, std::string_view value) { return Append(MakeMessage(row, value)); }
  uint64_t AppendKeyed(uint32_t row, uint32_t key, std::string_view value) {
    MessageView message = MakeMessage(row, value);
    message.header.kind = MessageKind::kPartitionKey;
    message.header.partition_key = key;
    return Append(message);
  }

  uint64_t appended() const { return appended_; }

  // Counts, expects that the books balance and nothing is found, and returns what was counted.
  BufferCheck ExpectBalance() const {
    BufferCheck found = CheckBuffer(*check_, 0);
    EXPECT_TRUE(found.balances);
    for (const std::string& finding : found.findings) ADD_FAILURE() << finding;
    return found;
  }

 private:
  std::string folder_;
  FileDescriptor fd_;
  std::unique_ptr<Segment> intake_;
  std::unique_ptr<Segment> check_;
  std::unique_ptr<RingWriter> writer_;
  uint64_t appended_ = 0;
};

}  // namespace dory::shm
