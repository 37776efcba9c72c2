// Intake's counters in the segment: where each one lies, and the tables that they belong to.
//
// A counter is the index of a uint64_t word of the books region, as the journal names it.
//
// Owner: the lane's intake, alone.
// Order: a topic's row, and a version's tally, is complete before the word that publishes it; both are
//   published before the P4 of the first burst that counts in them.
// On crash: a published row that nothing was counted in is found again by its name.

#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "shm/layout.h"
#include "shm/store.h"

namespace dory::intake {

using Counter = uint64_t;
inline constexpr Counter kNoCounter = UINT64_MAX;

class BooksWriter {
 public:
  BooksWriter(std::span<std::byte> region, uint32_t max_topics);

  // ---- counters
  Counter AppendedOf(uint32_t row) const { return RowWord(row, offsetof(shm::IntakeTopicRow, appended)); }
  Counter RejectedOf(uint32_t row, shm::Reject reason) const {
    return RowWord(row, offsetof(shm::IntakeTopicRow, rejected)) + static_cast<Counter>(reason);
  }
  // Of messages whose topic has no row.
  Counter Rejected(shm::Reject reason) const {
    return offsetof(shm::IntakeBooks, rejected) / sizeof(uint64_t) + static_cast<Counter>(reason);
  }
  // The tally of an unsupported version; kNoCounter where the table is full.
  Counter TallyOf(int16_t api_key, int16_t api_version);

  uint64_t counter_count() const { return words_.size(); }
  uint64_t Read(Counter counter) const { return shm::Load(words_[counter]); }
  // REQUIRES: counter < counter_count().
  void Set(Counter counter, uint64_t value) { shm::Store(words_[counter], value); }
  uint64_t SumAppended() const;

  // ---- topics
  uint32_t topic_count() const { return shm::Load(books_->topic_count); }
  bool IsFull() const { return topic_count() == max_topics_; }
  std::string_view TopicName(uint32_t row) const { return {rows_[row].name, rows_[row].name_size}; }

  // For who looks ahead.
  const shm::IntakeTopicRow* RowOf(uint32_t row) const { return &rows_[row]; }

  // The new topic's row. REQUIRES: !IsFull(), 1 to kMaxTopicName bytes.
  uint32_t AddTopic(std::string_view name);

 private:
  static Counter RowWord(uint32_t row, size_t offset) {
    return (sizeof(shm::IntakeBooks) + row * sizeof(shm::IntakeTopicRow) + offset) / sizeof(uint64_t);
  }

  shm::IntakeBooks* books_;
  shm::IntakeTopicRow* rows_;
  std::span<uint64_t> words_;
  uint32_t max_topics_;
};

}  // namespace dory::intake
