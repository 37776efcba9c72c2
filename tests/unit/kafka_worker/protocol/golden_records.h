// The records of tests/golden/kafka/RecordFiles.java, and our encoders' bytes of them.

#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/crc32c.h"
#include "kafka_worker/protocol/batch.h"
#include "kafka_worker/protocol/message_set.h"
#include "kafka_worker/protocol/record.h"
#include "tests/unit/kafka_worker/protocol/golden.h"

namespace dory::kafka::protocol {

inline constexpr int64_t kBaseTimestamp = 1'700'000'000'000;

using NullableText = std::optional<std::string>;

struct GoldenRecord {
  int64_t timestamp_delta;
  NullableText key;
  NullableText value;
  std::vector<std::pair<std::string, NullableText>> headers = {};
};

using GoldenRecords = std::vector<GoldenRecord>;

inline GoldenRecords PlainRecords() {
  return {{0, "key", "a value, a value, a value"},
          {-1500, std::nullopt, ""},
          {86'400'000, "", std::nullopt},
          {1, std::string(70, 'k'), std::string(300, 'v')}};
}

inline GoldenRecords RecordsWithHeaders() {
  return {{0, "key", "value", {{"name", "value"}, {"null", std::nullopt}, {"", ""}}},
          {-64, std::nullopt, "no header"},
          {64, "key", std::nullopt, {{"caf\xc3\xa9", std::string(100, 'x')}}}};
}

// "plain", "headers" or "one", as the files have it in their names.
inline GoldenRecords RecordsOf(std::string_view content) {
  if (content == "headers") return RecordsWithHeaders();
  GoldenRecords records = PlainRecords();
  if (content == "one") records.resize(1);
  return records;
}

inline std::optional<ByteSpan> View(const NullableText& text) {
  return text ? std::optional(AsBytes(*text)) : std::nullopt;
}

inline Bytes EncodeHeaders(const GoldenRecord& record) {
  Bytes out;
  for (const auto& [name, value] : record.headers) {
    const RecordHeaderView header{AsBytes(name), View(value)};
    const size_t at = out.size();
    out.resize(at + RecordHeaderSize(header));
    EncodeRecordHeader(out.data() + at, header);
  }
  return out;
}

// Of format 2, as they lie in a batch.
inline Bytes EncodeRecords(const GoldenRecords& records) {
  Bytes out;
  for (size_t i = 0; i < records.size(); ++i) {
    const Bytes headers = EncodeHeaders(records[i]);
    const RecordView view{records[i].timestamp_delta, static_cast<int32_t>(i), View(records[i].key),
                          View(records[i].value), headers, static_cast<int32_t>(records[i].headers.size())};
    const size_t at = out.size();
    out.resize(at + RecordSize(view));
    EncodeRecord(out.data() + at, view);
  }
  return out;
}

inline int64_t MaxTimestamp(const GoldenRecords& records) {
  int64_t most = records.front().timestamp_delta;
  for (const GoldenRecord& record : records) most = std::max(most, record.timestamp_delta);
  return kBaseTimestamp + most;
}

// The header of a batch of `records`, which are sent as `bytes`.
inline BatchHeader HeaderOf(const GoldenRecords& records, ByteSpan bytes, int16_t codec_bits = 0) {
  BatchHeader header;
  header.base_timestamp = kBaseTimestamp;
  header.max_timestamp = MaxTimestamp(records);
  header.producer_id = 0x0123456789abcdef;
  header.producer_epoch = 0x1234;
  header.base_sequence = 0x01020304;
  header.record_count = static_cast<int32_t>(records.size());
  header.attributes = codec_bits;
  header.records_bytes = bytes.size();
  header.records_crc = Crc32c(bytes);
  return header;
}

inline Bytes EncodeBatch(const BatchHeader& header, ByteSpan records) {
  Bytes out(kBatchHeaderBytes);
  EncodeBatchHeader(out.data(), header);
  out.insert(out.end(), records.begin(), records.end());
  return out;
}

// Of format 0 or 1, with offsets from 0.
inline Bytes EncodeMessageSet(int8_t format, const GoldenRecords& records) {
  Bytes out;
  for (size_t i = 0; i < records.size(); ++i) {
    const MessagePieces message(format, {static_cast<int64_t>(i), kBaseTimestamp + records[i].timestamp_delta,
                                         View(records[i].key), View(records[i].value)});
    for (const ByteSpan piece : message.pieces()) out.insert(out.end(), piece.begin(), piece.end());
  }
  return out;
}

// "v2", "plain", "gzip"
inline Bytes ReadGoldenRecords(int8_t format, std::string_view content, std::string_view codec) {
  return ReadGoldenFile("records/v" + std::to_string(format) + "." + std::string(content) + "." + std::string(codec) +
                        ".hex");
}

}  // namespace dory::kafka::protocol
