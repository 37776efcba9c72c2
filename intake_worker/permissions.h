// Which topics an input's messages may name: [input:NAME] allow and deny.
//
// A verdict is made once for an input and a topic, and kept: nothing is compared for each message. Where no
// input has a list nothing is asked at all.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/config.h"

namespace dory::intake {

class Permissions {
 public:
  // By their index. Those that a reload brings or takes away come or go with a restart.
  void Configure(const std::vector<InputConfig>& inputs);

  bool AreAny() const { return !rules_.empty(); }

  // REQUIRES: AreAny().
  bool Allow(uint32_t input, uint32_t row, std::string_view topic) {
    if (input >= rules_.size()) return true;
    std::vector<Verdict>& verdicts = rules_[input].verdicts;
    if (row >= verdicts.size()) verdicts.resize(row + 1);
    if (verdicts[row] == Verdict::kOpen) verdicts[row] = Judge(rules_[input], topic);
    return verdicts[row] == Verdict::kAllowed;
  }

 private:
  enum class Verdict : uint8_t { kOpen, kAllowed, kDenied };
  struct Rules {
    std::vector<std::string> allow;
    std::vector<std::string> deny;
    std::vector<Verdict> verdicts;  // by topic row
  };

  static Verdict Judge(const Rules& rules, std::string_view topic);

  std::vector<Rules> rules_;  // by input; none where no input has any
};

}  // namespace dory::intake
