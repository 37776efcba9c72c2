#include "intake_worker/topic_table.h"

#include <bit>

namespace dory::intake {

TopicTable::TopicTable(BooksWriter* books, uint32_t max_topics, const Config& config)
    : books_(books), config_(&config), places_(std::bit_ceil(uint64_t{max_topics} * 2)) {
  options_.reserve(max_topics);
  for (uint32_t row = 0; row < books_->topic_count(); ++row) AddToIndex(row);
}

uint32_t TopicTable::FindOrAdd(std::string_view name) {
  // Neighbours are often of one topic.
  if (last_row_ < options_.size() && books_->TopicName(last_row_) == name) return last_row_;
  if (const uint32_t found = Find(name); found != shm::kNoIndex) return last_row_ = found;
  if (books_->IsFull()) return shm::kNoIndex;
  last_row_ = books_->AddTopic(name);
  AddToIndex(last_row_);
  return last_row_;
}

uint32_t TopicTable::Find(std::string_view name) const {
  const uint32_t hash = Hash(name);
  for (size_t at = HomeOf(hash); places_[at].row != shm::kNoIndex; at = (at + 1) & (places_.size() - 1)) {
    if (places_[at].hash == hash && books_->TopicName(places_[at].row) == name) return places_[at].row;
  }
  return shm::kNoIndex;
}

void TopicTable::Configure(const Config& config) {
  config_ = &config;
  for (uint32_t row = 0; row < options_.size(); ++row) options_[row] = ReadOptions(row);
}

void TopicTable::AddToIndex(uint32_t row) {
  const uint32_t hash = Hash(books_->TopicName(row));
  size_t at = HomeOf(hash);
  while (places_[at].row != shm::kNoIndex) at = (at + 1) & (places_.size() - 1);
  places_[at] = {hash, row};
  options_.push_back(ReadOptions(row));
}

TopicTable::Options TopicTable::ReadOptions(uint32_t row) const {
  const TopicConfig& topic = config_->ForTopic(books_->TopicName(row));
  return {.receive_timestamp = topic.timestamp == TimestampSource::kReceive,
          .keep_empty_value = topic.empty_value == EmptyValue::kEmpty,
          .rate_limit = topic.rate_limit};
}

}  // namespace dory::intake
