// Names of topics, and lists of them in the configuration: names, and beginnings of names that end in '*',
// separated by commas.

#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace dory {

// What Kafka allows.
inline bool IsTopicName(std::string_view name) {
  return !name.empty() && name.size() <= 249 && name != "." && name != ".." && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

inline std::vector<std::string> SplitTopicPatterns(std::string_view list) {
  constexpr std::string_view kBlank = " \t";
  std::vector<std::string> patterns;
  for (size_t at = 0; at <= list.size();) {
    const size_t end = std::min(list.find(',', at), list.size());
    std::string_view pattern = list.substr(at, end - at);
    pattern.remove_prefix(std::min(pattern.find_first_not_of(kBlank), pattern.size()));
    pattern = pattern.substr(0, pattern.find_last_not_of(kBlank) + 1);
    patterns.emplace_back(pattern);
    at = end + 1;
  }
  return patterns;
}

inline bool MatchesTopicPattern(std::string_view pattern, std::string_view name) {
  if (!pattern.ends_with('*')) return pattern == name;
  return name.starts_with(pattern.substr(0, pattern.size() - 1));
}

}  // namespace dory
