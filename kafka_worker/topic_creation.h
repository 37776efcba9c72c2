// Which topics brokers may be asked to create, and when: those that the configuration allows, so many in a
// while. A pure decision; Cluster asks.
//
// Source of the patterns: [kafka] topic_autocreate_allow, names or beginnings of names that end in '*'.
// A topic counts once, however often brokers have to be asked until it is there.

#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <vector>

#include "common/config.h"

namespace dory::kafka {

class TopicCreation {
 public:
  explicit TopicCreation(const KafkaConfig& config);

  // Of the topics that brokers do not have, those that they are asked to create now.
  std::vector<std::string> Choose(const std::vector<std::string>& missing, int64_t now_ms);

 private:
  bool IsAllowed(const std::string& name) const;
  bool HasLeft(int64_t now_ms);

  const bool on_;
  const Rate rate_;  // count 0: any number
  std::vector<std::string> allowed_;
  std::set<std::string> asked_;
  std::deque<int64_t> asked_ms_;  // the newest `rate_.count`
};

}  // namespace dory::kafka
