// From an option's text to its value and back: the part of option_table.h that depends on types.

#include <algorithm>

#include "common/option_table.h"

namespace dory {
namespace {

constexpr std::string_view kOff = "off";

bool HasWord(const OptionRow& row, std::string_view text) {
  return std::ranges::count(SplitWords(row.words), text) != 0;
}

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

Result<int64_t> ParseNumber(OptionType type, std::string_view text) {
  switch (type) {
    case OptionType::kSize: return ParseSize(text);
    case OptionType::kDuration: return ParseDuration(text);
    case OptionType::kPercent: return ParsePercent(text);
    case OptionType::kMode: return ParseMode(text);
    default: return ParseInteger(text);
  }
}

std::string FormatNumber(OptionType type, int64_t number) {
  switch (type) {
    case OptionType::kSize: return FormatSize(number);
    case OptionType::kDuration: return FormatDuration(number);
    case OptionType::kPercent: return FormatPercent(number);
    case OptionType::kMode: return FormatMode(number);
    default: return std::to_string(number);
  }
}

Status CheckRange(const OptionRow& row, int64_t number) {
  if (number < row.min) return Status::Error("too small");
  if (number > row.max) return Status::Error("too large");
  return Status::Ok();
}

Result<OptionValue> ParseText(const OptionRow& row, std::string_view text) {
  const std::string read(text);
  if (row.type == OptionType::kPath && HasWord(row, text)) return OptionValue(read);
  const auto length = static_cast<int64_t>(text.size());
  if (length < row.min) return Status::Error("empty");
  if (length > row.max) return Status::Error(std::to_string(length) + " bytes are too many");
  if (text.find('{') != std::string_view::npos) return Status::Error("an unknown {placeholder}");
  if (row.type == OptionType::kName && !std::ranges::all_of(text, IsNameChar)) {
    return Status::Error("not a name");
  }
  if (row.type == OptionType::kPath && !text.empty() && !text.starts_with('/')) {
    return Status::Error("not an absolute path");
  }
  return OptionValue(read);
}

Result<OptionValue> ParseWord(std::string_view words, std::string_view text) {
  const std::vector<std::string_view> list = SplitWords(words);
  auto found = std::ranges::find(list, text);
  if (found == list.end()) return Status::Error("unknown value");
  return OptionValue(static_cast<int64_t>(found - list.begin()));
}

Result<OptionValue> ParseInRange(const OptionRow& row, std::string_view text) {
  if (!row.words.empty() && text == row.words) return OptionValue(int64_t{0});
  Result<int64_t> number = ParseNumber(row.type, text);
  if (!number.ok()) return number.status();
  Status status = CheckRange(row, number.value());
  if (!status.ok()) return status;
  return OptionValue(number.value());
}

Result<OptionValue> ParseRateInRange(const OptionRow& row, std::string_view text) {
  if (text == kOff && HasWord(row, kOff)) return OptionValue(Rate{});
  Result<Rate> rate = ParseRate(text);
  if (!rate.ok()) return rate.status();
  Status status = CheckRange(row, rate.value().count);
  if (!status.ok()) return status;
  return OptionValue(rate.value());
}

Result<OptionValue> ParseAddress(const OptionRow& row, std::string_view text) {
  if (text == kOff && HasWord(row, kOff)) return OptionValue(HostPort{});
  Result<HostPort> address = ParseHostPort(text);
  if (!address.ok()) return address.status();
  return OptionValue(address.Take());
}

std::string DescribeRange(const OptionRow& row) {
  const std::string least = FormatNumber(row.type, row.min);
  if (row.min == row.max) return least;
  return least + " to " + FormatNumber(row.type, row.max);
}

std::string DescribeText(const OptionRow& row, const std::string& what) {
  return (row.min == 0 ? "empty, or " : "") + what + " of at most " + std::to_string(row.max) +
         " bytes";
}

std::string DescribeValues(const OptionRow& row) {
  switch (row.type) {
    case OptionType::kString: return DescribeText(row, "a text");
    case OptionType::kName:
      return "1 to " + std::to_string(row.max) + " letters, digits, '.', '_' and '-'";
    case OptionType::kPath: return DescribeText(row, "an absolute path");
    case OptionType::kEnum: return "";
    case OptionType::kBoolean: return "yes, no";
    case OptionType::kRate: return "COUNT/DURATION such as 1000/10s, of at most 24h";
    case OptionType::kHostPort: return "HOST:PORT, [IPV6]:PORT";
    case OptionType::kHostPorts: return "HOST:PORT, [IPV6]:PORT, ...";
    case OptionType::kAddresses: return "IPv4 and IPv6 addresses, separated by commas";
    default: return DescribeRange(row);
  }
}

}  // namespace

std::vector<std::string_view> SplitWords(std::string_view words) {
  std::vector<std::string_view> list;
  while (!words.empty()) {
    size_t bar = std::min(words.find('|'), words.size());
    list.push_back(words.substr(0, bar));
    words.remove_prefix(std::min(bar + 1, words.size()));
  }
  return list;
}

Result<OptionValue> ParseOption(const OptionRow& row, std::string_view text) {
  switch (row.type) {
    case OptionType::kString:
    case OptionType::kName:
    case OptionType::kPath: return ParseText(row, text);
    case OptionType::kEnum: return ParseWord(row.words, text);
    case OptionType::kBoolean: return ParseWord("no|yes", text);
    case OptionType::kRate: return ParseRateInRange(row, text);
    case OptionType::kHostPort: return ParseAddress(row, text);
    case OptionType::kHostPorts: {
      Result<std::vector<HostPort>> addresses = ParseHostPorts(text);
      if (!addresses.ok()) return addresses.status();
      return OptionValue(addresses.Take());
    }
    case OptionType::kAddresses: {
      Result<std::vector<std::string>> addresses = ParseAddresses(text);
      if (!addresses.ok()) return addresses.status();
      return OptionValue(addresses.Take());
    }
    default: return ParseInRange(row, text);
  }
}

std::string FormatOption(const OptionRow& row, const OptionValue& value) {
  switch (row.type) {
    case OptionType::kString:
    case OptionType::kName:
    case OptionType::kPath: return std::get<std::string>(value);
    case OptionType::kHostPort: {
      const HostPort& address = std::get<HostPort>(value);
      return address.port == 0 ? std::string(kOff) : FormatHostPort(address);
    }
    case OptionType::kHostPorts: return FormatHostPorts(std::get<std::vector<HostPort>>(value));
    case OptionType::kAddresses: return FormatAddresses(std::get<std::vector<std::string>>(value));
    case OptionType::kRate: {
      const Rate& rate = std::get<Rate>(value);
      return rate.count == 0 ? std::string(kOff) : FormatRate(rate);
    }
    default: break;
  }
  const int64_t number = std::get<int64_t>(value);
  if (row.type == OptionType::kEnum) return std::string(SplitWords(row.words)[number]);
  if (row.type == OptionType::kBoolean) return number != 0 ? "yes" : "no";
  if (number == 0 && !row.words.empty()) return std::string(row.words);
  return FormatNumber(row.type, number);
}

std::string DescribeAllowed(const OptionRow& row) {
  std::string allowed;
  for (std::string_view word : SplitWords(row.words)) {
    allowed += (allowed.empty() ? "" : ", ") + std::string(word);
  }
  const std::string values = DescribeValues(row);
  return allowed + (allowed.empty() || values.empty() ? "" : ", or ") + values;
}

}  // namespace dory
