// What to_dory is told on its command line.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dory::client {

constexpr int kExitSent = 0;
constexpr int kExitNotSent = 1;
constexpr int kExitUsage = 2;

struct Options {
  std::string socket_path;
  std::string stream_socket_path;
  uint16_t port = 0;
  std::string topic;
  std::optional<int32_t> partition_key;
  std::optional<std::string> key;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string value;
  bool null_value = false;
  bool from_stdin = false;
  bool lines = false;
  std::optional<uint64_t> count;
  uint64_t interval_us = 0;
  bool sequence = false;
  size_t sequence_width = 0;
  bool receipt = false;
  bool bad = false;
  uint64_t print_every = 0;

  // Who asks for nothing that is new sends what it has always sent.
  bool IsVersion1() const { return !headers.empty() || null_value || receipt; }
};

}  // namespace dory::client
