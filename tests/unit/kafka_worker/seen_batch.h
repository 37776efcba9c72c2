// What a broker gets of a partition in a Produce, taken apart: a batch, or messages of formats 0 and 1.

#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "common/bytes.h"
#include "kafka_worker/protocol/batch.h"
#include "kafka_worker/protocol/record.h"
#include "tests/support/message_set.h"
#include "tests/unit/kafka_worker/decompress.h"

namespace dory::kafka {

struct SeenBatch {
  int64_t producer_id;
  int16_t epoch;
  int32_t sequence;
  std::vector<std::string> values;
  int8_t format = 2;
  std::vector<int64_t> timestamps = {};  // of format 1
  size_t connection = 0;   // the nth that was accepted, from 1
  size_t in_request = 0;   // batches of that request
  int32_t timeout_ms = 0;  // the request's
  int16_t codec = 0;
  size_t bytes = 0;        // of records, as they came
  int16_t version = 0;     // the request's
  size_t metadata_requests = 0;  // that had come before it
  bool has_headers = false;
};

inline std::optional<SeenBatch> UnpackBatch(ByteSpan bytes) {
  const Result<protocol::DecodedBatch> decoded = protocol::DecodeBatch(bytes);
  if (!decoded.ok()) return std::nullopt;
  const protocol::DecodedBatch& batch = decoded.value();
  SeenBatch now{batch.header.producer_id, batch.header.producer_epoch, batch.header.base_sequence, {}};
  now.codec = static_cast<int16_t>(batch.header.attributes & protocol::kCodecMask);
  now.bytes = batch.records.size();
  const std::string plain = Decompress(static_cast<Compression>(now.codec), batch.records);
  ByteReader records(AsBytes(plain));
  protocol::RecordView record;
  for (int32_t i = 0; i < batch.header.record_count; ++i) {
    EXPECT_TRUE(protocol::DecodeRecord(&records, &record));
    EXPECT_EQ(record.offset_delta, i);
    now.has_headers |= record.header_count > 0;
    now.values.emplace_back(AsText(record.value.value_or(ByteSpan{})));
  }
  EXPECT_EQ(records.remaining(), 0u);
  return now;
}

// Messages of the format that goes with the version, from offset 0 on, plain or in one wrapper.
inline std::optional<SeenBatch> UnpackMessages(int16_t version, ByteSpan bytes) {
  SeenBatch now{-1, -1, -1, {}};
  now.format = version == 2 ? 1 : 0;
  now.bytes = bytes.size();
  auto messages = tests::ReadMessageSet(bytes);
  if (!messages) return std::nullopt;
  const tests::PlainMessage outer = messages->front();
  now.codec = outer.attributes;
  std::string plain;
  if (now.codec != 0) {
    const std::string_view packed = AsText(*outer.value);
    const bool is_old_lz4 = now.codec == 3 && now.format == 0;
    plain = Decompress(static_cast<Compression>(now.codec), AsBytes(is_old_lz4 ? RepairOldLz4(packed) : std::string(packed)));
    messages = tests::ReadMessageSet(AsBytes(plain));
    EXPECT_TRUE(messages && !outer.key);
    if (!messages) return std::nullopt;
    EXPECT_EQ(outer.offset, now.format == 0 ? 0 : static_cast<int64_t>(messages->size()) - 1);
  }
  for (const tests::PlainMessage& message : *messages) {
    EXPECT_EQ(message.magic, now.format);
    EXPECT_EQ(message.offset, static_cast<int64_t>(now.values.size()));
    EXPECT_EQ(message.attributes, 0);
    now.values.emplace_back(AsText(message.value.value_or(ByteSpan{})));
    now.timestamps.push_back(message.timestamp);
  }
  if (now.codec != 0) {
    EXPECT_EQ(outer.timestamp, *std::max_element(now.timestamps.begin(), now.timestamps.end()));
  }
  return now;
}

}  // namespace dory::kafka
