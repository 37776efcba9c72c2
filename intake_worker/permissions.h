// Which topics messages may name: allow and deny of [input:NAME], and of [client:NAME].
//
// A verdict is made once for an input or client, and a topic, and kept: nothing is compared for each message.
// Where none of them has a list nothing is asked at all.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/config.h"

namespace dory::intake {

struct TopicLists {
  std::string allow;
  std::string deny;
};

class Permissions {
 public:
  // By whose they are.
  void Configure(const std::vector<TopicLists>& owners);
  // By the input's index. Those that a reload brings or takes away come or go with a restart.
  void Configure(const std::vector<InputConfig>& inputs);

  bool AreAny() const { return !rules_.empty(); }

  // REQUIRES: AreAny().
  bool Allow(uint32_t owner, uint32_t row, std::string_view topic) {
    if (owner >= rules_.size()) return true;
    std::vector<Verdict>& verdicts = rules_[owner].verdicts;
    if (row >= verdicts.size()) verdicts.resize(row + 1);
    if (verdicts[row] == Verdict::kOpen) verdicts[row] = Judge(rules_[owner], topic);
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

  std::vector<Rules> rules_;  // by owner; none where no owner has any
};

}  // namespace dory::intake
