#include "common/config_change.h"

#include <algorithm>
#include <set>

#include "common/option_table.h"

namespace dory {
namespace {

class Comparison {
 public:
  Comparison(const Config& running, const Config& fresh) : running_(running), fresh_(fresh) {}

  std::vector<ConfigChange> Make() {
    for (const SectionRow& section : ListSections()) {
      if (section.kind == SectionKind::kInput) {
        CompareInputs();
      } else if (section.kind == SectionKind::kTopic) {
        CompareTopics();
      } else if (section.kind == SectionKind::kClient) {
        CompareClients();
      } else {
        CompareSection(section, "", GetObject(section.kind, running_), GetObject(section.kind, fresh_));
      }
    }
    return std::move(changes_);
  }

 private:
  static const void* GetObject(SectionKind kind, const Config& config) {
    switch (kind) {
      case SectionKind::kKafka: return &config.kafka;
      case SectionKind::kTls: return &config.kafka.tls;
      case SectionKind::kSasl: return &config.kafka.sasl;
      default: return &config;
    }
  }

  void CompareSection(const SectionRow& section, const std::string& name, const void* before, const void* after) {
    for (const OptionRow& row : ListOptions()) {
      if (row.section != section.kind) continue;
      std::string from = FormatOption(row, row.field.get(before));
      std::string to = FormatOption(row, row.field.get(after));
      if (from == to) continue;
      changes_.push_back({NameSection(section, name), std::string(row.key), std::move(from), std::move(to),
                          (row.flags & kReload) != 0});
    }
  }

  static std::string NameSection(const SectionRow& section, const std::string& name) {
    return "[" + std::string(section.prefix) + name + "]";
  }

  void CompareTopics() {
    const SectionRow& section = GetSection(SectionKind::kTopic);
    CompareSection(section, "*", &running_.topic_defaults, &fresh_.topic_defaults);
    std::set<std::string> names;
    for (const auto& [name, topic] : running_.topics) names.insert(name);
    for (const auto& [name, topic] : fresh_.topics) names.insert(name);
    for (const std::string& name : names) {
      CompareSection(section, name, &running_.ForTopic(name), &fresh_.ForTopic(name));
    }
  }

  // A section that is not there limits nobody.
  void CompareClients() {
    std::set<std::string> names;
    for (const auto& [name, client] : running_.clients) names.insert(name);
    for (const auto& [name, client] : fresh_.clients) names.insert(name);
    for (const std::string& name : names) {
      const auto before = running_.clients.find(name);
      const auto after = fresh_.clients.find(name);
      const ClientConfig none;
      CompareSection(GetSection(SectionKind::kClient), name, before == running_.clients.end() ? &none : &before->second,
                     after == fresh_.clients.end() ? &none : &after->second);
    }
  }

  static const InputConfig* FindInput(const Config& config, const std::string& name) {
    for (const InputConfig& input : config.inputs) {
      if (input.name == name) return &input;
    }
    return nullptr;
  }

  static std::string ShowPlace(const InputConfig& input) {
    return input.IsUnix() ? input.path : "port " + std::to_string(input.port);
  }

  void CompareInputs() {
    const SectionRow& section = GetSection(SectionKind::kInput);
    for (const InputConfig& input : running_.inputs) {
      if (const InputConfig* const after = FindInput(fresh_, input.name)) {
        CompareSection(section, input.name, &input, after);
      } else {
        changes_.push_back({NameSection(section, input.name), "", ShowPlace(input), "none", false});
      }
    }
    for (const InputConfig& input : fresh_.inputs) {
      if (FindInput(running_, input.name) != nullptr) continue;
      changes_.push_back({NameSection(section, input.name), "", "none", ShowPlace(input), false});
    }
  }

  const Config& running_;
  const Config& fresh_;
  std::vector<ConfigChange> changes_;
};

void* GetWritableObject(FieldOwner owner, Config* config) {
  switch (owner) {
    case FieldOwner::kConfig: return config;
    case FieldOwner::kKafka: return &config->kafka;
    case FieldOwner::kTls: return &config->kafka.tls;
    case FieldOwner::kSasl: return &config->kafka.sasl;
    default: return nullptr;
  }
}

// Of those that were there before.
void ApplyLiveOptionsOfInputs(const Config& fresh, Config* merged) {
  for (InputConfig& input : merged->inputs) {
    const auto found = std::ranges::find(fresh.inputs, input.name, &InputConfig::name);
    if (found == fresh.inputs.end()) continue;
    for (const OptionRow& row : ListOptions()) {
      const bool is_live = row.field.owner == FieldOwner::kInput && (row.flags & kReload) != 0;
      if (is_live) row.field.set(&input, row.field.get(&*found));
    }
  }
}

}  // namespace

std::vector<ConfigChange> CompareConfigs(const Config& running, const Config& fresh) {
  return Comparison(running, fresh).Make();
}

std::string DescribeChange(const ConfigChange& change) {
  const auto show = [](const std::string& text) { return text.empty() ? std::string("empty") : text; };
  return change.section + (change.key.empty() ? "" : " " + change.key) + ": " + show(change.from) + " -> " +
         show(change.to);
}

Config ApplyLiveOptions(const Config& running, const Config& fresh) {
  Config merged = running;
  Config source = fresh;
  for (const OptionRow& row : ListOptions()) {
    void* const to = GetWritableObject(row.field.owner, &merged);
    if (to == nullptr || (row.flags & kReload) == 0) continue;
    row.field.set(to, row.field.get(GetWritableObject(row.field.owner, &source)));
  }
  ApplyLiveOptionsOfInputs(fresh, &merged);
  merged.topic_defaults = fresh.topic_defaults;
  merged.topics = fresh.topics;
  merged.clients = fresh.clients;
  merged.set_in_file = fresh.set_in_file;
  return merged;
}

}  // namespace dory
