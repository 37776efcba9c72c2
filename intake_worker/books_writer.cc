#include "intake_worker/books_writer.h"

#include <cassert>

#include "common/crash_point.h"

namespace dory::intake {

using shm::Store;

BooksWriter::BooksWriter(std::span<std::byte> region, uint32_t max_topics)
    : books_(reinterpret_cast<shm::IntakeBooks*>(region.data())),
      rows_(reinterpret_cast<shm::IntakeTopicRow*>(region.data() + sizeof(shm::IntakeBooks))),
      words_(reinterpret_cast<uint64_t*>(region.data()), region.size() / sizeof(uint64_t)),
      max_topics_(max_topics) {
  assert(region.size() >= sizeof(shm::IntakeBooks) + max_topics * sizeof(shm::IntakeTopicRow));
  assert(topic_count() <= max_topics_);
}

uint32_t BooksWriter::AddTopic(std::string_view name) {
  assert(!IsFull() && !name.empty() && name.size() <= shm::kMaxTopicName);
  const uint32_t row = topic_count();
  shm::Copy(rows_[row].name, name.data(), name.size());
  DORY_CRASH_POINT("P3.topic_name");
  Store(rows_[row].name_size, static_cast<uint8_t>(name.size()));
  DORY_CRASH_POINT("P3.topic_row");
  Store(books_->topic_count, row + 1);
  DORY_CRASH_POINT("P3.topic_count");
  return row;
}

Counter BooksWriter::TallyOf(int16_t api_key, int16_t api_version) {
  for (size_t i = 0; i < shm::kVersionTallies; ++i) {
    shm::VersionTally& tally = books_->unsupported_versions[i];
    if (tally.used == 0) {
      Store(tally.api_key, api_key);
      Store(tally.api_version, api_version);
      DORY_CRASH_POINT("P3.tally_named");
      Store(tally.used, 1);
      DORY_CRASH_POINT("P3.tally_used");
    }
    if (tally.api_key == api_key && tally.api_version == api_version) {
      return static_cast<Counter>(&tally.count - words_.data());
    }
  }
  return kNoCounter;
}

uint64_t BooksWriter::SumAppended() const {
  uint64_t sum = 0;
  for (uint32_t row = 0; row < topic_count(); ++row) sum += Read(AppendedOf(row));
  return sum;
}

}  // namespace dory::intake
