// Batches of format 2 and message sets of formats 0 and 1: ours are, byte for byte, what Kafka's own classes wrote,
// and those are read; of compressed ones all but what the codec's library makes.

#include "kafka_worker/compressor.h"
#include "tests/support/message_set.h"
#include "tests/unit/kafka_worker/decompress.h"
#include "tests/unit/kafka_worker/protocol/golden_records.h"

namespace dory::kafka::protocol {
namespace {

struct Codec {
  Compression codec;
  const char* name;
};

constexpr Codec kCodecs[] = {{Compression::kGzip, "gzip"},
                             {Compression::kSnappy, "snappy"},
                             {Compression::kLz4, "lz4"},
                             {Compression::kZstd, "zstd"}};

constexpr int8_t kOldFormats[] = {0, 1};

void ExpectText(const std::optional<ByteSpan>& found, const NullableText& expected) {
  ASSERT_EQ(found.has_value(), expected.has_value());
  EXPECT_EQ(AsText(found.value_or(ByteSpan())), expected.value_or(""));
}

void ExpectHeaders(const RecordView& record, const GoldenRecord& expected) {
  ASSERT_EQ(record.header_count, static_cast<int32_t>(expected.headers.size()));
  ByteReader reader(record.headers);
  for (const auto& [name, value] : expected.headers) {
    RecordHeaderView header;
    ASSERT_TRUE(DecodeRecordHeader(&reader, &header));
    EXPECT_EQ(AsText(header.name), name);
    ExpectText(header.value, value);
  }
  EXPECT_EQ(reader.remaining(), 0u);
}

void ExpectRecords(ByteSpan bytes, const GoldenRecords& expected) {
  ByteReader reader(bytes);
  for (size_t i = 0; i < expected.size(); ++i) {
    RecordView record;
    ASSERT_TRUE(DecodeRecord(&reader, &record)) << i;
    EXPECT_EQ(record.timestamp_delta, expected[i].timestamp_delta);
    EXPECT_EQ(record.offset_delta, static_cast<int32_t>(i));
    ExpectText(record.key, expected[i].key);
    ExpectText(record.value, expected[i].value);
    ExpectHeaders(record, expected[i]);
  }
  EXPECT_EQ(reader.remaining(), 0u);
}

// ---- format 2 ----------------------------------------------------------------------------------

TEST(GoldenRecordsTest, ABatchIsWrittenAndRead) {
  for (const std::string_view content : {"plain", "headers", "one"}) {
    SCOPED_TRACE(content);
    const GoldenRecords records = RecordsOf(content);
    const Bytes encoded = EncodeRecords(records);
    const Bytes golden = ReadGoldenRecords(2, content, "none");
    EXPECT_EQ(EncodeBatch(HeaderOf(records, encoded), encoded), golden);
    const auto batch = DecodeBatch(golden);
    ASSERT_TRUE(batch.ok()) << batch.status().message();
    EXPECT_EQ(batch.value().header.producer_id, 0x0123456789abcdef);
    EXPECT_EQ(batch.value().header.producer_epoch, 0x1234);
    EXPECT_EQ(batch.value().header.base_sequence, 0x01020304);
    EXPECT_EQ(batch.value().header.max_timestamp, MaxTimestamp(records));
    ExpectRecords(batch.value().records, records);
  }
}

TEST(GoldenRecordsTest, ABatchThatIsNotIdempotent) {
  const Bytes encoded = EncodeRecords(PlainRecords());
  BatchHeader header = HeaderOf(PlainRecords(), encoded);
  header.producer_id = -1;
  header.producer_epoch = -1;
  header.base_sequence = -1;
  EXPECT_EQ(EncodeBatch(header, encoded), ReadGoldenRecords(2, "not-idempotent", "none"));
}

TEST(GoldenRecordsTest, NoPrefixOfABatchIsRead) {
  for (const char* codec : {"none", "gzip", "snappy", "lz4", "zstd"}) {
    const Bytes golden = ReadGoldenRecords(2, "plain", codec);
    for (size_t size = 0; size < golden.size(); ++size) {
      const Bytes prefix(golden.begin(), golden.begin() + static_cast<ptrdiff_t>(size));
      EXPECT_FALSE(DecodeBatch(prefix).ok()) << codec << ", " << size;
    }
  }
}

// The header is ours, the compressed bytes are Kafka's; what they hold is what we hold.
TEST(GoldenRecordsTest, ACompressedBatch) {
  for (const Codec& codec : kCodecs) {
    for (const std::string_view content : {"plain", "headers"}) {
      if (content == "headers" && codec.codec != Compression::kGzip) continue;
      SCOPED_TRACE(codec.name);
      const Bytes golden = ReadGoldenRecords(2, content, codec.name);
      const auto batch = DecodeBatch(golden);
      ASSERT_TRUE(batch.ok()) << batch.status().message();
      const ByteSpan packed = batch.value().records;
      const GoldenRecords records = RecordsOf(content);
      EXPECT_EQ(EncodeBatch(HeaderOf(records, packed, CodecBits(codec.codec)), packed), golden);
      EXPECT_EQ(Decompress(codec.codec, packed), AsText(EncodeRecords(records)));
    }
  }
}

// ---- formats 0 and 1 ---------------------------------------------------------------------------

TEST(GoldenRecordsTest, AMessageSet) {
  for (const int8_t format : kOldFormats) {
    EXPECT_EQ(EncodeMessageSet(format, PlainRecords()), ReadGoldenRecords(format, "plain", "none")) << +format;
  }
}

// All but the offset of format 0, which the broker gives.
TEST(GoldenRecordsTest, AWrapper) {
  constexpr size_t kOffsetBytes = 8;
  for (const int8_t format : kOldFormats) {
    for (const Codec& codec : kCodecs) {
      if (codec.codec == Compression::kZstd) continue;
      SCOPED_TRACE(std::string(codec.name) + " in format " + std::to_string(format));
      const Bytes golden = ReadGoldenRecords(format, "plain", codec.name);
      const auto messages = tests::ReadMessageSet(golden);
      ASSERT_TRUE(messages && messages->size() == 1);
      const ByteSpan packed = messages->front().value.value_or(ByteSpan());
      Bytes ours(MessageOverhead(format));
      EncodeWrapperHead(ours.data(), {format, CodecBits(codec.codec), 4, MaxTimestamp(PlainRecords())},
                        std::span(&packed, 1));
      const size_t from = format == 0 ? kOffsetBytes : 0;
      EXPECT_EQ(AsText(ByteSpan(ours).subspan(from)), AsText(ByteSpan(golden).first(ours.size()).subspan(from)));
      const bool old_lz4 = format == 0 && codec.codec == Compression::kLz4;
      const std::string repaired = old_lz4 ? RepairOldLz4(AsText(packed)) : std::string(AsText(packed));
      EXPECT_EQ(Decompress(codec.codec, AsBytes(repaired)), AsText(EncodeMessageSet(format, PlainRecords())));
    }
  }
}

// The frame's header with the checksum that brokers of 0.8 and 0.9 want, and with the right one.
TEST(GoldenRecordsTest, OurLz4FrameBeginsAsKafkas) {
  constexpr size_t kFrameHeaderBytes = 7;
  const Bytes plain = EncodeMessageSet(0, PlainRecords());
  const ByteSpan kPlain[] = {ByteSpan(plain)};
  for (const int8_t format : kOldFormats) {
    const Bytes golden = ReadGoldenRecords(format, "plain", "lz4");
    ChunkStore chunks;
    ChunkedBytes packed(chunks);
    Compressor compressor;
    ASSERT_TRUE(compressor.Compress(Compression::kLz4, 0, kPlain, plain.size(), &packed, format));
    EXPECT_EQ(AsText(packed.Spans().front().first(kFrameHeaderBytes)),
              AsText(ByteSpan(golden).subspan(MessageOverhead(format), kFrameHeaderBytes)))
        << +format;
  }
}

}  // namespace
}  // namespace dory::kafka::protocol
