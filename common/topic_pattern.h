// Names of topics, and patterns of them in the configuration: names, and beginnings of names that end in '*'.

#pragma once

#include <algorithm>
#include <string_view>

namespace dory {

// What Kafka allows.
inline bool IsTopicName(std::string_view name) {
  return !name.empty() && name.size() <= 249 && name != "." && name != ".." && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

inline bool MatchesTopicPattern(std::string_view pattern, std::string_view name) {
  if (!pattern.ends_with('*')) return pattern == name;
  return name.starts_with(pattern.substr(0, pattern.size() - 1));
}

}  // namespace dory
