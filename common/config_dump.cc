// A Config as text: what the supervisor gives its workers, what the hash is over, and what makes
// two configurations equal.

#include <cstdio>

#include "common/config.h"
#include "common/config_clients.h"
#include "common/option_table.h"

namespace dory {
namespace {

// Without blanks around '=', so that no line is longer than the one it was read from: inih has a
// limit.
void DumpSection(SectionKind kind, std::string_view name, const void* object, std::string* text,
                 InputType type = InputType::kUnixDatagram) {
  text->append("[").append(GetSection(kind).prefix).append(name).append("]\n");
  for (const OptionRow& row : ListOptions()) {
    if (row.section != kind || !AppliesTo(row, type)) continue;
    text->append(row.key).append("=").append(FormatOption(row, row.field.get(object))).append("\n");
  }
}

}  // namespace

std::string DumpConfig(const Config& config) {
  std::string text;
  DumpSection(SectionKind::kDory, "", &config, &text);
  DumpSection(SectionKind::kBuffer, "", &config, &text);
  DumpSection(SectionKind::kLog, "", &config, &text);
  DumpSection(SectionKind::kHttp, "", &config, &text);
  DumpSection(SectionKind::kDiscardReport, "", &config, &text);
  DumpSection(SectionKind::kDiscardLog, "", &config, &text);
  DumpSection(SectionKind::kKafka, "", &config.kafka, &text);
  DumpSection(SectionKind::kTls, "", &config.kafka.tls, &text);
  DumpSection(SectionKind::kSasl, "", &config.kafka.sasl, &text);
  DumpSection(SectionKind::kTopic, "*", &config.topic_defaults, &text);
  for (const auto& [name, topic] : config.topics) {
    DumpSection(SectionKind::kTopic, name, &topic, &text);
  }
  for (const InputConfig& input : config.inputs) {
    DumpSection(SectionKind::kInput, input.name, &input, &text, input.type);
  }
  for (const auto& [name, client] : config.clients) {
    const ClientConfig resolved = NameByNumbers(client);
    DumpSection(SectionKind::kClient, name, &resolved, &text);
  }
  return text;
}

bool operator==(const Config& left, const Config& right) {
  return DumpConfig(left) == DumpConfig(right);
}

// FNV-1a, 64 bits.
std::string HashConfig(const Config& config) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : DumpConfig(config)) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
  return digits;
}

}  // namespace dory
