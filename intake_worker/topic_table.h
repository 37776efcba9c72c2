// Which row a topic has, and its options: the private index of the rows in the books.
//
// A topic that has a row costs a look-up and no allocation. The index is a table of hashes and rows alone, with open
// addressing, so that it stays in the caches; the names lie in the rows, which never move.

#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
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

  struct Place {
    uint32_t hash = 0;
    uint32_t row = shm::kNoIndex;  // none
  };

  // For who looks ahead: where the look-up begins, and mostly ends.
  const Place* FirstPlaceOf(std::string_view name) const { return &places_[HomeOf(Hash(name))]; }

  // Takes the topics' options from another configuration.
  void Configure(const Config& config);

 private:
  static uint32_t Hash(std::string_view name) { return static_cast<uint32_t>(std::hash<std::string_view>{}(name)); }
  size_t HomeOf(uint32_t hash) const { return hash & (places_.size() - 1); }
  uint32_t Find(std::string_view name) const;
  void AddToIndex(uint32_t row);
  Options ReadOptions(uint32_t row) const;

  BooksWriter* books_;
  const Config* config_;
  std::vector<Place> places_;  // a power of two, of which at most half are taken
  std::vector<Options> options_;  // by row
  uint32_t last_row_ = 0;
};

}  // namespace dory::intake
