#include "kafka_worker/protocol/wire.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

namespace dory::kafka::protocol {
namespace {

Bytes MakeBytes(std::initializer_list<int> values) {
  Bytes bytes;
  for (int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

TEST(WriterTest, PlainForms) {
  Bytes out;
  Writer writer(&out, false);
  writer.Put<int16_t>(-2);
  writer.PutString("ab");
  writer.PutNullableString(std::nullopt);
  writer.PutArrayCount(3);
  writer.PutByteCount(1);
  writer.PutBool(true);
  writer.PutNoTags();
  EXPECT_EQ(out, MakeBytes({0xff, 0xfe, 0, 2, 'a', 'b', 0xff, 0xff, 0, 0, 0, 3, 0, 0, 0, 1, 1}));
}

TEST(WriterTest, FlexibleForms) {
  Bytes out;
  Writer writer(&out, true);
  writer.PutString("ab");
  writer.PutNullableString(std::nullopt);
  writer.PutPlainNullableString("c");
  writer.PutArrayCount(0);
  writer.PutByteCount(200);
  writer.PutVarint(-1);
  writer.PutNoTags();
  EXPECT_EQ(out, MakeBytes({3, 'a', 'b', 0, 0, 1, 'c', 1, 0xc9, 0x01, 1, 0}));
}

TEST(WriterTest, PatchesWhatItPutBefore) {
  Bytes out = MakeBytes({9});
  Writer writer(&out, false);
  writer.Put<int32_t>(0);
  writer.Put<int8_t>(7);
  writer.PatchInt32(1, 0x01020304);
  EXPECT_EQ(out, MakeBytes({9, 1, 2, 3, 4, 7}));
}

class ReaderTest : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(PlainAndFlexible, ReaderTest, testing::Bool());

TEST_P(ReaderTest, ReadsWhatAWriterPut) {
  Bytes out;
  Writer writer(&out, GetParam());
  const std::string long_text(300, 'x');
  writer.PutString(long_text);
  writer.PutNullableString(std::nullopt);
  writer.PutString("");
  writer.PutArrayCount(2);
  writer.Put<int32_t>(5);
  writer.Put<int32_t>(6);
  writer.PutNoTags();
  Reader reader(out, GetParam());
  EXPECT_EQ(reader.ReadString(), long_text);
  EXPECT_EQ(reader.ReadNullableString(), std::nullopt);
  EXPECT_EQ(reader.ReadString(), "");
  reader.SkipArray(sizeof(int32_t));
  reader.SkipTags();
  EXPECT_TRUE(reader.Finish("test", 0).ok());
}

TEST_P(ReaderTest, NullIsNoString) {
  Bytes out;
  Writer(&out, GetParam()).PutNullableString(std::nullopt);
  Reader reader(out, GetParam());
  EXPECT_EQ(reader.ReadString(), "");
  EXPECT_FALSE(reader.ok());
}

TEST_P(ReaderTest, ACountBeyondTheEndFails) {
  Bytes out;
  Writer writer(&out, GetParam());
  writer.PutArrayCount(3);
  writer.PutRaw(Bytes(11));
  Reader fits(out, GetParam());
  EXPECT_EQ(fits.ReadArrayCount(3), 3u);
  Reader beyond(out, GetParam());
  EXPECT_EQ(beyond.ReadArrayCount(4), 0u);
  EXPECT_FALSE(beyond.ok());
}

TEST(ReaderEdgesTest, NullAndNegativeCounts) {
  const Bytes null = MakeBytes({0xff, 0xff, 0xff, 0xff});
  Reader reader(null, false);
  EXPECT_EQ(reader.ReadArrayCount(1), 0u);
  EXPECT_TRUE(reader.ok());
  const Bytes negative = MakeBytes({0xff, 0xff, 0xff, 0xfe});
  Reader bad(negative, false);
  EXPECT_EQ(bad.ReadArrayCount(1), 0u);
  EXPECT_FALSE(bad.ok());
}

TEST(ReaderEdgesTest, ACompactLengthOfManyBitsFails) {
  const Bytes bytes = MakeBytes({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1});
  Reader reader(bytes, true);
  EXPECT_EQ(reader.ReadNullableString(), std::nullopt);
  EXPECT_FALSE(reader.ok());
}

// As Kafka's own classes have it. Of bytes and records there may be more.
TEST(ReaderEdgesTest, ACompactStringHasNoMoreBytesThanAPlainOne) {
  for (const size_t size : {0x7fff, 0x8000}) {
    Bytes out;
    Writer writer(&out, true);
    writer.PutByteCount(size);
    writer.PutRaw(Bytes(size, std::byte{'x'}));
    Reader text(out, true);
    EXPECT_EQ(text.ReadNullableString().has_value(), size == 0x7fff);
    EXPECT_EQ(text.ok(), size == 0x7fff);
    Reader bytes(out, true);
    EXPECT_EQ(bytes.ReadArrayCount(1), size);
  }
}

// Two fields: tag 0 of two bytes, tag 5 of one.
TEST(ReaderEdgesTest, VisitsTaggedFieldsAndLeavesThemBehind) {
  const Bytes bytes = MakeBytes({2, 0, 2, 0x12, 0x34, 5, 1, 9, 'e'});
  Reader reader(bytes, true);
  int16_t found = 0;
  reader.ReadTags([&found](uint64_t tag, Reader& field) {
    if (tag == 0) found = field.Read<int16_t>();
  });
  EXPECT_EQ(found, 0x1234);
  EXPECT_EQ(reader.Read<int8_t>(), 'e');
  EXPECT_TRUE(reader.Finish("test", 9).ok());
}

TEST(ReaderEdgesTest, ATaggedFieldTooShortForItsVisitorFails) {
  const Bytes bytes = MakeBytes({1, 0, 1, 0x12, 'e'});
  Reader reader(bytes, true);
  reader.ReadTags([](uint64_t, Reader& field) { field.Read<int16_t>(); });
  EXPECT_FALSE(reader.ok());
}

TEST(ReaderEdgesTest, TagsWithoutEndFail) {
  const Bytes bytes = MakeBytes({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0});
  Reader reader(bytes, true);
  reader.SkipTags();
  EXPECT_FALSE(reader.ok());
}

TEST(ReaderEdgesTest, SaysWhereItFailed) {
  const Bytes bytes(3);
  Reader cut(bytes, false);
  cut.Read<int16_t>();
  cut.Read<int32_t>();
  EXPECT_EQ(cut.Finish("Some response", 4).message(),
            "Some response version 4 makes no sense at byte 2");
  Reader more(bytes, false);
  more.Read<int16_t>();
  EXPECT_EQ(more.Finish("Some response", 4).message(),
            "Some response version 4 goes on after its end, byte 2");
}

}  // namespace
}  // namespace dory::kafka::protocol
