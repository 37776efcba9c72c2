#include "kafka_worker/route.h"

#include <gtest/gtest.h>

namespace dory::kafka {
namespace {

Route RouteOf(shm::MessageKind kind, uint32_t key, size_t partitions) {
  shm::MessageHeader header{};
  header.kind = kind;
  header.partition_key = key;
  return ChooseRoute(header, partitions);
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

}  // namespace
}  // namespace dory::kafka
