#include "kafka_worker/route.h"

#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <sstream>
#include <string>

namespace dory::kafka {
namespace {

shm::MessageView MakeMessage(shm::MessageKind kind, uint32_t partition_key, std::optional<ByteSpan> key) {
  shm::MessageView message{};
  message.header.kind = kind;
  message.header.partition_key = partition_key;
  message.header.key_size = key ? static_cast<int32_t>(key->size()) : shm::kNullSize;
  message.key = key.value_or(ByteSpan{});
  return message;
}

Route RouteOf(shm::MessageKind kind, uint32_t partition_key, size_t partitions) {
  return ChooseRoute(MakeMessage(kind, partition_key, std::nullopt), Partitioner::kPartitionKey, partitions);
}

TEST(RouteTest, AnyPartitionHasNoneYet) {
  EXPECT_EQ(RouteOf(shm::MessageKind::kAnyPartition, 17, 4).kind, shm::BatchKind::kAny);
}

TEST(RouteTest, AKeyBelowTheCountNamesItsPartition) {
  for (uint32_t key = 0; key < 12; ++key) {
    const Route route = RouteOf(shm::MessageKind::kPartitionKey, key, 12);
    EXPECT_EQ(route.kind, shm::BatchKind::kKey);
    EXPECT_EQ(route.partition, key);
  }
}

TEST(RouteTest, KeysAreUnsigned) {
  EXPECT_EQ(RouteOf(shm::MessageKind::kPartitionKey, UINT32_MAX, 10).partition, 5u);
  EXPECT_EQ(RouteOf(shm::MessageKind::kPartitionKey, UINT32_MAX, 1).partition, 0u);
  EXPECT_EQ(RouteOf(shm::MessageKind::kPartitionKey, 0x80000000, 7).partition, 0x80000000 % 7);
}

TEST(RouteTest, APartitionKeyCountsWhateverTheKafkaKey) {
  const auto route = [](shm::MessageKind kind) {
    return ChooseRoute(MakeMessage(kind, 3, AsBytes("key")), Partitioner::kPartitionKey, 12);
  };
  EXPECT_EQ(route(shm::MessageKind::kAnyPartition).kind, shm::BatchKind::kAny);
  EXPECT_EQ(route(shm::MessageKind::kPartitionKey).partition, 3u);
}

TEST(RouteTest, WithoutAKafkaKeyTheKindCounts) {
  for (const Partitioner partitioner : {Partitioner::kMurmur2, Partitioner::kCrc32}) {
    const auto route = [&](shm::MessageKind kind) {
      return ChooseRoute(MakeMessage(kind, 3, std::nullopt), partitioner, 12);
    };
    EXPECT_EQ(route(shm::MessageKind::kAnyPartition).kind, shm::BatchKind::kAny);
    EXPECT_EQ(route(shm::MessageKind::kPartitionKey).kind, shm::BatchKind::kKey);
    EXPECT_EQ(route(shm::MessageKind::kPartitionKey).partition, 3u);
  }
}

std::string ParseHex(const std::string& text) {
  std::string bytes;
  for (size_t at = 0; text != "-" && at < text.size(); at += 2) {
    bytes += static_cast<char>(std::stoi(text.substr(at, 2), nullptr, 16));
  }
  return bytes;
}

void ExpectAsGolden(Partitioner partitioner, const std::string& file) {
  std::ifstream in("tests/golden/kafka/partitions/" + file);
  size_t found = 0;
  for (std::string line; std::getline(in, line);) {
    if (line[0] == '#') continue;
    std::istringstream words(line);
    std::string hex;
    size_t count = 0;
    size_t partition = 0;
    words >> hex >> count >> partition;
    const std::string key = ParseHex(hex);
    for (const auto kind : {shm::MessageKind::kAnyPartition, shm::MessageKind::kPartitionKey}) {
      const Route route = ChooseRoute(MakeMessage(kind, 1, AsBytes(key)), partitioner, count);
      EXPECT_EQ(route.kind, shm::BatchKind::kKey);
      EXPECT_EQ(route.partition, partition) << line;
    }
    ++found;
  }
  EXPECT_GE(found, 100u);
}

TEST(RouteTest, Murmur2IsAsKafkasJavaClientHasIt) { ExpectAsGolden(Partitioner::kMurmur2, "murmur2.txt"); }

TEST(RouteTest, Crc32IsAsLibrdkafkaHasIt) { ExpectAsGolden(Partitioner::kCrc32, "crc32.txt"); }

}  // namespace
}  // namespace dory::kafka
