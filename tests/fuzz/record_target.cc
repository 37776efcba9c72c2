// Bytes as records of message format 2, one behind the other. What is read is the same when it is written and read
// again.

#include "kafka_worker/protocol/record.h"

#include "tests/fuzz/target.h"

namespace {

using namespace dory;
using kafka::protocol::RecordHeaderView;
using kafka::protocol::RecordView;

bool IsSame(const std::optional<ByteSpan>& a, const std::optional<ByteSpan>& b) {
  return a.has_value() == b.has_value() && AsText(a.value_or(ByteSpan())) == AsText(b.value_or(ByteSpan()));
}

bool IsSame(const RecordView& a, const RecordView& b) {
  return a.timestamp_delta == b.timestamp_delta && a.offset_delta == b.offset_delta && IsSame(a.key, b.key) &&
         IsSame(a.value, b.value) && AsText(a.headers) == AsText(b.headers) && a.header_count == b.header_count;
}

void WalkHeaders(const RecordView& record) {
  ByteReader reader(record.headers);
  RecordHeaderView header;
  for (int32_t i = 0; i < record.header_count; ++i) fuzz::Require(DecodeRecordHeader(&reader, &header));
  fuzz::Require(reader.remaining() == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ByteReader reader(fuzz::AsInput(data, size));
  RecordView record;
  while (reader.remaining() > 0 && DecodeRecord(&reader, &record)) {
    WalkHeaders(record);
    std::vector<std::byte> again(RecordSize(record));
    fuzz::Require(EncodeRecord(again.data(), record) == again.size());
    ByteReader from_again{ByteSpan(again)};
    RecordView same;
    fuzz::Require(DecodeRecord(&from_again, &same) && from_again.remaining() == 0 && IsSame(record, same));
  }
  return 0;
}
