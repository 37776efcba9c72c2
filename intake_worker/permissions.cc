#include "intake_worker/permissions.h"

#include <algorithm>

#include "common/topic_pattern.h"

namespace dory::intake {
namespace {

bool MatchesAny(const std::vector<std::string>& patterns, std::string_view topic) {
  return std::ranges::any_of(patterns, [topic](const std::string& pattern) { return MatchesTopicPattern(pattern, topic); });
}

std::vector<std::string> Split(const std::string& list) {
  return list.empty() ? std::vector<std::string>() : SplitTopicPatterns(list);
}

}  // namespace

void Permissions::Configure(const std::vector<InputConfig>& inputs) {
  rules_.clear();
  const bool any = std::ranges::any_of(inputs, [](const InputConfig& i) { return !i.allow.empty() || !i.deny.empty(); });
  if (!any) return;
  for (const InputConfig& input : inputs) rules_.push_back({Split(input.allow), Split(input.deny), {}});
}

Permissions::Verdict Permissions::Judge(const Rules& rules, std::string_view topic) {
  const bool is_allowed = rules.allow.empty() || MatchesAny(rules.allow, topic);
  return is_allowed && !MatchesAny(rules.deny, topic) ? Verdict::kAllowed : Verdict::kDenied;
}

}  // namespace dory::intake
