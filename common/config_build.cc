#include "common/config_build.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <span>

#include "common/config_suggest.h"
#include "common/option_table.h"
#include "common/paths.h"
#include "common/text_check.h"
#include "common/topic_pattern.h"

namespace dory {
namespace {

constexpr int64_t kLargestMessage = 100 << 20;
constexpr size_t kMaxErrors = 50;  // that are said; a file that is none at all has thousands
constexpr size_t kMaxShown = 300;  // bytes of a name or a value that is refused

// By Compression. Where nothing is compressed a level does no harm.
struct CodecLevels {
  std::string_view name;
  int32_t highest;  // 0: the default alone
};
constexpr CodecLevels kCodecLevels[] = {{"none", 22}, {"gzip", 9}, {"snappy", 0}, {"lz4", 12}, {"zstd", 22}};

// ---- names -------------------------------------------------------------------------------------

bool IsInputNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

bool IsInputName(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, IsInputNameChar);
}

bool IsTopicName(std::string_view name) {
  return !name.empty() && name.size() <= 249 && name != "." && name != ".." &&
         std::ranges::all_of(name, [](char c) { return c == '.' || IsInputNameChar(c); });
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
    BuildPart(SectionKind::kKafka, &config_.kafka);
    BuildPart(SectionKind::kTls, &config_.kafka.tls);
    BuildPart(SectionKind::kSasl, &config_.kafka.sasl);
    BuildTopics();
    BuildInputs();
    CheckPaths();
    CheckMessageSizes();
    CheckCompressionLevels();
    CheckAutocreateList();
    CheckTls();
    CheckSasl();
    if (!text_.errors.empty()) return JoinErrors();
    return std::move(config_);
  }

 private:
  void AddError(const ConfigPlace& place, std::string text) {
    text_.errors.push_back({place, std::move(text)});
  }

  static std::string Show(const ConfigSection& section) {
    return "[" + Shorten(section.name, kMaxShown) + "]";
  }

  void AddError(const ConfigSection& section, const ConfigLine& line, const std::string& what) {
    AddError(line.place, Show(section) + " " + line.key + " = " + line.value + ": " + what);
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
      SetDefaults(SectionKind::kInput, &input, section.text);
      SetLines(section, &input, &config_.set_in_file);
      config_.inputs.push_back(input);
    }
    if (!config_.inputs.empty()) return;
    values_.name = "datagram";
    config_.inputs.emplace_back().name = values_.name;
    SetDefaults(SectionKind::kInput, &config_.inputs.back(), nullptr);
  }

  // ---- options

  Result<OptionValue> ReadOption(const OptionRow& row, std::string_view text) const {
    const bool expands = row.default_text.find('{') != std::string_view::npos;
    return ParseOption(row, expands ? Expand(text, values_) : std::string(text));
  }

  // A default that does not fit (a path whose run_dir is long) is an error of its section, where
  // that does not say better.
  void SetDefaults(SectionKind kind, void* object, const ConfigSection* section) {
    for (const OptionRow& row : ListOptions()) {
      if (row.section != kind) continue;
      Result<OptionValue> value = ReadOption(row, row.default_text);
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

  static const ConfigLine* FindLine(const ConfigSection& section, std::string_view key) {
    auto found = std::ranges::find(section.lines, key, &ConfigLine::key);
    return found == section.lines.end() ? nullptr : &*found;
  }

  // ---- what options must be together

  // At the line that sets `key`, with what it says; else at the section, else at the end of the file,
  // with the default.
  void AddErrorAt(const std::string& name, std::string_view key, const std::string& value, const std::string& what) {
    auto found = std::ranges::find(text_.sections, name, &ConfigSection::name);
    if (found == text_.sections.end()) {
      const ConfigSection implied{name, {0, text_.last_line}, {}};
      return AddError(implied, {std::string(key), value, implied.place}, what);
    }
    const ConfigLine* line = FindLine(*found, key);
    const ConfigLine implied{std::string(key), value, found->place};
    AddError(*found, line != nullptr ? *line : implied, what);
  }

  static std::string Normalize(const std::string& path) {
    return std::filesystem::path(path).lexically_normal().string();
  }

  void CheckPaths() {
    std::map<std::string, std::string> owners = {
        {Normalize(ControlSocketPath(config_.run_dir)), "the control socket"},
        {Normalize(LockPath(config_.run_dir)), "the lock"},
        {Normalize(PidPath(config_.run_dir)), "the pid file"}};
    if (config_.log_to.starts_with('/')) owners.emplace(Normalize(config_.log_to), "[log] to");
    for (const InputConfig& input : config_.inputs) {
      auto [owner, is_first] = owners.emplace(Normalize(input.path), "[input:" + input.name + "]");
      if (is_first) continue;
      AddErrorAt("input:" + input.name, "path", input.path,
                 "the path of " + owner->second + "; allowed: one of its own");
    }
  }

  void CheckMessageSizes() {
    const int64_t largest = LargestMessage(config_.ring_size, config_.pool_size);
    for (const InputConfig& input : config_.inputs) {
      if (input.max_message_size <= largest) continue;
      const bool by_ring = input.max_message_size > config_.ring_size / 2 - 64;
      const bool by_pool = input.max_message_size > config_.pool_size / 4;
      std::string raise;
      if (by_ring) raise = "[buffer] ring_size (" + FormatSize(config_.ring_size) + ")";
      if (by_ring && by_pool) raise += " and ";
      if (by_pool) raise += "[buffer] pool_size (" + FormatSize(config_.pool_size) + ")";
      AddErrorAt("input:" + input.name, "max_message_size", FormatSize(input.max_message_size),
                 "more than the buffer takes; allowed: at most " + FormatSize(largest) + ", or raise " + raise);
    }
  }

  // [topic:*], and the sections that differ from it in this.
  void CheckCompressionLevels() {
    const TopicConfig& defaults = config_.topic_defaults;
    CheckCompressionLevel("topic:*", defaults);
    for (const auto& [name, topic] : config_.topics) {
      const bool same = topic.compression == defaults.compression &&
                        topic.compression_level == defaults.compression_level;
      if (!same) CheckCompressionLevel("topic:" + name, topic);
    }
  }

  void CheckAutocreateList() {
    for (std::string pattern : SplitTopicPatterns(config_.kafka.topic_autocreate_allow)) {
      const std::string read = pattern;
      if (pattern.ends_with('*')) pattern.back() = 'x';  // what it stands for may be a letter
      if (IsTopicName(pattern)) continue;
      AddErrorAt("kafka", "topic_autocreate_allow", config_.kafka.topic_autocreate_allow,
                 "'" + read + "' is not a name of a topic; allowed: names and beginnings of names that end in "
                 "'*', separated by commas");
    }
  }

  void CheckCompressionLevel(const std::string& section, const TopicConfig& topic) {
    const CodecLevels& codec = kCodecLevels[static_cast<size_t>(topic.compression)];
    if (topic.compression_level <= codec.highest) return;
    AddErrorAt(section, "compression_level", std::to_string(topic.compression_level),
               "a level that " + std::string(codec.name) + " does not have; allowed: default" +
                   (codec.highest > 0 ? ", or 1 to " + std::to_string(codec.highest) : ""));
  }

  // ---- security: who asks for it gets no connection without it, and nothing that is set is left unused

  struct SecurityOption {
    std::string_view key;
    const std::string& value;
    bool wanted;              // by the mechanism, ...
    std::string_view by = {};  // ... or by whom else
  };

  void CheckTls() {
    const TlsConfig& tls = config_.kafka.tls;
    const bool identified = !tls.certificate_file.empty();
    for (const SecurityOption& option : {SecurityOption{"ca_file", tls.ca_file, true},
                                         {"certificate_file", tls.certificate_file, true},
                                         {"key_file", tls.key_file, identified},
                                         {"key_password_file", tls.key_password_file, identified}}) {
      if (option.value.empty()) continue;
      if (!config_.kafka.UsesTls()) {
        AddErrorAt("tls", option.key, option.value,
                   "set, but connections are without TLS; allowed: with [kafka] security_protocol = SSL or SASL_SSL");
      } else if (!option.wanted) {
        AddErrorAt("tls", option.key, option.value, "a key without a certificate; allowed: with certificate_file");
      }
    }
  }

  void CheckSasl() {
    const SaslConfig& sasl = config_.kafka.sasl;
    const OptionRow& row = *FindOption(SectionKind::kSasl, "mechanism");
    const std::string mechanism = FormatOption(row, row.field.get(&sasl));
    if (config_.kafka.UsesSasl() != (sasl.mechanism != SaslMechanism::kNone)) {
      AddErrorAt("sasl", "mechanism", mechanism,
                 config_.kafka.UsesSasl()
                     ? "[kafka] security_protocol asks for one; allowed: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, GSSAPI, "
                       "OAUTHBEARER"
                     : "set, but connections are without SASL; allowed: with [kafka] security_protocol = "
                       "SASL_PLAINTEXT or SASL_SSL");
    }
    const bool token = sasl.mechanism == SaslMechanism::kOauthbearer;
    const bool kerberos = sasl.mechanism == SaslMechanism::kGssapi;
    const bool password = sasl.mechanism != SaslMechanism::kNone && !token && !kerberos;
    CheckSaslOption({"username", sasl.username, password, "PLAIN or SCRAM"}, password, mechanism);
    CheckSaslOption({"password_file", sasl.password_file, password, "PLAIN or SCRAM"}, password, mechanism);
    const bool by_command = token && !sasl.token_command.empty();
    CheckSaslOption({"token_file", sasl.token_file, token, "OAUTHBEARER"}, token && !by_command, mechanism);
    CheckSaslOption({"token_command", sasl.token_command, token, "OAUTHBEARER"}, false, mechanism);
    if (by_command && !sasl.token_file.empty()) {
      AddErrorAt("sasl", "token_command", sasl.token_command, "there is a token_file, too; allowed: one of them");
    }
    CheckSaslOption({"keytab_file", sasl.keytab_file, kerberos, "GSSAPI"}, false, mechanism);
  }

  void CheckSaslOption(const SecurityOption& option, bool needed, const std::string& mechanism) {
    if (option.value.empty() && needed) {
      AddErrorAt("sasl", option.key, "", "empty; allowed: one, since mechanism is " + mechanism);
    } else if (!option.value.empty() && !option.wanted) {
      AddErrorAt("sasl", option.key, option.value,
                 "mechanism " + mechanism + " has no use for it; allowed: with " + std::string(option.by));
    }
  }

  ConfigText text_;
  Config config_;
  std::vector<KnownSection> sections_;
  Placeholders values_;
};

}  // namespace

Result<Config> BuildConfig(ConfigText text) { return Builder(std::move(text)).Build(); }

int64_t LargestMessage(int64_t ring_size, int64_t pool_size) {
  return std::min({ring_size / 2 - 64, pool_size / 4, kLargestMessage});
}

}  // namespace dory
