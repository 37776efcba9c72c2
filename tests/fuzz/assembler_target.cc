// Bytes as a stream that is read in pieces: whatever the pieces, it gives the same messages and the same fault as
// one read of all of it.
//
// The first byte says how many sizes of pieces follow it, a byte each, used in turn; the rest is the stream.

#include <algorithm>
#include <array>
#include <vector>

#include "intake_worker/assemble.h"
#include "tests/fuzz/target.h"

namespace {

using namespace dory;

constexpr uint64_t kLimit = 200;

struct Read {
  std::vector<std::vector<std::byte>> messages;
  std::optional<shm::Reject> fault;
  std::vector<std::byte> held;  // part of a message
};

// Takes what is whole out of `held`, a few messages at a time.
void Take(Read* read) {
  std::array<ByteSpan, 3> whole;
  for (;;) {
    const intake::Assembled found = intake::Assemble(read->held, kLimit, whole);
    fuzz::Require(found.end <= read->held.size() && found.next_size <= kLimit);
    for (size_t i = 0; i < found.count; ++i) read->messages.emplace_back(whole[i].begin(), whole[i].end());
    read->held.erase(read->held.begin(), read->held.begin() + static_cast<std::ptrdiff_t>(found.end));
    read->fault = found.fault;
    if (found.count == 0 || found.fault) return;
  }
}

Read ReadInPieces(ByteSpan stream, ByteSpan sizes) {
  Read read;
  for (size_t at = 0, piece = 0; at < stream.size() && !read.fault; ++piece) {
    const size_t wanted = sizes.empty() ? stream.size() : static_cast<size_t>(sizes[piece % sizes.size()]) + 1;
    const size_t size = std::min(wanted, stream.size() - at);
    read.held.insert(read.held.end(), stream.begin() + static_cast<std::ptrdiff_t>(at),
                     stream.begin() + static_cast<std::ptrdiff_t>(at + size));
    at += size;
    Take(&read);
  }
  return read;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteSpan input = fuzz::AsInput(data, size);
  if (input.empty()) return 0;
  const size_t count = std::min(static_cast<size_t>(input[0]), input.size() - 1);
  const ByteSpan stream = input.subspan(1 + count);
  const Read at_once = ReadInPieces(stream, {});
  const Read in_pieces = ReadInPieces(stream, input.subspan(1, count));
  fuzz::Require(at_once.messages == in_pieces.messages && at_once.fault == in_pieces.fault);
  fuzz::Require(at_once.fault || at_once.held == in_pieces.held);
  return 0;
}
