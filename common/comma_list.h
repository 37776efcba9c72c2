// Lists in the configuration: texts separated by commas, with blanks around them.

#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace dory {

// Of an empty list: one empty text.
inline std::vector<std::string> SplitCommaList(std::string_view list) {
  constexpr std::string_view kBlank = " \t";
  std::vector<std::string> texts;
  for (size_t at = 0; at <= list.size();) {
    const size_t end = std::min(list.find(',', at), list.size());
    std::string_view text = list.substr(at, end - at);
    text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
    text = text.substr(0, text.find_last_not_of(kBlank) + 1);
    texts.emplace_back(text);
    at = end + 1;
  }
  return texts;
}

}  // namespace dory
