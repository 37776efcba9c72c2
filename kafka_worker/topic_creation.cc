#include "kafka_worker/topic_creation.h"

#include <algorithm>

#include "common/comma_list.h"
#include "common/log.h"
#include "common/topic_pattern.h"

namespace dory::kafka {

TopicCreation::TopicCreation(const KafkaConfig& config)
    : on_(config.topic_autocreate),
      rate_(config.topic_autocreate_rate),
      allowed_(SplitCommaList(config.topic_autocreate_allow)) {}

bool TopicCreation::IsAllowed(const std::string& name) const {
  return std::any_of(allowed_.begin(), allowed_.end(),
                     [&name](const std::string& pattern) { return MatchesTopicPattern(pattern, name); });
}

bool TopicCreation::HasLeft(int64_t now_ms) {
  if (rate_.count == 0) return true;
  while (!asked_ms_.empty() && now_ms - asked_ms_.front() >= rate_.interval_ms) asked_ms_.pop_front();
  return asked_ms_.size() < static_cast<size_t>(rate_.count);
}

std::vector<std::string> TopicCreation::Choose(const std::vector<std::string>& missing, int64_t now_ms) {
  std::vector<std::string> chosen;
  if (!on_) return chosen;
  for (const std::string& name : missing) {
    if (!IsAllowed(name)) continue;
    if (!asked_.contains(name)) {
      if (!HasLeft(now_ms)) continue;
      asked_.insert(name);
      asked_ms_.push_back(now_ms);
      LogInfo("topic {}: brokers are asked to create it", name);
    }
    chosen.push_back(name);
  }
  return chosen;
}

}  // namespace dory::kafka
