// The types of Kafka's wire, written and read: one cursor each, which knows whether the version at
// hand is flexible, so that an encoder is written once, in wire order.
//
// Source: the Kafka protocol guide, "Protocol Primitive Types"; compact types and tagged fields are
// KIP-482. A flexible version differs in the shape of strings, byte strings, array counts and in the
// tagged fields at each structure's end, and in nothing else.
//
// Errors: a writer has none. A reader remembers the first failed read, after which all reads give
// zeros; ask ok(), or end a message with Finish().

#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/bytes.h"
#include "common/status.h"

namespace dory::kafka::protocol {

using Bytes = std::vector<std::byte>;

// Of a topic, and in an answer about partitions that we name. We know no more (shm::kMaxPartitions), and what is
// kept of one may take ten times its bytes: an answer with more comes from a broken or hostile broker.
inline constexpr size_t kMostPartitions = 65'536;
inline constexpr size_t kMostHostBytes = 255;  // of a name in the domain name system

// Appends to a buffer of the caller's.
class Writer {
 public:
  explicit Writer(Bytes* out, bool flexible) : out_(out), flexible_(flexible) {}

  bool flexible() const { return flexible_; }
  size_t size() const { return out_->size(); }

  template <typename T>
  void Put(T value) {
    StoreBigEndian(Grow(sizeof(T)), value);
  }

  void PutBool(bool value) { Put<uint8_t>(value ? 1 : 0); }
  void PutRaw(ByteSpan bytes);
  void PutUnsignedVarint(uint64_t value);
  void PutVarint(int64_t value);

  // STRING and COMPACT_STRING; nothing is null. REQUIRES: at most 32,767 bytes.
  void PutString(std::string_view text);
  void PutNullableString(std::optional<std::string_view> text);
  // STRING of versions flexible or not: the client id of a request header.
  void PutPlainNullableString(std::optional<std::string_view> text);

  // The length before BYTES, RECORDS and their compact forms. REQUIRES: below 2^31 - 1.
  void PutByteCount(size_t count);
  // The count before an array's elements. REQUIRES: below 2^31 - 1.
  void PutArrayCount(size_t count);
  // An empty set of tagged fields; nothing where the version is not flexible.
  void PutNoTags();

  // Room of `size` bytes, to be filled by the caller before anything else is put.
  std::byte* Grow(size_t size);
  // REQUIRES: four bytes were put at `offset`.
  void PatchInt32(size_t offset, int32_t value);

 private:
  Bytes* out_;
  bool flexible_;
};

// Reads what lies in memory of the caller's; the views it gives point there.
class Reader {
 public:
  explicit Reader(ByteSpan bytes, bool flexible) : bytes_(bytes), flexible_(flexible) {}

  bool ok() const { return bytes_.ok(); }
  size_t remaining() const { return bytes_.remaining(); }
  size_t offset() const { return bytes_.offset(); }
  bool flexible() const { return flexible_; }
  void Fail() { bytes_.Fail(); }

  template <typename T>
  T Read() {
    return bytes_.Read<T>();
  }

  bool ReadBool() { return Read<uint8_t>() != 0; }
  ByteSpan ReadRaw(size_t size) { return bytes_.ReadBytes(size); }
  uint64_t ReadUnsignedVarint() { return bytes_.ReadUnsignedVarint(); }

  // Of at most 32,767 bytes in the compact form, too, as Kafka's own classes have it. The first fails on null.
  std::string_view ReadString();
  std::optional<std::string_view> ReadNullableString();
  // A broker's. Fails where it is no text, or has more than kMostHostBytes.
  std::string_view ReadHost();

  // The number of elements that follow; null counts as none. Fails where so many, of at least
  // `least_element_bytes` each, could not lie in what is left: the count is safe to reserve by.
  // REQUIRES: least_element_bytes > 0.
  size_t ReadArrayCount(size_t least_element_bytes);
  // A whole array of elements of one size.
  void SkipArray(size_t element_bytes);

  // The tagged fields at a structure's end, each handed to visit(tag, Reader of its bytes) and then
  // left behind, understood or not. A field that its visitor could not read fails the whole.
  // Nothing where the version is not flexible.
  template <typename Visitor>
  void ReadTags(Visitor visit);
  void SkipTags();

  // Ok where everything was read, to the last byte; else which byte of `what` was the first bad one.
  Status Finish(std::string_view what, int16_t version) const;

 private:
  // The length of a string or array, -1 for null; fails below that.
  int64_t ReadLength(bool is_string);

  ByteReader bytes_;
  bool flexible_;
};

template <typename Visitor>
void Reader::ReadTags(Visitor visit) {
  if (!flexible_) return;
  const uint64_t count = ReadUnsignedVarint();
  for (uint64_t i = 0; i < count && ok(); ++i) {
    const uint64_t tag = ReadUnsignedVarint();
    Reader field(ReadRaw(ReadUnsignedVarint()), true);
    if (!ok()) return;
    visit(tag, field);
    if (!field.ok()) Fail();
  }
}

}  // namespace dory::kafka::protocol
