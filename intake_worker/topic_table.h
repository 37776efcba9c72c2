// Which row a topic has, and its options: the private index of the rows in the books.
//
// A topic that has a row costs a look-up and no allocation: the names that the index refers to lie in
// the rows themselves, which never move.

#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/config.h"
#include "intake_worker/books_writer.h"

namespace dory::intake {

class TopicTable {
 public:
  TopicTable(BooksWriter* books, uint32_t max_topics, const Config& config);

  // The topic's row, a new one if need be; kNoIndex: there are max_topics of them.
  uint32_t FindOrAdd(std::string_view name);

  struct Options {
    bool receive_timestamp = false;  // else the client's
    bool keep_empty_value = false;   // else a value of size 0 is null
    Rate rate_limit;                 // count 0: none
  };
  const Options& OptionsOf(uint32_t row) const { return options_[row]; }

  // Takes the topics' options from another configuration.
  void Configure(const Config& config);

 private:
  void AddToIndex(uint32_t row);
  Options ReadOptions(uint32_t row) const;

  BooksWriter* books_;
  const Config* config_;
  std::unordered_map<std::string_view, uint32_t> rows_;
  std::vector<Options> options_;  // by row
  uint32_t last_row_ = 0;
};

}  // namespace dory::intake
