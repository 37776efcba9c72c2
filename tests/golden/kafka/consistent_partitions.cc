// Writes what partitions/crc32.txt holds: to which partition librdkafka's "consistent" partitioner sends a key. Keys
// and numbers of partitions are those of murmur2.txt, from standard input.

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <iostream>
#include <sstream>
#include <string>

namespace {

std::string ParseHex(const std::string& text) {
  std::string bytes;
  for (size_t at = 0; text != "-" && at < text.size(); at += 2) {
    bytes += static_cast<char>(std::stoi(text.substr(at, 2), nullptr, 16));
  }
  return bytes;
}

}  // namespace

int main() {
  std::cout << "# key in hex, number of partitions, the key's partition; by librdkafka\n";
  for (std::string line; std::getline(std::cin, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string hex;
    int32_t count = 0;
    words >> hex >> count;
    const std::string key = ParseHex(hex);
    const int32_t partition =
        rd_kafka_msg_partitioner_consistent(nullptr, key.data(), key.size(), count, nullptr, nullptr);
    std::cout << hex << ' ' << count << ' ' << partition << '\n';
  }
}
