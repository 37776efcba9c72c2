// Verdict: what has become of the numbered messages. It is told every message that the topics hold,
// and what the senders report; it says what was lost, doubled, out of order or in a wrong place.
//
// It keeps one bit for each message and one number for each (partition, sender, kind).

#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tests/support/numbered_message.h"

namespace dory::tests {

// What one (sender, kind) has sent, as far as it was seen.
class SeenStream {
 public:
  SeenStream(uint32_t sender, Kind kind) : sender_(sender), kind_(kind) {}

  uint32_t sender() const { return sender_; }
  Kind kind() const { return kind_; }
  uint64_t end() const { return end_; }        // one over the highest sequence
  uint64_t distinct() const { return distinct_; }

  // Returns whether it is the first of its sequence.
  bool See(uint64_t sequence) {
    const size_t word = sequence / 64;
    const uint64_t bit = uint64_t{1} << (sequence % 64);
    if (word >= words_.size()) words_.resize(std::max(word + 1, words_.size() * 2));
    const bool first = (words_[word] & bit) == 0;
    words_[word] |= bit;
    distinct_ += first ? 1 : 0;
    end_ = std::max(end_, sequence + 1);
    return first;
  }

  bool Has(uint64_t sequence) const {
    const size_t word = sequence / 64;
    return word < words_.size() && ((words_[word] >> (sequence % 64)) & 1) != 0;
  }

 private:
  uint32_t sender_;
  Kind kind_;
  std::vector<uint64_t> words_;
  uint64_t end_ = 0;
  uint64_t distinct_ = 0;
};

// A partition as the judge reads it.
struct PartitionSeen {
  std::string topic;
  int32_t partition = 0;
  int32_t partition_count = 1;
  std::vector<uint64_t> next;  // by stream: one over the highest sequence so far
};

class Verdict {
 public:
  // What a sender's report says it has sent. Messages of nobody else are then expected.
  void Expect(uint32_t sender, uint64_t any, uint64_t key) {
    expected_[{sender, Kind::kAny}] += any;
    expected_[{sender, Kind::kKey}] += key;
  }

  bool has_expectation() const { return !expected_.empty(); }
  uint64_t arrived() const { return arrived_; }
  uint64_t doubled() const { return doubled_.count; }

  // How many of the expected are still missing.
  uint64_t CountMissing() const {
    uint64_t missing = 0;
    for (const auto& [who, count] : Expected()) {
      const SeenStream* stream = Find(who.first, who.second);
      const uint64_t seen = stream == nullptr ? 0 : stream->distinct();
      missing += count > seen ? count - seen : 0;
    }
    return missing;
  }

  // A message of `partition`, in the order of its offsets.
  void See(PartitionSeen& partition, std::string_view key, std::string_view value, int64_t offset) {
    ++arrived_;
    const std::optional<NumberedMessage> message = ReadNumbered(value);
    if (!message || (!key.empty() && !IsKeyOf(*message, key))) {
      const std::string_view start = value.substr(0, 40);
      Note(unreadable_, [&] { return std::string(start) + Where(partition, offset); });
      return;
    }
    const auto describe = [&] { return NumberedText(*message) + Where(partition, offset); };
    const size_t index = IndexOf(message->sender, message->kind);
    if (message->kind == Kind::kKey &&
        message->key % static_cast<uint32_t>(partition.partition_count) !=
            static_cast<uint32_t>(partition.partition)) {
      Note(misplaced_, describe);
    }
    if (!streams_[index].See(message->sequence)) {
      Note(doubled_, describe);
      return;
    }
    if (index >= partition.next.size()) partition.next.resize(index + 1);
    if (message->sequence < partition.next[index]) Note(disorder_, describe);
    partition.next[index] = std::max(partition.next[index], message->sequence + 1);
  }

  // REQUIRES: called once, when everything has been seen.
  nlohmann::json Judge() {
    uint64_t expected = 0;
    const std::map<Who, uint64_t> all = Expected();
    for (const auto& [who, count] : all) {
      expected += count;
      JudgeStream(who.first, who.second, count);
    }
    for (const SeenStream& stream : streams_) {
      if (!all.contains({stream.sender(), stream.kind()})) {
        JudgeStream(stream.sender(), stream.kind(), 0);
      }
    }
    nlohmann::json examples = nlohmann::json::array();
    nlohmann::json answer = {{"expected", expected}, {"arrived", arrived_}};
    for (const Fault* fault : Faults()) {
      answer[fault->name] = fault->count;
      for (const std::string& text : fault->examples) {
        examples.push_back(std::string(fault->name) + ": " + text);
      }
    }
    answer["first_examples"] = examples;
    return answer;
  }

  bool clean() const {
    return std::ranges::all_of(Faults(), [](const Fault* fault) { return fault->count == 0; });
  }

 private:
  using Who = std::pair<uint32_t, Kind>;

  struct Fault {
    const char* name;
    uint64_t count = 0;
    std::vector<std::string> examples = {};
  };

  static constexpr size_t kExamples = 8;

  std::array<const Fault*, 6> Faults() const {
    return {&lost_, &doubled_, &disorder_, &misplaced_, &unexpected_, &unreadable_};
  }

  // Without reports: that no sequence is missing below the highest seen.
  std::map<Who, uint64_t> Expected() const {
    if (has_expectation()) return expected_;
    std::map<Who, uint64_t> seen;
    for (const SeenStream& stream : streams_) seen[{stream.sender(), stream.kind()}] = stream.end();
    return seen;
  }

  void JudgeStream(uint32_t sender, Kind kind, uint64_t count) {
    const SeenStream nothing(sender, kind);
    const SeenStream* found = Find(sender, kind);
    const SeenStream& stream = found == nullptr ? nothing : *found;
    const char* const name = kind == Kind::kAny ? " A " : " K* ";
    for (uint64_t i = 0; i < std::max(count, stream.end()); ++i) {
      const bool seen = stream.Has(i);
      if (seen == (i < count)) continue;
      Note(seen ? unexpected_ : lost_,
           [&] { return "S" + std::to_string(sender) + name + std::to_string(i); });
    }
  }

  template <typename Describe>
  static void Note(Fault& fault, Describe describe) {
    ++fault.count;
    if (fault.examples.size() < kExamples) fault.examples.push_back(describe());
  }

  static std::string Where(const PartitionSeen& partition, int64_t offset) {
    return " in " + partition.topic + "[" + std::to_string(partition.partition) + "] at " +
           std::to_string(offset);
  }

  static bool IsKeyOf(const NumberedMessage& message, std::string_view key) {
    return message.kind == Kind::kKey && key == std::to_string(message.key);
  }

  static uint64_t PackWho(uint32_t sender, Kind kind) {
    return uint64_t{sender} << 1 | static_cast<uint64_t>(kind);
  }

  size_t IndexOf(uint32_t sender, Kind kind) {
    const auto [at, added] = index_.try_emplace(PackWho(sender, kind), streams_.size());
    if (added) streams_.emplace_back(sender, kind);
    return at->second;
  }

  const SeenStream* Find(uint32_t sender, Kind kind) const {
    const auto at = index_.find(PackWho(sender, kind));
    return at == index_.end() ? nullptr : &streams_[at->second];
  }

  std::map<Who, uint64_t> expected_;
  std::vector<SeenStream> streams_;
  std::unordered_map<uint64_t, size_t> index_;  // into streams_
  uint64_t arrived_ = 0;
  Fault lost_{"lost"};
  Fault doubled_{"doubled"};
  Fault disorder_{"disorder"};
  Fault misplaced_{"misplaced"};
  Fault unexpected_{"unexpected"};  // more than the sender reports, or a sender without report
  Fault unreadable_{"unreadable"};  // not one of ours, or not whole
};

}  // namespace dory::tests
