// How values are written in the configuration: 256M, 500ms, 10%, 1000/10s, 0222, host:port.
//
// Each Parse takes the whole text or fails; a failure says what is wrong with the text and nothing
// of where it stood. A number beyond int64_t is read as its largest, for ranges to refuse. Each Format
// is the shortest text that its Parse reads back.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace dory {

// Where somebody listens; `host` is a name, an IPv4 address or an IPv6 address without brackets.
struct HostPort {
  std::string host;
  uint16_t port = 0;

  bool operator==(const HostPort&) const = default;
};

inline constexpr int64_t kLongestRateMs = 24 * 3'600'000;

// At most `count` in each window of `interval_ms`.
struct Rate {
  int64_t count = 0;
  int64_t interval_ms = 0;

  bool operator==(const Rate&) const = default;
};

// Decimal, with '-' allowed: "4096".
Result<int64_t> ParseInteger(std::string_view text);

// Bytes: "65536", "64K", "256M", "1G"; K, M and G are powers of two.
Result<int64_t> ParseSize(std::string_view text);
std::string FormatSize(int64_t bytes);

// Milliseconds of "500ms", "10s", "5m", "2h". A number without a unit fails.
Result<int64_t> ParseDuration(std::string_view text);
std::string FormatDuration(int64_t ms);

// "25%" is 25. At most 100%.
Result<int64_t> ParsePercent(std::string_view text);
std::string FormatPercent(int64_t percent);

// "1000/10s": a count, and the duration it is for; both above 0.
Result<Rate> ParseRate(std::string_view text);
std::string FormatRate(const Rate& rate);

// Permission bits in octal: "0222".
Result<int64_t> ParseMode(std::string_view text);
std::string FormatMode(int64_t mode);

// "127.0.0.1:9090", "[::1]:9090".
Result<HostPort> ParseHostPort(std::string_view text);

// "127.0.0.1:9092, [::1]:9093": at least one, none twice, a port each.
Result<std::vector<HostPort>> ParseHostPorts(std::string_view text);
std::string FormatHostPort(const HostPort& address);
std::string FormatHostPorts(const std::vector<HostPort>& addresses);

// "127.0.0.1, ::1": at least one, none twice; as inet_ntop writes them.
Result<std::vector<std::string>> ParseAddresses(std::string_view text);
std::string FormatAddresses(const std::vector<std::string>& addresses);

}  // namespace dory
