// The option table: everything there is to know about each option of the configuration, as data.
//
// From it come the parser's checks (config_build.cc), the dump, etc/dory.conf and
// doc/detailed_config.md (doc/generate/config_docs.cc). To add an option: a field in config.h, a
// row in option_table.cc, `make docs`.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "common/config.h"
#include "common/status.h"
#include "common/units.h"

namespace dory {

// In the order in which they are read: later ones may need earlier ones.
enum class SectionKind {
  kDory, kBuffer, kLog, kHttp, kDiscardReport, kDiscardLog, kKafka, kTls, kSasl, kTopic, kInput, kClient
};

// A named section ([input:NAME]) has a prefix that ends in ':'.
struct SectionRow {
  SectionKind kind;
  std::string_view prefix;   // "dory", "input:"
  std::string_view shown;    // "[dory]", "[input:NAME]"
  std::string_view doc;
};

enum class OptionType {
  kString,     // range: bytes
  kName,       // letters, digits, '.', '_', '-'; at least one; range: bytes
  kPath,       // absolute, or one of the words, or empty where the range allows it; range: bytes
  kEnum,       // one of the words
  kBoolean,    // yes, no
  kInteger,    // these five: within the range, or 0 for the one word ('off') where there is one
  kSize,
  kDuration,
  kPercent,
  kMode,
  kRate,       // range: count
  kHostPort,   // or port 0 for the word 'off' where it is among the words
  kHostPorts,
  kAddresses,  // IPv4 and IPv6
};

// What a text was read as. Numbers, booleans and the index of an enum's word are int64_t.
using OptionValue = std::variant<int64_t, std::string, Rate, HostPort, std::vector<HostPort>,
                                 std::vector<std::string>>;

// Which struct of config.h a field belongs to.
enum class FieldOwner { kConfig, kInput, kKafka, kTls, kSasl, kTopic, kClient };

// The way from a row to its field. `object` is the struct that `owner` names.
struct OptionField {
  FieldOwner owner;
  void (*set)(void* object, const OptionValue& value);
  OptionValue (*get)(const void* object);
};

// Bits of OptionRow::flags: who reads the option, and how it behaves.
constexpr unsigned kSupervisor = 1;
constexpr unsigned kIntake = 2;
constexpr unsigned kKafkaWorker = 4;
constexpr unsigned kReload = 8;      // a reload applies a new value; otherwise a restart does
constexpr unsigned kRequired = 16;   // has no default; default_text is the sample's
constexpr unsigned kDoryStatus = 32;
constexpr unsigned kForDatagrams = 64;  // these four: the types of an [input:NAME] that have a use for
constexpr unsigned kForStreams = 128;   // the option; with none of them, all have
constexpr unsigned kForUnix = 256;
constexpr unsigned kForTcp = 512;

struct OptionRow {
  SectionKind section;
  std::string_view key;
  OptionType type;
  // May name {host}, {instance}, {run_dir} and {name} (of the section): then values may, too.
  std::string_view default_text;
  int64_t min;
  int64_t max;
  std::string_view words;  // "block|reject"
  unsigned flags;
  OptionField field;
  std::string_view doc;
};

std::span<const SectionRow> ListSections();
std::span<const OptionRow> ListOptions();

const SectionRow& GetSection(SectionKind kind);

// Whether an input of this type has a use for this option of [input:NAME].
bool AppliesTo(const OptionRow& row, InputType type);

// The default of an option of [input:NAME], which may differ by type.
std::string_view GetDefault(const OptionRow& row, InputType type);

// nullptr: there is none.
const OptionRow* FindOption(SectionKind section, std::string_view key);

// What a text means for this option; the error says what is wrong, without what is allowed.
Result<OptionValue> ParseOption(const OptionRow& row, std::string_view text);

// The shortest text that ParseOption reads as `value`.
std::string FormatOption(const OptionRow& row, const OptionValue& value);

// "4M to 16G", "off, or 1 to 1000000", "block, reject".
std::string DescribeAllowed(const OptionRow& row);

// "block|reject" as {"block", "reject"}.
std::vector<std::string_view> SplitWords(std::string_view words);

}  // namespace dory
