#include "intake_worker/permissions.h"

#include <algorithm>

#include "common/comma_list.h"
#include "common/topic_pattern.h"

namespace dory::intake {
namespace {

bool MatchesAny(const std::vector<std::string>& patterns, std::string_view topic) {
  return std::ranges::any_of(patterns, [topic](const std::string& pattern) { return MatchesTopicPattern(pattern, topic); });
}

std::vector<std::string> Split(const std::string& list) {
  return list.empty() ? std::vector<std::string>() : SplitCommaList(list);
}

}  // namespace

void Permissions::Configure(const std::vector<TopicLists>& owners) {
  rules_.clear();
  const bool any = std::ranges::any_of(owners, [](const TopicLists& o) { return !o.allow.empty() || !o.deny.empty(); });
  if (!any) return;
  for (const TopicLists& owner : owners) rules_.push_back({Split(owner.allow), Split(owner.deny), {}});
}

void Permissions::Configure(const std::vector<InputConfig>& inputs) {
  std::vector<TopicLists> lists;
  for (const InputConfig& input : inputs) lists.push_back({input.allow, input.deny});
  Configure(lists);
}

Permissions::Verdict Permissions::Judge(const Rules& rules, std::string_view topic) {
  const bool is_allowed = rules.allow.empty() || MatchesAny(rules.allow, topic);
  return is_allowed && !MatchesAny(rules.deny, topic) ? Verdict::kAllowed : Verdict::kDenied;
}

}  // namespace dory::intake
