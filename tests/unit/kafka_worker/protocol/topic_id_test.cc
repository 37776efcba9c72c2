#include "kafka_worker/protocol/topic_id.h"

#include <gtest/gtest.h>

namespace dory::kafka::protocol {
namespace {

// As java.util.Base64's unpadded URL encoder, by which Kafka shows ids, has them.
TEST(TopicIdTest, IsShownAsKafkaShowsIt) {
  TopicId id{};
  EXPECT_EQ(ShowTopicId(id), "AAAAAAAAAAAAAAAAAAAAAA");
  id.fill(std::byte{0xff});
  EXPECT_EQ(ShowTopicId(id), "_____________________w");
  for (size_t i = 0; i < id.size(); ++i) id[i] = static_cast<std::byte>(i * 17);
  EXPECT_EQ(ShowTopicId(id), "ABEiM0RVZneImaq7zN3u_w");
}

TEST(TopicIdTest, IsReadWhole) {
  const Bytes bytes(16, std::byte{7});
  Reader whole(bytes, true);
  EXPECT_EQ(ReadTopicId(&whole)[15], std::byte{7});
  Reader cut(ByteSpan(bytes).first(15), true);
  EXPECT_EQ(ReadTopicId(&cut), kNoTopicId);
  EXPECT_FALSE(cut.ok());
}

}  // namespace
}  // namespace dory::kafka::protocol
