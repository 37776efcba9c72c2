#include "common/config_together.h"

#include <algorithm>
#include <filesystem>

#include "common/comma_list.h"
#include "common/config_clients.h"
#include "common/option_table.h"
#include "common/paths.h"
#include "common/topic_pattern.h"

namespace dory {
namespace {

constexpr int64_t kLargestMessage = 100 << 20;

// By Compression. Where nothing is compressed a level does no harm.
struct CodecLevels {
  std::string_view name;
  int32_t highest;  // 0: the default alone
};
constexpr CodecLevels kCodecLevels[] = {{"none", 22}, {"gzip", 9}, {"snappy", 0}, {"lz4", 12}, {"zstd", 22}};

class Together {
 public:
  Together(ConfigText* text, Config* config) : text_(text), config_(config) {}

  void Check() {
    CheckPaths();
    CheckPorts();
    CheckLanes();
    CheckMessageSizes();
    CheckCompressionLevels();
    CheckTopicLists();
    CheckTls();
    CheckSasl();
    ResolveClients(text_, config_);
  }

 private:
  // At the line that sets `key`, with what it says; else at the section, else at the end of the file,
  // with the default.
  void AddErrorAt(const std::string& name, std::string_view key, const std::string& value, const std::string& what) {
    auto found = std::ranges::find(text_->sections, name, &ConfigSection::name);
    if (found == text_->sections.end()) {
      const ConfigSection implied{name, {0, text_->last_line}, {}};
      return AddLineError(text_, implied, {std::string(key), value, implied.place}, what);
    }
    const ConfigLine* line = FindLine(*found, key);
    const ConfigLine implied{std::string(key), value, found->place};
    AddLineError(text_, *found, line != nullptr ? *line : implied, what);
  }

  static std::string Normalize(const std::string& path) {
    return std::filesystem::path(path).lexically_normal().string();
  }

  void CheckPaths() {
    std::map<std::string, std::string> owners = {
        {Normalize(ControlSocketPath(config_->run_dir)), "the control socket"},
        {Normalize(LockPath(config_->run_dir)), "the lock"},
        {Normalize(PidPath(config_->run_dir)), "the pid file"}};
    if (config_->log_to.starts_with('/')) owners.emplace(Normalize(config_->log_to), "[log] to");
    if (const std::string& path = config_->discard_log_path; !path.empty()) {
      const auto [owner, is_first] = owners.emplace(Normalize(path), "[discard_log] path");
      if (!is_first) AddErrorAt("discard_log", "path", path, "the path of " + owner->second + "; allowed: one of its own");
    }
    for (const InputConfig& input : config_->inputs) {
      if (!input.IsUnix()) continue;
      auto [owner, is_first] = owners.emplace(Normalize(input.path), "[input:" + input.name + "]");
      if (is_first) continue;
      AddErrorAt("input:" + input.name, "path", input.path,
                 "the path of " + owner->second + "; allowed: one of its own");
    }
  }

  void CheckPorts() {
    std::map<std::string, std::string> owners;
    if (config_->http_listen.port != 0) owners.emplace(FormatHostPort(config_->http_listen), "[http]");
    for (const InputConfig& input : config_->inputs) {
      if (input.port == 0) continue;
      const std::string section = "input:" + input.name;
      for (const std::string& address : input.bind) {
        const std::string place = FormatHostPort({address, static_cast<uint16_t>(input.port)});
        auto [owner, is_first] = owners.emplace(place, "[" + section + "]");
        if (is_first) continue;
        AddErrorAt(section, "port", std::to_string(input.port),
                   place + " is where " + owner->second + " listens; allowed: a port of its own");
        break;
      }
    }
  }

  void CheckLanes() {
    for (const InputConfig& input : config_->inputs) {
      if (input.lane < config_->lanes) continue;
      AddErrorAt("input:" + input.name, "lane", std::to_string(input.lane),
                 "there is no such lane; allowed: 0 to " + std::to_string(config_->lanes - 1) +
                     ", or raise [buffer] lanes (" + std::to_string(config_->lanes) + ")");
    }
    if (config_->reject_lanes.empty()) return;
    for (const std::string& lane : SplitCommaList(config_->reject_lanes)) {
      if (IsLane(lane)) continue;
      AddErrorAt("buffer", "reject_lanes", config_->reject_lanes,
                 "'" + lane + "' is no lane; allowed: 0 to " + std::to_string(config_->lanes - 1) +
                     ", separated by commas");
    }
  }

  bool IsLane(const std::string& text) const {
    for (int32_t lane = 0; lane < config_->lanes; ++lane) {
      if (text == std::to_string(lane)) return true;
    }
    return false;
  }

  // The default of streams is for the default buffer: it shrinks to what a smaller one takes.
  void CheckMessageSizes() {
    const int64_t largest = LargestMessage(config_->ring_size, config_->pool_size);
    for (InputConfig& input : config_->inputs) {
      if (input.max_message_size <= largest) continue;
      if (!config_->IsSet("input:" + input.name, "max_message_size")) {
        input.max_message_size = largest;
        continue;
      }
      const bool by_ring = input.max_message_size > config_->ring_size / 2 - 64;
      const bool by_pool = input.max_message_size > config_->pool_size / 4;
      std::string raise;
      if (by_ring) raise = "[buffer] ring_size (" + FormatSize(config_->ring_size) + ")";
      if (by_ring && by_pool) raise += " and ";
      if (by_pool) raise += "[buffer] pool_size (" + FormatSize(config_->pool_size) + ")";
      AddErrorAt("input:" + input.name, "max_message_size", FormatSize(input.max_message_size),
                 "more than the buffer takes; allowed: at most " + FormatSize(largest) + ", or raise " + raise);
    }
  }

  // [topic:*], and the sections that differ from it in this.
  void CheckCompressionLevels() {
    const TopicConfig& defaults = config_->topic_defaults;
    CheckCompressionLevel("topic:*", defaults);
    for (const auto& [name, topic] : config_->topics) {
      const bool same = topic.compression == defaults.compression &&
                        topic.compression_level == defaults.compression_level;
      if (!same) CheckCompressionLevel("topic:" + name, topic);
    }
  }

  void CheckTopicLists() {
    CheckTopicList("kafka", "topic_autocreate_allow", config_->kafka.topic_autocreate_allow);
    for (const InputConfig& input : config_->inputs) {
      if (!input.allow.empty()) CheckTopicList("input:" + input.name, "allow", input.allow);
      if (!input.deny.empty()) CheckTopicList("input:" + input.name, "deny", input.deny);
    }
    for (const auto& [name, client] : config_->clients) {
      if (!client.allow.empty()) CheckClientsTopics(name, "allow", client.allow);
      if (!client.deny.empty()) CheckClientsTopics(name, "deny", client.deny);
    }
  }

  // What a section takes from [client:*] is said there.
  void CheckClientsTopics(const std::string& name, const char* key, const std::string& list) {
    const std::string section = "client:" + name;
    if (config_->IsSet(section, key)) CheckTopicList(section, key, list);
  }

  void CheckTopicList(const std::string& section, const char* key, const std::string& list) {
    for (std::string pattern : SplitCommaList(list)) {
      const std::string read = pattern;
      if (pattern.ends_with('*')) pattern.back() = 'x';  // what it stands for may be a letter
      if (IsTopicName(pattern)) continue;
      AddErrorAt(section, key, list,
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
    const TlsConfig& tls = config_->kafka.tls;
    const bool identified = !tls.certificate_file.empty();
    for (const SecurityOption& option : {SecurityOption{"ca_file", tls.ca_file, true},
                                         {"certificate_file", tls.certificate_file, true},
                                         {"key_file", tls.key_file, identified},
                                         {"key_password_file", tls.key_password_file, identified}}) {
      if (option.value.empty()) continue;
      if (!config_->kafka.UsesTls()) {
        AddErrorAt("tls", option.key, option.value,
                   "set, but connections are without TLS; allowed: with [kafka] security_protocol = SSL or SASL_SSL");
      } else if (!option.wanted) {
        AddErrorAt("tls", option.key, option.value, "a key without a certificate; allowed: with certificate_file");
      }
    }
  }

  void CheckSasl() {
    const SaslConfig& sasl = config_->kafka.sasl;
    const OptionRow& row = *FindOption(SectionKind::kSasl, "mechanism");
    const std::string mechanism = FormatOption(row, row.field.get(&sasl));
    if (config_->kafka.UsesSasl() != (sasl.mechanism != SaslMechanism::kNone)) {
      AddErrorAt("sasl", "mechanism", mechanism,
                 config_->kafka.UsesSasl()
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

  ConfigText* text_;
  Config* config_;
};

}  // namespace

void CheckTogether(ConfigText* text, Config* config) { Together(text, config).Check(); }

int64_t LargestMessage(int64_t ring_size, int64_t pool_size) {
  return std::min({ring_size / 2 - 64, pool_size / 4, kLargestMessage});
}

}  // namespace dory
