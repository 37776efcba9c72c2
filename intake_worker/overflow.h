// The overflow file: messages that the final drain could neither append nor leave in a socket.
//
// It lies beside the segment, as overflow.<lane>, and holds messages as clients sent them, back to
// back from byte 0:
//
//     uint32 size | uint32 input, bit 31: truncated | uint32 uid | bytes        (this machine's byte order)
//
// ProducerPage's overflow_in and overflow_out say which bytes [out, in) are still to be published;
// nothing in there counts as received. What lies behind `in` never was written.
//
// Owner: the lane's intake, alone.
// Order: a message is in the file before P4 of its slot's burst, so a file exists wherever in > 0. The
//   file is unlinked once all of it is decided, and only then in and out are set to 0, in this order: a
//   start that finds no file sets both to 0, whatever they are; one that finds a file with nothing to
//   publish in it unlinks it. Were a word set before the unlink, [out, in) would name bytes that were
//   published already.
// Errors: a file that is shorter than `in` or whose sizes do not hold is set aside as
//   overflow.<lane>.damaged, loudly; what was published before stays.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/file_descriptor.h"
#include "common/status.h"
#include "intake_worker/burst.h"
#include "shm/layout.h"

namespace dory::intake {

class OverflowFile {
 public:
  // `path` empty: the segment has no folder, so there can't be a file.
  OverflowFile(shm::ProducerPage* producer, std::string path);

  // A start. REQUIRES: no burst is half finished.
  void Open();

  bool HasMessages() const;
  bool IsPossible() const { return !path_.empty(); }

  // The next messages to publish, in order; at least one. They stay until the next call of anything.
  // Empty: the file was damaged, and is no more. REQUIRES: HasMessages().
  std::span<const RawMessage> Read();

  // Ends the file once nothing is left to publish.
  void RetireIfRead();

  // Writes messages behind those that are there. The value is the new `in`, for P4.
  Result<uint64_t> Append(std::span<const RawMessage> messages);

 private:
  struct Frame {
    uint32_t size;
    uint32_t input;
    uint32_t uid;
  };
  static constexpr uint32_t kTruncatedBit = 1u << 31;
  static constexpr size_t kReadSize = 1 << 20;

  bool Exists() const { return file_.valid(); }
  void ForgetPositions();
  bool FillBuffer(uint64_t at, uint64_t size);
  void CollectMessages(uint64_t out);
  std::span<const RawMessage> SetAside(const char* why);

  shm::ProducerPage* producer_;
  std::string path_;
  FileDescriptor file_;
  std::vector<std::byte> buffer_;
  std::vector<RawMessage> messages_;
};

}  // namespace dory::intake
