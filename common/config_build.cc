#include "common/config_build.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "common/config_suggest.h"
#include "common/config_together.h"
#include "common/option_table.h"
#include "common/text_check.h"
#include "common/topic_pattern.h"

namespace dory {
namespace {

constexpr size_t kMaxErrors = 50;  // that are said; a file that is none at all has thousands

// ---- names -------------------------------------------------------------------------------------

bool IsInputNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

bool IsInputName(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, IsInputNameChar);
}

std::string ReadHostName() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

// ---- the building ------------------------------------------------------------------------------

// A section whose kind is known and whose name is sound.
struct KnownSection {
  const SectionRow* row;
  std::string name;  // behind the prefix
  const ConfigSection* text;
};

// The values that texts with {host}, {instance}, {run_dir} and {name} take.
struct Placeholders {
  std::string host;
  std::string instance;
  std::string run_dir;
  std::string name;
};

std::string Expand(std::string_view text, const Placeholders& values) {
  const std::pair<std::string_view, std::string_view> list[] = {{"{host}", values.host},
                                                                {"{instance}", values.instance},
                                                                {"{run_dir}", values.run_dir},
                                                                {"{name}", values.name}};
  std::string expanded;
  while (!text.empty()) {
    auto found =
        std::ranges::find_if(list, [&](auto& pair) { return text.starts_with(pair.first); });
    if (found == std::end(list)) {
      expanded += text.front();
      text.remove_prefix(1);
    } else {
      expanded += found->second;
      text.remove_prefix(found->first.size());
    }
  }
  return expanded;
}

// Builds one Config. An error is noted and the option stays at its default, so that every error of
// the file is found.
class Builder {
 public:
  explicit Builder(ConfigText text) : text_(std::move(text)) {}

  Result<Config> Build() {
    IdentifySections();
    BuildPart(SectionKind::kDory, &config_);
    values_ = {ReadHostName(), config_.instance, config_.run_dir, ""};
    BuildPart(SectionKind::kBuffer, &config_);
    BuildPart(SectionKind::kLog, &config_);
    BuildPart(SectionKind::kHttp, &config_);
    BuildPart(SectionKind::kDiscardReport, &config_);
    BuildPart(SectionKind::kDiscardLog, &config_);
    BuildPart(SectionKind::kKafka, &config_.kafka);
    BuildPart(SectionKind::kTls, &config_.kafka.tls);
    BuildPart(SectionKind::kSasl, &config_.kafka.sasl);
    BuildTopics();
    BuildInputs();
    BuildClients();
    CheckTogether(&text_, &config_);
    if (!text_.errors.empty()) return JoinErrors();
    return std::move(config_);
  }

 private:
  void AddError(const ConfigPlace& place, std::string text) {
    text_.errors.push_back({place, std::move(text)});
  }

  static std::string Show(const ConfigSection& section) { return ShowSection(section); }

  void AddError(const ConfigSection& section, const ConfigLine& line, const std::string& what) {
    AddLineError(&text_, section, line, what);
  }

  Status JoinErrors() {
    std::ranges::stable_sort(text_.errors, {}, [](const ConfigError& error) {
      return std::pair(error.place.file, error.place.line);
    });
    std::string joined;
    const size_t shown = std::min(text_.errors.size(), kMaxErrors);
    for (const ConfigError& error : std::span(text_.errors).first(shown)) {
      joined += (joined.empty() ? "" : "\n") + FormatPlace(text_, error.place) + ": " + error.text;
    }
    if (const size_t more = text_.errors.size() - shown; more > 0) {
      joined += "\n" + text_.files[0] + ": and " + std::to_string(more) + " more";
    }
    return Status::Error(joined);
  }

  // ---- sections

  void IdentifySections() {
    for (const ConfigSection& section : text_.sections) IdentifySection(section);
  }

  void IdentifySection(const ConfigSection& section) {
    for (const SectionRow& row : ListSections()) {
      const bool named = row.prefix.ends_with(':');
      if (named ? !section.name.starts_with(row.prefix) : section.name != row.prefix) continue;
      std::string name = section.name.substr(row.prefix.size());
      if (CheckSectionName(section, row.kind, name)) sections_.push_back({&row, name, &section});
      return;
    }
    AddError(section.place, Show(section) + ": unknown section" + SuggestSection(section.name));
  }

  bool CheckSectionName(const ConfigSection& section, SectionKind kind, std::string_view name) {
    const std::string read = Show(section) + ": ";
    if (kind == SectionKind::kInput && !IsInputName(name)) {
      AddError(section.place, read + "not a name; allowed: letters, digits, '_' and '-'");
      return false;
    }
    if (kind == SectionKind::kClient && name != "*" && !IsInputName(name)) {
      AddError(section.place, read + "not a name; allowed: *, or letters, digits, '_' and '-'");
      return false;
    }
    if (kind == SectionKind::kTopic && name != "*" && !IsTopicName(name)) {
      AddError(section.place, read + "not a name of a topic; allowed: *, or 1 to 249 letters, "
                                     "digits, '.', '_' and '-', not '.' or '..'");
      return false;
    }
    return true;
  }

  // Whether it is the first of its name; else that is noted.
  bool CheckFirst(const KnownSection& section) {
    auto first = std::ranges::find(sections_, section.text->name,
                                   [](const KnownSection& known) { return known.text->name; });
    if (first->text == section.text) return true;
    AddError(section.text->place, Show(*section.text) + ": stands already at " +
                                      FormatPlace(text_, first->text->place) + "; allowed: once");
    return false;
  }

  // A section without a name: its defaults, then what the file says.
  template <typename Part>
  void BuildPart(SectionKind kind, Part* part) {
    SetDefaults(kind, part, nullptr);
    const ConfigSection* found = nullptr;
    for (const KnownSection& section : sections_) {
      if (section.row->kind != kind) continue;
      if (CheckFirst(section)) {
        found = section.text;
        SetLines(section, part, &config_.set_in_file);
      } else {
        CheckLines(section, *part);
      }
    }
    CheckRequired(kind, found);
  }

  void BuildTopics() {
    SetDefaults(SectionKind::kTopic, &config_.topic_defaults, nullptr);
    for (const KnownSection& section : sections_) {
      if (section.row->kind != SectionKind::kTopic || section.name != "*") continue;
      if (CheckFirst(section)) SetLines(section, &config_.topic_defaults, &config_.set_in_file);
      else CheckLines(section, TopicConfig{});
    }
    for (const KnownSection& section : sections_) {
      if (section.row->kind != SectionKind::kTopic || section.name == "*") continue;
      TopicConfig topic = config_.topic_defaults;
      if (!CheckFirst(section)) {
        CheckLines(section, topic);
        continue;
      }
      SetLines(section, &topic, &config_.set_in_file);
      config_.topics.emplace(section.name, topic);
    }
  }

  void BuildInputs() {
    for (const KnownSection& section : sections_) {
      if (section.row->kind != SectionKind::kInput) continue;
      values_.name = section.name;
      InputConfig input;
      input.name = section.name;
      if (!CheckFirst(section)) {
        CheckLines(section, input);
        continue;
      }
      const std::optional<InputType> type = ReadType(*section.text);
      SetDefaults(SectionKind::kInput, &input, section.text, type.value_or(InputType::kUnixDatagram));
      SetLines(section, &input, &config_.set_in_file);
      if (type) CheckUses(*section.text, &input);
      config_.inputs.push_back(input);
    }
    if (!config_.inputs.empty()) return;
    values_.name = "datagram";
    config_.inputs.emplace_back().name = values_.name;
    SetDefaults(SectionKind::kInput, &config_.inputs.back(), nullptr);
  }

  void BuildClients() {
    ClientConfig others;
    SetDefaults(SectionKind::kClient, &others, nullptr);
    for (const KnownSection& section : sections_) {
      if (section.row->kind == SectionKind::kClient && section.name == "*") BuildClient(section, &others);
    }
    for (const KnownSection& section : sections_) {
      if (section.row->kind != SectionKind::kClient || section.name == "*") continue;
      ClientConfig client = others;
      const bool has_lists = FindLine(*section.text, "allow") != nullptr || FindLine(*section.text, "deny") != nullptr;
      if (has_lists) client.allow = client.deny = "";
      client.uid = client.user = "";
      if (BuildClient(section, &client)) config_.clients.emplace(section.name, client);
    }
    // One that limits nobody is none.
    if (others != ClientConfig{}) config_.clients.emplace("*", others);
  }

  bool BuildClient(const KnownSection& section, ClientConfig* client) {
    const bool is_first = CheckFirst(section);
    if (is_first) SetLines(section, client, &config_.set_in_file);
    else CheckLines(section, *client);
    return is_first;
  }

  // Before all else of an input; nothing where the file says what is none.
  static std::optional<InputType> ReadType(const ConfigSection& section) {
    const OptionRow& row = *FindOption(SectionKind::kInput, "type");
    const ConfigLine* const line = FindLine(section, row.key);
    const Result<OptionValue> type = ParseOption(row, line != nullptr ? line->value : row.default_text);
    if (!type.ok()) return std::nullopt;
    return static_cast<InputType>(std::get<int64_t>(type.value()));
  }

  // What the type has no use for may stand there with its default, which is nothing then.
  void CheckUses(const ConfigSection& section, InputConfig* input) {
    const InputConfig nothing;
    for (const OptionRow& row : ListOptions()) {
      if (row.section != SectionKind::kInput || AppliesTo(row, input->type)) continue;
      const ConfigLine* const line = FindLine(section, row.key);
      if (line != nullptr && line->value != row.default_text) {
        AddError(section, *line, "type " + NameType(input->type) + " has no use for it; allowed: with type = " +
                                     ListTypes(row));
      }
      row.field.set(input, row.field.get(&nothing));
    }
    const ConfigLine* const port = FindLine(section, "port");
    if (input->type != InputType::kTcp || (port != nullptr && port->value != "none")) return;
    AddError(section, port != nullptr ? *port : ConfigLine{"port", "none", section.place},
             "type tcp needs one; allowed: 1 to 65535");
  }

  static std::string NameType(InputType type) {
    return FormatOption(*FindOption(SectionKind::kInput, "type"), OptionValue(static_cast<int64_t>(type)));
  }

  static std::string ListTypes(const OptionRow& row) {
    std::string list;
    for (const InputType type : {InputType::kUnixDatagram, InputType::kUnixStream, InputType::kTcp}) {
      if (AppliesTo(row, type)) list += (list.empty() ? "" : " or ") + NameType(type);
    }
    return list;
  }

  // ---- options

  Result<OptionValue> ReadOption(const OptionRow& row, std::string_view text) const {
    const bool expands = row.default_text.find('{') != std::string_view::npos;
    return ParseOption(row, expands ? Expand(text, values_) : std::string(text));
  }

  // A default that does not fit (a path whose run_dir is long) is an error of its section, where
  // that does not say better.
  void SetDefaults(SectionKind kind, void* object, const ConfigSection* section,
                   InputType type = InputType::kUnixDatagram) {
    for (const OptionRow& row : ListOptions()) {
      if (row.section != kind || !AppliesTo(row, type)) continue;
      Result<OptionValue> value = ReadOption(row, GetDefault(row, type));
      if (value.ok()) {
        row.field.set(object, value.value());
      } else if (section != nullptr && FindLine(*section, row.key) == nullptr) {
        const std::string read = Expand(row.default_text, values_);
        AddError(*section, {std::string(row.key), read, section->place},
                 value.status().message() + "; allowed: " + DescribeAllowed(row));
      }
    }
  }

  void SetLines(const KnownSection& section, void* object,
                std::set<std::pair<std::string, std::string>>* set_in_file) {
    for (const ConfigLine& line : section.text->lines) {
      const OptionRow* row = FindOption(section.row->kind, line.key);
      if (row == nullptr) {
        AddError(*section.text, HideSecret(section, line), "unknown option" + SuggestKey(section.row->kind, line.key));
      } else if (const ConfigLine* first = FindLine(*section.text, line.key); first != &line) {
        AddError(*section.text, line, "set already at " + FormatPlace(text_, first->place) +
                                          "; allowed: once");
      } else if (Result<OptionValue> value = ReadOption(*row, line.value); !value.ok()) {
        AddError(*section.text, line,
                 value.status().message() + "; allowed: " + DescribeAllowed(*row));
      } else {
        row->field.set(object, value.value());
        set_in_file->emplace(section.text->name, line.key);
      }
    }
  }

  // Who writes password = ... here has no such option, and finds it in no log.
  static ConfigLine HideSecret(const KnownSection& section, ConfigLine line) {
    if (section.row->kind == SectionKind::kTls || section.row->kind == SectionKind::kSasl) line.value = "(not shown)";
    return line;
  }

  // The lines' errors alone, for a section that is refused as a whole.
  template <typename Part>
  void CheckLines(const KnownSection& section, Part scratch) {
    std::set<std::pair<std::string, std::string>> ignored;
    SetLines(section, &scratch, &ignored);
  }

  void CheckRequired(SectionKind kind, const ConfigSection* section) {
    for (const OptionRow& row : ListOptions()) {
      if (row.section != kind || (row.flags & kRequired) == 0) continue;
      if (section != nullptr && FindLine(*section, row.key) != nullptr) continue;
      AddError(section != nullptr ? section->place : ConfigPlace{0, text_.last_line},
               std::string(GetSection(kind).shown) + " " + std::string(row.key) +
                   ": missing; allowed: " + DescribeAllowed(row));
    }
  }

  ConfigText text_;
  Config config_;
  std::vector<KnownSection> sections_;
  Placeholders values_;
};

}  // namespace

Result<Config> BuildConfig(ConfigText text) { return Builder(std::move(text)).Build(); }

}  // namespace dory
