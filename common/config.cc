#include "common/config.h"

#include <glob.h>
#include <ini.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>

#include "common/comma_list.h"
#include "common/config_build.h"
#include "common/config_text.h"
#include "common/text_check.h"

namespace dory {
namespace {

constexpr size_t kMaxFileBytes = 1 << 20;
constexpr size_t kMaxFiles = 1000;
constexpr size_t kMaxShown = 40;  // of a line that is not understood or too long
constexpr std::string_view kBlank = " \t\r";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kUtf16Marks[] = {"\xFF\xFE", "\xFE\xFF"};
constexpr std::string_view kInclude = "include";
constexpr std::string_view kLineForms = "[section], key = value, ; comment";

bool IsBlankOrComment(std::string_view line) {
  return line.empty() || line.front() == ';' || line.front() == '#';
}

std::string_view TrimBlank(std::string_view text) {
  size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

Result<std::string> ReadFile(const std::string& path) {
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  if (!file) return Status::Errno("cannot be opened");
  std::string text(kMaxFileBytes + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get())) return Status::Errno("cannot be read");
  if (text.size() > kMaxFileBytes) return Status::Error("more than 1M is no configuration");
  return text;
}

// Reads one file into a ConfigText.
//
// inih splits the key = value lines and strips their comments. It gives no line numbers, names only
// the first bad line, cuts section names at 49 bytes and long lines in two, and takes an indented
// line for more of the value above. So it is given one line after the other by ReadLine, which
// counts them, reads the sections itself, takes indentation away, hands over nothing that is too
// long, and finds a line bad that had no HandlePair by the time of the next.
class FileReader {
 public:
  struct Include {
    std::string pattern;
    ConfigPlace place;
  };

  FileReader(std::string_view text, size_t file, ConfigText* out)
      : rest_(text), file_(file), out_(out) {
    if (rest_.starts_with(kByteOrderMark)) rest_.remove_prefix(kByteOrderMark.size());
    if (!std::ranges::any_of(kUtf16Marks, [&](auto mark) { return rest_.starts_with(mark); })) return;
    line_ = 1;
    AddError("UTF-16; allowed: UTF-8");
    rest_ = {};
  }

  // The file's includes, in order.
  std::vector<Include> Read() {
    (void)ini_parse_stream(&ReadLine, this, &HandlePair, this);
    return std::move(includes_);
  }

  int last_line() const { return std::max(line_, 1); }

 private:
  enum class Within { kTop, kSection, kBadSection };

  static char* ReadLine(char* buffer, int size, void* reader) {
    return static_cast<FileReader*>(reader)->CopyLine(buffer, static_cast<size_t>(size));
  }

  static int HandlePair(void* reader, const char*, const char* key, const char* value) {
    static_cast<FileReader*>(reader)->AddPair(key, value);
    return 1;
  }

  // The fgets of inih: a key = value line, a blank one for anything else, nullptr at the end.
  char* CopyLine(char* buffer, size_t size) {
    FindUnparsed();
    if (rest_.empty()) return nullptr;
    ++line_;
    std::string_view line = TakeLine();
    if (!IsPairLine(line, size - 1)) line = {};
    handed_ = line;
    line.copy(buffer, line.size());
    buffer[line.size()] = '\0';
    return buffer;
  }

  std::string_view TakeLine() {
    size_t end = rest_.find('\n');
    untrimmed_ = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    return TrimBlank(untrimmed_);
  }

  bool IsPairLine(std::string_view line, size_t most) {
    if (IsBlankOrComment(line)) return false;
    if (BadByte bad; FindBadByte(line, &bad)) {
      AddBadByte(bad, static_cast<size_t>(line.data() - untrimmed_.data()) + bad.offset + 1);
      return false;
    }
    if (line.front() == '[') {
      BeginSection(line);
      return false;
    }
    if (line.size() <= most) return true;
    AddError(Shorten(line, kMaxShown) + ": a line of " + std::to_string(line.size()) +
             " bytes; allowed: at most " + std::to_string(most));
    return false;
  }

  void AddBadByte(const BadByte& bad, size_t column) {
    char value[8];
    std::snprintf(value, sizeof(value), "0x%02X", bad.value);
    AddError("byte " + std::string(value) + " in column " + std::to_string(column) + ": " + bad.what +
             "; allowed: UTF-8 text without control characters");
  }

  void AddNotUnderstood(std::string_view line) {
    AddError(Shorten(line, kMaxShown) + ": not understood; allowed: " + std::string(kLineForms));
  }

  void FindUnparsed() {
    if (handed_.empty()) return;
    AddNotUnderstood(handed_);
    handed_ = {};
  }

  void BeginSection(std::string_view line) {
    size_t end = line.find(']');
    if (end == std::string_view::npos || !IsBlankOrComment(TrimBlank(line.substr(end + 1)))) {
      within_ = Within::kBadSection;
      return AddNotUnderstood(line);
    }
    within_ = Within::kSection;
    out_->sections.push_back({std::string(line.substr(1, end - 1)), Here(), {}});
  }

  void AddPair(std::string_view key, std::string_view value) {
    if (key.empty()) return;  // "= value": FindUnparsed's
    handed_ = {};
    const bool within_dory = within_ == Within::kSection && out_->sections.back().name == "dory";
    if (key == kInclude && (within_ == Within::kTop || within_dory)) {
      includes_.push_back({std::string(value), Here()});
    } else if (within_ == Within::kSection) {
      out_->sections.back().lines.push_back({std::string(key), std::string(value), Here()});
    } else if (within_ == Within::kTop) {
      AddError(std::string(key) + " = " + std::string(value) +
               ": stands before the first section; allowed: include = FILES");
    }
  }

  ConfigPlace Here() const { return {file_, line_}; }
  void AddError(std::string text) { out_->errors.push_back({Here(), std::move(text)}); }

  std::string_view rest_;
  std::string_view untrimmed_;  // the line as it stands in the file
  std::string_view handed_;  // the line that inih has, until HandlePair was called for it
  int line_ = 0;
  Within within_ = Within::kTop;
  size_t file_;
  ConfigText* out_;
  std::vector<Include> includes_;
};

// The files that a pattern names, in the order of their names. Without a wildcard: the file itself,
// whether it exists or not.
std::vector<std::string> ListMatches(const std::string& pattern) {
  if (pattern.find_first_of("*?[") == std::string::npos) return {pattern};
  std::vector<std::string> paths;
  glob_t found{};
  if (glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0) {
    paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  }
  globfree(&found);
  std::ranges::sort(paths);
  return paths;
}

// Reads a file and all that it includes into one ConfigText, each file after the one that names it.
class TreeReader {
 public:
  ConfigText Read(std::string_view text, const std::string& name) {
    ReadText(text, name);
    return std::move(text_);
  }

 private:
  void ReadText(std::string_view text, const std::string& name) {
    const size_t file = text_.files.size();
    text_.files.push_back(name);
    open_.push_back(std::filesystem::weakly_canonical(name, ignored_));
    FileReader reader(text, file, &text_);
    std::vector<FileReader::Include> includes = reader.Read();
    if (file == 0) text_.last_line = reader.last_line();
    for (const FileReader::Include& include : includes) ReadIncluded(include, name);
    open_.pop_back();
  }

  void ReadIncluded(const FileReader::Include& include, const std::string& from) {
    if (include.pattern.empty()) {
      return AddError(include, "empty; allowed: a file, or a pattern such as conf.d/*.conf");
    }
    const std::filesystem::path folder = std::filesystem::path(from).parent_path();
    for (const std::string& path : ListMatches((folder / include.pattern).string())) {
      const std::filesystem::path canonical = std::filesystem::weakly_canonical(path, ignored_);
      if (std::ranges::find(open_, canonical) != open_.end()) {
        AddError(include, path + " includes itself; allowed: files that do not lead back");
        continue;
      }
      if (text_.files.size() == kMaxFiles) return AddTooMany(include);
      Result<std::string> text = ReadFile(path);
      if (text.ok()) {
        ReadText(text.value(), path);
      } else {
        AddError(include, path + " " + text.status().message() + "; allowed: a readable file");
      }
    }
  }

  // Once: whoever else includes something is read no further either.
  void AddTooMany(const FileReader::Include& include) {
    if (std::exchange(too_many_, true)) return;
    AddError(include, "one file more than " + std::to_string(kMaxFiles) + "; allowed: at most so many");
  }

  void AddError(const FileReader::Include& include, const std::string& what) {
    text_.errors.push_back({include.place, "include = " + include.pattern + ": " + what});
  }

  ConfigText text_;
  std::vector<std::filesystem::path> open_;  // the files we are within
  bool too_many_ = false;
  std::error_code ignored_;
};

}  // namespace

bool Config::RejectsWhenFull(uint32_t lane) const {
  return when_full == WhenFull::kReject || std::ranges::count(SplitCommaList(reject_lanes), std::to_string(lane)) > 0;
}

Result<Config> LoadConfig(const std::string& path) {
  Result<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status().Context(path);
  return ParseConfigText(text.value(), path);
}

Result<Config> ParseConfigText(std::string_view text, const std::string& name) {
  return BuildConfig(TreeReader().Read(text, name));
}

}  // namespace dory
