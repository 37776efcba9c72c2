#include "kafka_worker/protocol/list_offsets.h"

#include "tests/unit/kafka_worker/protocol/responses.h"

namespace dory::kafka::protocol {
namespace {

TEST(ListOffsetsTest, AsksForNothing) {
  const Bytes out = EncodeEmptyListOffsetsRequest({0, 7, "c"});
  Reader reader(out, false);
  EXPECT_EQ(reader.Read<int32_t>(), static_cast<int32_t>(out.size() - 4));
  EXPECT_EQ(reader.Read<int16_t>(), 2);
  EXPECT_EQ(reader.Read<int16_t>(), 0);
  EXPECT_EQ(reader.Read<int32_t>(), 7);
  EXPECT_EQ(reader.ReadNullableString(), "c");
  EXPECT_EQ(reader.Read<int32_t>(), -1);
  EXPECT_EQ(reader.Read<int32_t>(), 0);
  EXPECT_TRUE(reader.Finish("request", 0).ok());
}

TEST(ListOffsetsTest, TheAnswerIsAnEmptyList) {
  EXPECT_TRUE(CheckEmptyListOffsetsResponse(Bytes(4)).ok());
  for (const size_t size : {0, 1, 3, 5}) EXPECT_FALSE(CheckEmptyListOffsetsResponse(Bytes(size)).ok());
  EXPECT_FALSE(CheckEmptyListOffsetsResponse(Bytes(4, std::byte{1})).ok());
}

}  // namespace
}  // namespace dory::kafka::protocol
