#include <gtest/gtest.h>

#include "common/crc32c.h"
#include "kafka_worker/protocol/produce.h"
#include "tests/support/message_set.h"

namespace dory::kafka::protocol {
namespace {

constexpr VersionRange kSpoken = FindApi(Api::kProduce).spoken;
constexpr TopicId kFirst = {std::byte{1}};
constexpr TopicId kSecond = {std::byte{2}};

BatchHeader MakeBatch(ByteSpan records) {
  BatchHeader batch;
  batch.record_count = 2;
  batch.records_bytes = records.size();
  batch.records_crc = Crc32c(records);
  return batch;
}

// What reaches the broker: the buffer with every splice's bytes in its place.
Bytes Splice(const ProduceEncoder& encoder, const std::vector<Bytes>& records) {
  Bytes whole;
  size_t at = 0;
  for (size_t i = 0; i < records.size(); ++i) {
    const ByteSpan before = encoder.buffer().subspan(at, encoder.splices()[i].offset - at);
    whole.insert(whole.end(), before.begin(), before.end());
    whole.insert(whole.end(), records[i].begin(), records[i].end());
    EXPECT_EQ(encoder.splices()[i].bytes, records[i].size());
    at = encoder.splices()[i].offset;
  }
  const ByteSpan rest = encoder.buffer().subspan(at);
  whole.insert(whole.end(), rest.begin(), rest.end());
  return whole;
}

// The records field of a partition, as a broker reads it.
ByteSpan ReadRecords(Reader* reader) { return reader->ReadRaw(reader->ReadArrayCount(1)); }

void CheckPartition(Reader* reader, int32_t partition, ByteSpan records) {
  EXPECT_EQ(reader->Read<int32_t>(), partition);
  const auto batch = DecodeBatch(ReadRecords(reader));
  ASSERT_TRUE(batch.ok()) << batch.status().message();
  EXPECT_TRUE(std::equal(batch.value().records.begin(), batch.value().records.end(), records.begin(),
                         records.end()));
  reader->SkipTags();
}

class ProduceRequestTest : public testing::TestWithParam<int16_t> {
 protected:
  bool flexible() const { return IsFlexible(Api::kProduce, GetParam()); }

  // Of a whole request, behind its header, with the fields before the topics checked.
  Reader OpenRequest(const Bytes& whole, size_t topic_count) {
    EXPECT_EQ(LoadBigEndian<int32_t>(whole.data()), static_cast<int32_t>(whole.size() - 4));
    EXPECT_EQ(LoadBigEndian<int16_t>(whole.data() + 6), GetParam());
    Reader reader(ByteSpan(whole).subspan(flexible() ? 16 : 15), flexible());
    if (GetParam() >= 3) {
      EXPECT_EQ(reader.ReadNullableString(), std::nullopt);
    }
    EXPECT_EQ(reader.Read<int16_t>(), -1);
    EXPECT_EQ(reader.Read<int32_t>(), 5000);
    EXPECT_EQ(reader.ReadArrayCount(1), topic_count);
    return reader;
  }

  void ExpectTopic(std::string_view name, const TopicId& id, Reader* reader) {
    if (GetParam() < 13) {
      EXPECT_EQ(reader->ReadString(), name);
    } else {
      EXPECT_EQ(ReadTopicId(reader), id);
    }
  }

  ProduceEncoder encoder_;
};

TEST_P(ProduceRequestTest, SplicesManyPartitions) {
  const std::vector<Bytes> records = {Bytes(1, std::byte{'a'}), Bytes(20000, std::byte{'b'}),
                                      Bytes(100, std::byte{'c'})};
  encoder_.Begin({GetParam(), 1, "c"}, -1, 5000, 2);
  encoder_.BeginTopic("first", kFirst, 2);
  encoder_.AddPartition(7, MakeBatch(records[0]));
  encoder_.AddPartition(0, MakeBatch(records[1]));
  encoder_.BeginTopic("second", kSecond, 1);
  const size_t offset = encoder_.AddPartition(3, MakeBatch(records[2]));
  EXPECT_EQ(offset, encoder_.splices().back().offset);
  const size_t size = encoder_.Finish();
  const Bytes whole = Splice(encoder_, records);
  EXPECT_EQ(size, whole.size());
  EXPECT_EQ(encoder_.size(), whole.size());

  Reader reader = OpenRequest(whole, 2);
  ExpectTopic("first", kFirst, &reader);
  ASSERT_EQ(reader.ReadArrayCount(1), 2u);
  CheckPartition(&reader, 7, records[0]);
  CheckPartition(&reader, 0, records[1]);
  reader.SkipTags();
  ExpectTopic("second", kSecond, &reader);
  ASSERT_EQ(reader.ReadArrayCount(1), 1u);
  CheckPartition(&reader, 3, records[2]);
  reader.SkipTags();
  reader.SkipTags();
  EXPECT_TRUE(reader.Finish("request", GetParam()).ok());
}

TEST_P(ProduceRequestTest, SplicesAWholeBatch) {
  const Bytes batch(333, std::byte{'z'});
  encoder_.Begin({GetParam(), 1, "c"}, -1, 5000, 1);
  encoder_.BeginTopic("t", kFirst, 1);
  encoder_.AddWholeBatch(9, batch.size());
  encoder_.Finish();
  const Bytes whole = Splice(encoder_, {batch});
  Reader reader = OpenRequest(whole, 1);
  ExpectTopic("t", kFirst, &reader);
  EXPECT_EQ(reader.ReadArrayCount(1), 1u);
  EXPECT_EQ(reader.Read<int32_t>(), 9);
  EXPECT_EQ(ReadRecords(&reader).size(), batch.size());
  reader.SkipTags();
  reader.SkipTags();
  reader.SkipTags();
  EXPECT_TRUE(reader.Finish("request", GetParam()).ok());
}

// All but its value is in the request, the value where the caller has it.
TEST_P(ProduceRequestTest, SplicesAWrapper) {
  const Bytes value(5000, std::byte{'z'});
  const ByteSpan kValue[] = {ByteSpan(value)};
  encoder_.Begin({GetParam(), 1, "c"}, -1, 5000, 1);
  encoder_.BeginTopic("t", kFirst, 1);
  encoder_.AddWrapper(9, {1, 2, 10, 1000}, kValue);
  encoder_.Finish();
  const Bytes whole = Splice(encoder_, {value});
  Reader reader = OpenRequest(whole, 1);
  ExpectTopic("t", kFirst, &reader);
  EXPECT_EQ(reader.ReadArrayCount(1), 1u);
  EXPECT_EQ(reader.Read<int32_t>(), 9);
  const auto messages = tests::ReadMessageSet(ReadRecords(&reader));
  ASSERT_TRUE(messages && messages->size() == 1);
  EXPECT_EQ(messages->front().attributes, 2);
  EXPECT_EQ(messages->front().value->size(), value.size());
}

TEST_P(ProduceRequestTest, StartsAnewWithEveryBegin) {
  Bytes first;
  for (int round = 0; round < 2; ++round) {
    encoder_.Begin({GetParam(), 1, "c"}, -1, 5000, 1);
    encoder_.BeginTopic("t", kFirst, 1);
    encoder_.AddPartition(0, MakeBatch(Bytes(10)));
    encoder_.Finish();
    const Bytes now(encoder_.buffer().begin(), encoder_.buffer().end());
    if (round == 0) first = now;
    EXPECT_EQ(now, first);
    EXPECT_EQ(encoder_.splices().size(), 1u);
  }
}

INSTANTIATE_TEST_SUITE_P(AllVersions, ProduceRequestTest,
                         testing::Range(kSpoken.lowest, static_cast<int16_t>(kSpoken.highest + 1)));

}  // namespace
}  // namespace dory::kafka::protocol
