#include "common/units.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <span>

namespace dory {
namespace {

struct Unit {
  std::string_view suffix;
  int64_t factor;
};

// Each from the largest to the smallest, as Format tries them.
constexpr Unit kSizeUnits[] = {{"G", int64_t{1} << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1}};
constexpr Unit kDurationUnits[] = {{"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}};

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

// The digits at the front of `text`, which is moved behind them. What is too large for an int64_t is
// its largest (or least): the range of whatever it is for refuses it. False: there are none.
bool TakeNumber(std::string_view* text, int64_t* number, int base = 10) {
  const char* end = text->data() + text->size();
  auto [after, error] = std::from_chars(text->data(), end, *number, base);
  if (error == std::errc::invalid_argument) return false;
  if (error == std::errc::result_out_of_range) *number = text->starts_with('-') ? -kMost : kMost;
  text->remove_prefix(static_cast<size_t>(after - text->data()));
  return true;
}

Result<int64_t> ParseWithUnit(std::string_view text, std::span<const Unit> units,
                              const std::string& wrong) {
  int64_t number = 0;
  if (!TakeNumber(&text, &number) || number < 0) return Status::Error(wrong);
  for (const Unit& unit : units) {
    if (text != unit.suffix) continue;
    return number > kMost / unit.factor ? kMost : number * unit.factor;
  }
  return Status::Error(wrong);
}

std::string FormatWithUnit(int64_t number, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (number != 0 && number % unit.factor == 0) {
      return std::to_string(number / unit.factor) + std::string(unit.suffix);
    }
  }
  return "0" + std::string(units.back().suffix);
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t";
  size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

bool IsHostName(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '.' || c == '-' || c == '_';
  });
}

bool IsIpv6(const std::string& host) {
  in6_addr address;
  return inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

// As inet_ntop writes it; empty: it is none.
std::string NormalizeAddress(const std::string& text) {
  in6_addr address;
  char normal[INET6_ADDRSTRLEN];
  for (const int family : {AF_INET, AF_INET6}) {
    if (inet_pton(family, text.c_str(), &address) == 1) return inet_ntop(family, &address, normal, sizeof(normal));
  }
  return "";
}

}  // namespace

Result<int64_t> ParseInteger(std::string_view text) {
  int64_t number = 0;
  if (!TakeNumber(&text, &number) || !text.empty()) return Status::Error("not a whole number");
  return number;
}

Result<int64_t> ParseSize(std::string_view text) {
  return ParseWithUnit(text, kSizeUnits, "not a size such as 65536, 64K, 256M or 1G");
}

std::string FormatSize(int64_t bytes) { return FormatWithUnit(bytes, kSizeUnits); }

Result<int64_t> ParseDuration(std::string_view text) {
  return ParseWithUnit(text, kDurationUnits, "not a duration such as 500ms, 10s, 5m or 2h");
}

std::string FormatDuration(int64_t ms) { return FormatWithUnit(ms, kDurationUnits); }

Result<int64_t> ParsePercent(std::string_view text) {
  int64_t percent = 0;
  if (!TakeNumber(&text, &percent) || text != "%" || percent < 0 || percent > 100) {
    return Status::Error("not a percentage such as 25%");
  }
  return percent;
}

std::string FormatPercent(int64_t percent) { return std::to_string(percent) + "%"; }

Result<Rate> ParseRate(std::string_view text) {
  const Status wrong = Status::Error("not a rate such as 1000/10s");
  Rate rate;
  if (!TakeNumber(&text, &rate.count) || rate.count < 1 || !text.starts_with('/')) return wrong;
  Result<int64_t> interval = ParseDuration(text.substr(1));
  if (!interval.ok() || interval.value() < 1 || interval.value() > kLongestRateMs) return wrong;
  rate.interval_ms = interval.value();
  return rate;
}

std::string FormatRate(const Rate& rate) {
  return std::to_string(rate.count) + "/" + FormatDuration(rate.interval_ms);
}

Result<int64_t> ParseMode(std::string_view text) {
  int64_t mode = 0;
  if (!TakeNumber(&text, &mode, 8) || !text.empty() || mode < 0 || mode > 0777) {
    return Status::Error("not permission bits in octal such as 0222");
  }
  return mode;
}

std::string FormatMode(int64_t mode) {
  std::string digits = "0";
  for (int shift = 6; shift >= 0; shift -= 3) {
    digits += static_cast<char>('0' + ((mode >> shift) & 7));
  }
  return digits;
}

Result<HostPort> ParseHostPort(std::string_view text) {
  const std::string quoted = "'" + std::string(text) + "'";
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.ends_with(']')) {
    return Status::Error(quoted + " has no port");
  }
  std::string_view host = text.substr(0, colon);
  std::string_view digits = text.substr(colon + 1);
  int64_t port = 0;
  if (!TakeNumber(&digits, &port) || !digits.empty() || port < 1 || port > 65535) {
    return Status::Error(quoted + " has no port of 1 to 65535");
  }
  bool bracketed = host.size() > 2 && host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (bracketed ? !IsIpv6(std::string(host)) : !IsHostName(host)) {
    return Status::Error(quoted + " is neither HOST:PORT nor [IPV6]:PORT");
  }
  return HostPort{std::string(host), static_cast<uint16_t>(port)};
}

Result<std::vector<HostPort>> ParseHostPorts(std::string_view text) {
  std::vector<HostPort> addresses;
  while (true) {
    size_t comma = text.find(',');
    Result<HostPort> address = ParseHostPort(Trim(text.substr(0, comma)));
    if (!address.ok()) return address.status();
    if (std::ranges::find(addresses, address.value()) != addresses.end()) {
      return Status::Error("'" + FormatHostPort(address.value()) + "' stands there twice");
    }
    addresses.push_back(address.Take());
    if (comma == std::string_view::npos) return addresses;
    text.remove_prefix(comma + 1);
  }
}

std::string FormatHostPort(const HostPort& address) {
  bool ipv6 = address.host.find(':') != std::string::npos;
  return (ipv6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

std::string FormatHostPorts(const std::vector<HostPort>& addresses) {
  std::string text;
  for (const HostPort& address : addresses) {
    text += (text.empty() ? "" : ",") + FormatHostPort(address);
  }
  return text;
}

Result<std::vector<std::string>> ParseAddresses(std::string_view text) {
  std::vector<std::string> addresses;
  while (true) {
    const size_t comma = text.find(',');
    const std::string read(Trim(text.substr(0, comma)));
    const std::string address = NormalizeAddress(read);
    if (address.empty()) return Status::Error("'" + read + "' is no IPv4 or IPv6 address");
    if (std::ranges::find(addresses, address) != addresses.end()) {
      return Status::Error("'" + address + "' stands there twice");
    }
    addresses.push_back(address);
    if (comma == std::string_view::npos) return addresses;
    text.remove_prefix(comma + 1);
  }
}

std::string FormatAddresses(const std::vector<std::string>& addresses) {
  std::string text;
  for (const std::string& address : addresses) text += (text.empty() ? "" : ",") + address;
  return text;
}

}  // namespace dory
