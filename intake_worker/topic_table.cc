#include "intake_worker/topic_table.h"

namespace dory::intake {

TopicTable::TopicTable(BooksWriter* books, uint32_t max_topics, const Config& config)
    : books_(books), config_(&config) {
  rows_.reserve(max_topics);
  options_.reserve(max_topics);
  for (uint32_t row = 0; row < books_->topic_count(); ++row) AddToIndex(row);
}

uint32_t TopicTable::FindOrAdd(std::string_view name) {
  // Neighbours are often of one topic.
  if (last_row_ < options_.size() && books_->TopicName(last_row_) == name) return last_row_;
  const auto found = rows_.find(name);
  if (found != rows_.end()) return last_row_ = found->second;
  if (books_->IsFull()) return shm::kNoIndex;
  last_row_ = books_->AddTopic(name);
  AddToIndex(last_row_);
  return last_row_;
}

void TopicTable::Configure(const Config& config) {
  config_ = &config;
  for (uint32_t row = 0; row < options_.size(); ++row) options_[row] = ReadOptions(row);
}

void TopicTable::AddToIndex(uint32_t row) {
  rows_.emplace(books_->TopicName(row), row);
  options_.push_back(ReadOptions(row));
}

TopicTable::Options TopicTable::ReadOptions(uint32_t row) const {
  const TopicConfig& topic = config_->ForTopic(books_->TopicName(row));
  return {.receive_timestamp = topic.timestamp == TimestampSource::kReceive,
          .keep_empty_value = topic.empty_value == EmptyValue::kEmpty,
          .rate_limit = topic.rate_limit};
}

}  // namespace dory::intake
