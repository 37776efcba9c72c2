#include "kafka_worker/protocol/wire.h"

#include <limits>

#include "common/text_check.h"

namespace dory::kafka::protocol {
namespace {

constexpr size_t kMaxStringBytes = std::numeric_limits<int16_t>::max();
constexpr size_t kMaxCount = std::numeric_limits<int32_t>::max();

}  // namespace

// ---- Writer ------------------------------------------------------------------------------------

std::byte* Writer::Grow(size_t size) {
  const size_t offset = out_->size();
  out_->resize(offset + size);
  return out_->data() + offset;
}

void Writer::PutRaw(ByteSpan bytes) { out_->insert(out_->end(), bytes.begin(), bytes.end()); }

void Writer::PutUnsignedVarint(uint64_t value) {
  StoreUnsignedVarint(Grow(UnsignedVarintSize(value)), value);
}

void Writer::PutVarint(int64_t value) { PutUnsignedVarint(ZigZagEncode(value)); }

void Writer::PutString(std::string_view text) { PutNullableString(text); }

// The compact forms count from one, so that zero can be null.
void Writer::PutNullableString(std::optional<std::string_view> text) {
  if (!flexible_) return PutPlainNullableString(text);
  assert(!text || text->size() <= kMaxStringBytes);
  PutUnsignedVarint(text ? text->size() + 1 : 0);
  if (text) PutRaw(AsBytes(*text));
}

void Writer::PutPlainNullableString(std::optional<std::string_view> text) {
  assert(!text || text->size() <= kMaxStringBytes);
  Put<int16_t>(text ? static_cast<int16_t>(text->size()) : int16_t{-1});
  if (text) PutRaw(AsBytes(*text));
}

void Writer::PutByteCount(size_t count) {
  assert(count < kMaxCount);
  if (flexible_) {
    PutUnsignedVarint(count + 1);
  } else {
    Put<int32_t>(static_cast<int32_t>(count));
  }
}

void Writer::PutArrayCount(size_t count) { PutByteCount(count); }

void Writer::PutNoTags() {
  if (flexible_) PutUnsignedVarint(0);
}

void Writer::PatchInt32(size_t offset, int32_t value) {
  assert(offset + sizeof(value) <= out_->size());
  StoreBigEndian(out_->data() + offset, value);
}

// ---- Reader ------------------------------------------------------------------------------------

int64_t Reader::ReadLength(bool is_string) {
  int64_t length;
  if (flexible_) {
    const uint64_t coded = ReadUnsignedVarint();
    const size_t most = is_string ? kMaxStringBytes : kMaxCount - 1;
    length = coded <= most + 1 ? static_cast<int64_t>(coded) - 1 : -2;
  } else {
    length = is_string ? Read<int16_t>() : Read<int32_t>();
  }
  if (length < -1) Fail();
  return ok() ? length : -1;
}

std::optional<std::string_view> Reader::ReadNullableString() {
  const int64_t length = ReadLength(true);
  if (length < 0) return std::nullopt;
  return AsText(ReadRaw(static_cast<size_t>(length)));
}

std::string_view Reader::ReadString() {
  const auto text = ReadNullableString();
  if (!text) Fail();
  return text.value_or(std::string_view());
}

std::string_view Reader::ReadHost() {
  const std::string_view host = ReadString();
  BadByte bad;
  if (host.size() > kMostHostBytes || FindBadByte(host, &bad)) Fail();
  return host;
}

size_t Reader::ReadArrayCount(size_t least_element_bytes) {
  assert(least_element_bytes > 0);
  const int64_t length = ReadLength(false);
  const size_t count = length < 0 ? 0 : static_cast<size_t>(length);
  if (count > remaining() / least_element_bytes) Fail();
  return ok() ? count : 0;
}

void Reader::SkipArray(size_t element_bytes) {
  ReadRaw(ReadArrayCount(element_bytes) * element_bytes);
}

void Reader::SkipTags() {
  ReadTags([](uint64_t, Reader&) {});
}

Status Reader::Finish(std::string_view what, int16_t version) const {
  if (ok() && remaining() == 0) return Status::Ok();
  const std::string_view fault = ok() ? " goes on after its end, byte " : " makes no sense at byte ";
  return Status::Error(std::string(what) + " version " + std::to_string(version) + std::string(fault) +
                       std::to_string(offset()));
}

}  // namespace dory::kafka::protocol
