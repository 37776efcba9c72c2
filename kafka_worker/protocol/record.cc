#include "kafka_worker/protocol/record.h"

#include <cassert>
#include <cstring>
#include <limits>

namespace dory::kafka::protocol {
namespace {

constexpr std::byte kNoAttributes{0};
constexpr int64_t kNull = -1;

int64_t LengthOf(const std::optional<ByteSpan>& bytes) {
  return bytes ? static_cast<int64_t>(bytes->size()) : kNull;
}

size_t SizeOf(const std::optional<ByteSpan>& bytes) { return bytes ? bytes->size() : 0; }

std::byte* StoreBytes(std::byte* at, ByteSpan bytes) {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

// What follows the length: the number that stands there.
size_t ComputeBodySize(const RecordView& record) {
  const size_t size = sizeof(kNoAttributes) + VarintSize(record.timestamp_delta) +
                      VarintSize(record.offset_delta) + VarintSize(LengthOf(record.key)) +
                      SizeOf(record.key) + VarintSize(LengthOf(record.value)) + SizeOf(record.value) +
                      VarintSize(record.header_count) + record.headers.size();
  assert(size <= static_cast<size_t>(std::numeric_limits<int32_t>::max()));
  return size;
}

// All up to the key's bytes.
std::byte* StorePrefix(std::byte* at, const RecordView& record, size_t body_size) {
  at = StoreVarint(at, static_cast<int64_t>(body_size));
  *at++ = kNoAttributes;
  at = StoreVarint(at, record.timestamp_delta);
  at = StoreVarint(at, record.offset_delta);
  return StoreVarint(at, LengthOf(record.key));
}

// False where the length is below -1 or goes beyond the end.
bool ReadNullable(ByteReader* reader, std::optional<ByteSpan>* bytes) {
  const int64_t length = reader->ReadVarint();
  if (length < kNull) reader->Fail();
  bytes->reset();
  if (reader->ok() && length >= 0) *bytes = reader->ReadBytes(static_cast<size_t>(length));
  return reader->ok();
}

// Moves `body`, at its header count, to its end: the headers must fill the rest.
bool ReadHeaders(ByteReader* body, ByteSpan bytes, RecordView* record) {
  const int64_t count = body->ReadVarint();
  if (count < 0 || count > static_cast<int64_t>(body->remaining())) return false;
  record->header_count = static_cast<int32_t>(count);
  record->headers = bytes.subspan(body->offset());
  RecordHeaderView header;
  for (int64_t i = 0; i < count; ++i) {
    if (!DecodeRecordHeader(body, &header)) return false;
  }
  return body->ok() && body->remaining() == 0;
}

bool DecodeBody(ByteSpan bytes, RecordView* record) {
  ByteReader body(bytes);
  body.Read<int8_t>();  // attributes: none are defined
  record->timestamp_delta = body.ReadVarint();
  const int64_t offset_delta = body.ReadVarint();
  record->offset_delta = static_cast<int32_t>(offset_delta);
  return body.ok() && record->offset_delta == offset_delta && ReadNullable(&body, &record->key) &&
         ReadNullable(&body, &record->value) && ReadHeaders(&body, bytes, record);
}

}  // namespace

size_t RecordSize(const RecordView& record) {
  const size_t body_size = ComputeBodySize(record);
  return VarintSize(static_cast<int64_t>(body_size)) + body_size;
}

size_t EncodeRecord(std::byte* out, const RecordView& record) {
  std::byte* at = StorePrefix(out, record, ComputeBodySize(record));
  if (record.key) at = StoreBytes(at, *record.key);
  at = StoreVarint(at, LengthOf(record.value));
  if (record.value) at = StoreBytes(at, *record.value);
  at = StoreVarint(at, record.header_count);
  at = StoreBytes(at, record.headers);
  return static_cast<size_t>(at - out);
}

RecordPieces::RecordPieces(const RecordView& record) {
  std::byte* const prefix = scratch_.data();
  std::byte* const value_length = StorePrefix(prefix, record, ComputeBodySize(record));
  std::byte* const header_count = StoreVarint(value_length, LengthOf(record.value));
  std::byte* const end = StoreVarint(header_count, record.header_count);
  pieces_ = {ByteSpan(prefix, value_length),       record.key.value_or(ByteSpan()),
             ByteSpan(value_length, header_count), record.value.value_or(ByteSpan()),
             ByteSpan(header_count, end),          record.headers};
  size_ = 0;
  for (ByteSpan piece : pieces_) size_ += piece.size();
}

bool DecodeRecord(ByteReader* reader, RecordView* record) {
  const int64_t length = reader->ReadVarint();
  if (length < 0) reader->Fail();
  const ByteSpan body = reader->ReadBytes(static_cast<size_t>(length));
  if (!reader->ok() || !DecodeBody(body, record)) {
    reader->Fail();
    return false;
  }
  return true;
}

size_t RecordHeaderSize(const RecordHeaderView& header) {
  return VarintSize(static_cast<int64_t>(header.name.size())) + header.name.size() +
         VarintSize(LengthOf(header.value)) + SizeOf(header.value);
}

size_t EncodeRecordHeader(std::byte* out, const RecordHeaderView& header) {
  std::byte* at = StoreVarint(out, static_cast<int64_t>(header.name.size()));
  at = StoreBytes(at, header.name);
  at = StoreVarint(at, LengthOf(header.value));
  if (header.value) at = StoreBytes(at, *header.value);
  return static_cast<size_t>(at - out);
}

bool DecodeRecordHeader(ByteReader* reader, RecordHeaderView* header) {
  std::optional<ByteSpan> name;
  if (!ReadNullable(reader, &name)) return false;
  if (!name) reader->Fail();
  header->name = name.value_or(ByteSpan());
  return reader->ok() && ReadNullable(reader, &header->value);
}

}  // namespace dory::kafka::protocol
