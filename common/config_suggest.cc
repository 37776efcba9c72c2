#include "common/config_suggest.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace dory {
namespace {

// Levenshtein's.
size_t CountEdits(std::string_view left, std::string_view right) {
  std::vector<size_t> row(right.size() + 1);
  for (size_t j = 0; j <= right.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= left.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= right.size(); ++j) {
      size_t changed = diagonal + (left[i - 1] == right[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({changed, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row.back();
}

// As it is compared: people write Ring-Size.
std::string Fold(std::string_view name) {
  std::string folded(name);
  for (char& c : folded) {
    if (c == '-') c = '_';
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return folded;
}

// The one of `known` that `read` is most likely to be; empty: none is near.
class Nearest {
 public:
  explicit Nearest(std::string_view read) : read_(Fold(read)) {}

  void Try(std::string_view known, std::string_view shown) {
    if (read_.size() > known.size() + kMostEdits) return;  // also bounds the work
    const size_t edits = CountEdits(read_, known);
    if (edits >= known.size() || edits >= edits_) return;
    edits_ = edits;
    shown_ = shown;
  }

  std::string_view shown() const { return shown_; }

 private:
  static constexpr size_t kMostEdits = 2;

  std::string read_;
  size_t edits_ = kMostEdits + 1;
  std::string_view shown_;
};

// "; did you mean X; allowed: X, Y", the first part only where there is one.
std::string Suggest(std::string_view hint, const std::vector<std::string_view>& known) {
  std::string text(hint);
  std::string_view separator = "; allowed: ";
  for (std::string_view name : known) {
    text.append(separator).append(name);
    separator = ", ";
  }
  return text;
}

std::string AskFor(const Nearest& nearest) {
  return nearest.shown().empty() ? "" : "; did you mean " + std::string(nearest.shown());
}

}  // namespace

std::string SuggestSection(std::string_view name) {
  Nearest nearest(name.substr(0, name.find(':')));
  std::vector<std::string_view> known;
  for (const SectionRow& row : ListSections()) {
    known.push_back(row.shown);
    nearest.Try(row.prefix.substr(0, row.prefix.find(':')), row.shown);
  }
  return Suggest(AskFor(nearest), known);
}

std::string SuggestKey(SectionKind kind, std::string_view key) {
  Nearest nearest(key);
  std::string elsewhere;
  std::vector<std::string_view> known;
  for (const OptionRow& row : ListOptions()) {
    if (row.section == kind) {
      known.push_back(row.key);
      nearest.Try(row.key, row.key);
    } else if (row.key == key) {
      elsewhere += elsewhere.empty() ? "; it stands in " : " and ";
      elsewhere += GetSection(row.section).shown;
    }
  }
  return Suggest(elsewhere.empty() ? AskFor(nearest) : elsewhere, known);
}

}  // namespace dory
