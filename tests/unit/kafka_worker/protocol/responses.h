// What every decoder's test asks of it: no prefix of an answer is an answer, nor is one with more.

#pragma once

#include <gtest/gtest.h>

#include "kafka_worker/protocol/wire.h"

namespace dory::kafka::protocol {

template <typename Decode>
void ExpectOnlyTheWholeDecodes(Decode decode, int16_t version, const Bytes& body) {
  EXPECT_TRUE(decode(version, ByteSpan(body)).ok()) << "version " << version;
  for (size_t size = 0; size < body.size(); ++size) {
    const Bytes cut(body.begin(), body.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_FALSE(decode(version, ByteSpan(cut)).ok()) << "version " << version << ", " << size;
  }
  Bytes more = body;
  more.push_back(std::byte{0});
  EXPECT_FALSE(decode(version, ByteSpan(more)).ok()) << "version " << version;
}

// Whatever single byte is changed: an error or an answer, but no crash and no huge allocation.
template <typename Decode>
void SurviveAnyChangedByte(Decode decode, int16_t version, const Bytes& body) {
  for (size_t i = 0; i < body.size(); ++i) {
    for (int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      Bytes changed = body;
      changed[i] = static_cast<std::byte>(value);
      (void)decode(version, ByteSpan(changed)).ok();
    }
  }
}

// An unknown tagged field, which every structure of a flexible version may end in.
inline void PutUnknownTag(Writer* writer) {
  if (!writer->flexible()) return;
  writer->PutUnsignedVarint(1);
  writer->PutUnsignedVarint(1000);
  writer->PutUnsignedVarint(3);
  writer->PutRaw(AsBytes("abc"));
}

}  // namespace dory::kafka::protocol
